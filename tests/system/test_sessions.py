"""SE*: what l4muxctl asks of the processes: sessions, kill, log; and drain."""

import json
import os
import signal
import socket
import threading

import hello
import net
import proc
from harness import Case, free_port, poll


class TestSessions(Case):
    @classmethod
    def configure(cls):
        cls.port = free_port()
        _, ups = cls.backends("one", "two")
        return {
            "listen": ("127.0.0.1:%d" % cls.port,),
            "upstreams": ups,
            "sites": {"blog": {"names": ["blog.example"], "root": "/usr",
                               "certificate": "self-signed"}},
            "routes": ({"sni": "a.example", "to": "one"},
                       {"sni": "b.example", "to": "two"}),
            "fallback": "one",
            "processes": {"worker": 2, "tlsterm": 2, "proxy": 2},
            "limits": {"hello_timeout": 60.0},
        }

    def setUp(self):
        self.held = []

    def tearDown(self):
        for s in self.held:
            s.close()
        poll(lambda: not self.daemon.ask("sessions")["sessions"])

    def hold(self, data, answer=True):
        s = net.tcp(self.port)
        self.held.append(s)
        if data:
            s.sendall(data)
        if answer:
            net.read_exactly(s, 5)
        return s

    def rows(self, *words):
        doc = self.daemon.ask(" ".join(("sessions",) + words))
        self.assertTrue(doc["ok"], doc)
        self.assertEqual(([], 0), (doc["silent"], doc["left_out"]))
        return doc["sessions"]

    def row(self, s):
        """Of that client; it may still be on its way between processes."""
        me = "%s:%d" % s.getsockname()
        found = poll(lambda: [r for r in self.rows() if r["client"] == me])
        self.assertEqual(1, len(found), found)
        return found[0]

    def test_SE1_a_row_tells_all(self):
        data = hello.hello("a.example", ("h2",))
        r = self.row(self.hold(data))
        self.assertEqual(
            ("one", "upstream", "route:1", "a.example", "h2", "relay",
             "proxy", "127.0.0.1:%d" % self.port, 1),
            tuple(r[k] for k in ("target", "kind", "reason", "sni", "alpn",
                                 "state", "role", "listen", "generation")))
        self.assertEqual(len(data), r["in"])
        self.assertGreater(r["out"], 0)
        self.assertGreaterEqual(r["age_s"], 0)
        self.assertRegex(r["id"], r"^\d+$")
        self.assertIn(r["pid"], self.daemon.pids("proxy"))

    def test_SE1_every_role_lists(self):
        undecided = self.row(self.hold(hello.hello("a.example")[:20], False))
        self.assertEqual(("undecided", "worker", None),
                         tuple(undecided[k] for k in ("state", "role",
                                                      "target")))
        s = net.tls(self.port, "blog.example")
        self.held.append(s)
        site = self.row(s)
        self.assertEqual(("http", "tlsterm", "blog", "name", "blog.example"),
                         tuple(site[k] for k in ("state", "role", "target",
                                                 "reason", "sni")))
        half = self.row(self.hold(hello.hello("blog.example"), False))
        self.assertEqual("handshake", half["state"])

    def test_SE2_one_target(self):
        self.hold(hello.hello("a.example"))
        self.hold(hello.hello("b.example"))
        self.row(self.hold(b"\x16", False))
        for target, n in (("one", 1), ("two", 1), ("blog", 0),
                          ("undecided", 1)):
            self.assertEqual(n, len(self.rows(target)), target)
        self.assertEqual(3, len(self.rows()))
        doc = self.daemon.ask("sessions nowhere")
        self.assertEqual((False, "no such target"), (doc["ok"], doc["error"]))

    def test_SE3_many_come_in_pieces(self):
        """More rows than a message holds, each once, and traffic goes on."""
        name = ".".join(["x" * 60] * 4) + ".a"
        for i in range(400):
            self.hold(hello.hello("a.example" if i % 2 else name))
        rows = self.rows()
        self.assertEqual(400, len(rows))
        self.assertEqual(400, len({r["id"] for r in rows}))
        mine = {"%s:%d" % s.getsockname() for s in self.held}
        self.assertEqual(mine, {r["client"] for r in rows})

    def test_SE3_while_they_come_and_go(self):
        stop = threading.Event()

        def churn():
            while not stop.is_set():
                net.who(self.port, hello.hello("a.example"))
        for i in range(150):
            self.hold(hello.hello("b.example"))
        threads = [threading.Thread(target=churn) for i in range(4)]
        for t in threads:
            t.start()
        try:
            for i in range(20):
                rows = self.rows()
                self.assertEqual(150, len([r for r in rows
                                           if r["target"] == "two"]))
        finally:
            stop.set()
            for t in threads:
                t.join()

    def test_SE3_many_ask_at_once(self):
        self.hold(hello.hello("a.example"))
        self.hold(hello.hello("b.example"))
        asked = []
        for i in range(40):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(net.WAIT)
            s.connect(self.daemon.control)
            s.sendall(b"sessions one\n" if i % 2 else b"sessions\n")
            if i % 5 == 4:
                s.close()
            else:
                asked.append((s, 1 if i % 2 else 2))
        for s, n in asked:
            doc = json.loads(net.read_end(s)[0])
            self.assertEqual(n, len(doc["sessions"]))
            s.close()

    def while_stopped(self, what):
        """With a tlsterm that does not answer, but not for so long that it
        is ended for it; then once more."""
        for i in range(5):
            mark = self.daemon.log.mark()
            pid = self.daemon.pids("tlsterm")[0]
            proc.stop(pid)
            try:
                got = what()
            finally:
                proc.go_on(pid)
            poll(lambda: not self.daemon.ask("sessions")["silent"])
            if not [s for s in self.daemon.log.lines[mark:]
                    if "does not answer" in s]:
                return got
        self.fail("too slow")

    def test_SE4_a_silent_process_is_named(self):
        self.hold(hello.hello("a.example"))
        doc = self.while_stopped(lambda: self.daemon.ask("sessions"))
        self.assertEqual((True, 1), (doc["ok"], len(doc["sessions"])))
        self.assertRegex(" ".join(doc["silent"]), r"^tlsterm\[\d\]$")
        r = self.while_stopped(lambda: self.daemon.ctl("sessions"))
        self.assertEqual(0, r.returncode)
        self.assertRegex(r.stderr, r"no answer from tlsterm\[\d\]\n")
        r = self.while_stopped(lambda: self.daemon.ctl("kill", "1"))
        self.assertEqual(1, r.returncode)
        self.assertIn("no answer from tlsterm", r.stderr)

    def test_SE5_kill(self):
        for data, answer in ((hello.hello("a.example"), True),
                             (b"\x16\x03", False)):
            s = self.hold(data, answer)
            other = self.hold(hello.hello("b.example"))
            mark = self.daemon.log.mark()
            ident = self.row(s)["id"]
            r = self.daemon.ctl("kill", ident)
            self.assertEqual((0, "", ""), (r.returncode, r.stdout, r.stderr))
            self.assertEqual("reset", net.read_end(s)[1])
            line = self.daemon.log.wait("^conn id=%s " % ident, mark)
            self.assertIn("killed", line)
            self.assertEqual("relay", self.row(other)["state"])
            r = self.daemon.ctl("kill", ident)
            self.assertEqual(1, r.returncode)
            self.assertIn("no connection has this id", r.stderr)

    def test_SE5_kill_a_tls_client(self):
        s = net.tls(self.port, "blog.example")
        self.held.append(s)
        self.assertEqual(0, self.daemon.ctl("kill",
                                            self.row(s)["id"]).returncode)
        self.daemon.log.wait("end=killed")

    def test_SE5_kill_wants_a_number(self):
        for word in ("x", "-1", "1x", "99999999999999999999", "+1"):
            r = self.daemon.ctl("kill", "--", word) if word == "-1" else \
                self.daemon.ctl("kill", word)
            self.assertNotEqual(0, r.returncode, word)

    def test_SE6_text(self):
        self.hold(hello.hello("a.example"))
        r = self.daemon.ctl("sessions", "one")
        self.assertEqual((0, ""), (r.returncode, r.stderr))
        head, row = r.stdout.splitlines()
        self.assertEqual("ID AGE CLIENT TARGET SNI IN OUT STATE".split(),
                         head.split())
        self.assertEqual(("one", "a.example", "relay"),
                         (*row.split()[3:5], row.split()[-1]))

    def test_SE7_log_level(self):
        for level, works in (("debug", True), ("error", True),
                             ("info", True), ("loud", False)):
            r = self.daemon.ctl("log", level)
            self.assertEqual(0 if works else 1, r.returncode)
        self.daemon.ctl("log", "debug")
        mark = self.daemon.log.mark()
        pid = self.daemon.pids("keys")[0]
        os.kill(pid, signal.SIGKILL)
        self.daemon.log.wait(r"debug: keys\[\d\]: starting -> running", mark)
        self.daemon.ctl("log", "info")


