"""l4muxctl: commands that wait for what they begin."""

import json
import os
import signal

import harness
import net
from harness import Case, free_port


class TestReloadCommand(Case):
    def test_CT6_reload_and_upgrade_tell_the_outcome(self):
        b = self.keep(net.Backend("one"))
        port = free_port()
        d = self.start({"listen": ("127.0.0.1:%d" % port,),
                        "upstreams": {"one": {"address": b.address}},
                        "fallback": "one"})
        for i, command in enumerate(("reload", "upgrade", "reload")):
            r = d.ctl(command)
            self.assertEqual(
                (0, "generation %d has taken over\n" % (i + 2), ""),
                (r.returncode, r.stdout, r.stderr))
        with open(d.conf_path, "a") as f:
            f.write("x = 1;\ny = 2;\n")
        for command in ("reload", "upgrade"):
            r = d.ctl(command)
            self.assertEqual((1, ""), (r.returncode, r.stdout))
            one, two = r.stderr.splitlines()
            self.assertRegex(one, r"^l4muxctl: .*conf:\d+: x: ")
            self.assertRegex(two, r"^l4muxctl: .*conf:\d+: y: ")
        self.assertEqual(4, d.status()["generation"])
        self.assertEqual("one", net.who(port, b"x"))


    def test_CT6_upgrade_while_processes_are_asked(self):
        b = self.keep(net.Backend("one"))
        d = self.start({"listen": ("127.0.0.1:%d" % free_port(),),
                        "upstreams": {"one": {"address": b.address}},
                        "fallback": "one"})
        pid, = d.pids("proxy")
        harness.proc.stop(pid)
        try:
            asked = d.begin("sessions")
            d.status()                  # it is being asked by now
            self.assertTrue(d.ask("upgrade")["ok"])
            self.assertEqual({"ok": False, "error": "interrupted by an "
                              "upgrade: ask again"}, d.answer(asked))
        finally:
            harness.proc.go_on(pid)
        self.assertEqual([], d.ask("sessions")["sessions"])


class TestUpgradeWaits(Case):
    """For those who are being answered."""

    def setUp(self):
        _, ups = self.backends("one")
        self.d = self.start({
            "listen": ("127.0.0.1:%d" % free_port(),), "upstreams": ups,
            "routes": tuple({"sni": "n%d.example" % i, "to": "one"}
                            for i in range(10000)),
            "fallback": "one"})

    def half_answered(self):
        """A client who has more to read than the socket holds."""
        s = self.d.begin("routes")
        self.assertEqual(b"{", s.recv(1))
        return s

    def upgrade(self):
        """Asked for, and only these clients are still to be served."""
        at = self.d.log.mark()
        s = self.d.begin("upgrade")
        self.d.log.wait("are answered before the upgrade", at)
        return s

    def test_CT9_answers_are_whole(self):
        some = [self.half_answered() for _ in range(3)]
        slow = self.d.connect()         # in the midst of its question
        slow.sendall(b"sta")
        self.d.status()                 # has been read by now
        up = self.upgrade()
        late = self.d.begin("status")
        slow.sendall(b"tus\n")
        self.assertTrue(self.d.answer(slow)["ok"])
        for s in some:
            with s:
                got = json.loads(b"{" + net.read_end(s)[0])
            self.assertEqual(10000, len(got["routes"]))
        self.assertEqual({"ok": True, "generation": 2}, self.d.answer(up))
        # Who came meanwhile is answered by the new program.
        self.assertEqual("running", self.d.answer(late)["state"])

    def test_CT9_not_for_ever(self):
        """Who does not read what was asked for holds nobody up."""
        with self.half_answered() as s, self.d.connect() as idle:
            self.d.status()
            self.assertTrue(self.d.answer(self.upgrade())["ok"])
            self.assertEqual(b"", idle.recv(1))
            got, _ = net.read_end(s)
            self.assertFalse(got.endswith(b"}\n"))

    def test_CT9_stop_meanwhile(self):
        """Then nothing is upgraded, and nobody waited for."""
        with self.half_answered(), self.upgrade():
            os.kill(self.d.pid, signal.SIGTERM)
            self.assertEqual(0, self.d.proc.wait(net.WAIT))
        self.d.log.join(net.WAIT)
        self.assertNotIn("has taken over", self.d.log.tail())


class TestStop(Case):
    def test_CT6_stop(self):
        port = free_port()
        b = self.keep(net.Backend("one"))
        d = self.start({"listen": ("127.0.0.1:%d" % port,),
                        "upstreams": {"one": {"address": b.address}},
                        "fallback": "one"})
        d.remember()
        r = d.ctl("stop")
        self.assertEqual((0, "stopping, pid %d\n" % d.pid),
                         (r.returncode, r.stdout))
        self.assertEqual(0, d.proc.wait(net.WAIT))
        d.assert_gone()
        with self.assertRaises(ConnectionRefusedError):
            net.tcp(port)