class TestLogLevelEnds(Case):
    def test_SE7_until_the_next_generation(self):
        b = self.keep(net.Backend("one"))
        d = self.start({"listen": ("127.0.0.1:%d" % free_port(),),
                        "upstreams": {"one": {"address": b.address}},
                        "fallback": "one", "log": {"level": "warning"},
                        "processes": {"worker": 1}})
        self.assertEqual(0, d.ctl("log", "debug").returncode)
        mark = d.log.mark()
        self.assertEqual(0, d.ctl("reload").returncode)
        for name in ("worker", "proxy one"):    # the last of the old level
            d.log.wait(name + r"\[0\]: starting -> running", mark)
        mark = d.log.mark()
        os.kill(d.pids("proxy")[0], signal.SIGKILL)
        d.log.wait("ended by signal 9", mark)
        poll(lambda: all(p["state"] == "running" for p in d.processes()))
        self.assertFalse([s for s in d.log.lines[mark:] if "debug" in s])


class TestDrain(Case):
    def conf(self):
        self.b = self.keep(net.Backend("one"))
        self.port = free_port()
        return {"listen": ("127.0.0.1:%d" % self.port,), "drain": 0.1,
                "upstreams": {"one": {"address": self.b.address}},
                "fallback": "one"}

    def test_SE8_drain_waits_for_sessions(self):
        d = self.start(self.conf())
        s = net.tcp(self.port)
        s.sendall(b"SSH-2.0-x\r\n")
        self.assertEqual(b"I am one\n", net.read_exactly(s, 9))
        d.remember()
        r = d.ctl("drain")
        self.assertEqual((0, "stopping, pid %d\n" % d.pid),
                         (r.returncode, r.stdout))
        poll(lambda: not d.pids("worker"))
        with self.assertRaises(ConnectionRefusedError):
            net.tcp(self.port)
        self.assertEqual("stopping", d.status()["state"])
        self.assertEqual(1, len(d.ask("sessions")["sessions"]))
        s.sendall(b"still")
        self.assertTrue(net.read_exactly(s, 16).endswith(b"still"))
        s.close()
        self.assertEqual(0, d.proc.wait(net.WAIT))
        d.assert_gone()

    def test_SE8_stop_after_drain_sets_the_limit(self):
        d = self.start(self.conf())
        s = net.tcp(self.port)
        s.sendall(b"SSH-2.0-x\r\n")
        net.read_exactly(s, 9)
        d.remember()
        self.assertEqual(0, d.ctl("drain").returncode)
        self.assertEqual(0, d.ctl("stop").returncode)
        self.assertEqual(0, d.proc.wait(net.WAIT))
        net.read_end(s)
        s.close()
        d.assert_gone()
