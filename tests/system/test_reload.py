"""Reload and upgrade: a new generation, or everything stays as it was."""

import os
import shutil
import signal
import ssl
import subprocess
import threading

import harness
import hello
import net
import proc
from harness import Case, free_port, poll


class ReloadCase(Case):
    def setUp(self):
        self.port = free_port()
        self.sink = net.Sink()
        self.addCleanup(self.sink.stop)
        _, self.ups = type(self).backends("one", "two")
        self.d = self.start(self.conf("one"))

    def conf(self, to, **more):
        return {"listen": ("127.0.0.1:%d" % self.port,),
                "upstreams": {**self.ups,
                              "sink": {"address": self.sink.address}},
                "routes": ({"sni": "sink.example", "to": "sink"},
                           {"sni": "a.example", "to": to}),
                "fallback": "close", **more}

    def write(self, conf):
        if not isinstance(conf, str):
            conf = self.d.complete(conf)
        harness.write_conf(self.d.conf_path, conf)

    def who(self, port=None):
        return net.who(port or self.port, hello.hello("a.example"))

    def pair(self):
        client = net.tcp(self.port)
        self.addCleanup(client.close)
        data = hello.hello("sink.example")
        client.sendall(data)
        backend = self.sink.accept()
        self.addCleanup(backend.close)
        self.assertEqual(data, net.read_exactly(backend, len(data)))
        return client, backend

    def echo(self, pair):
        for a, b in (pair, pair[::-1]):
            a.sendall(b"ping")
            self.assertEqual(b"ping", net.read_exactly(b, 4))

    def unchanged(self, before):
        """The daemon goes on with the processes it had."""
        self.assertEqual(before, self.d.pids())
        self.assertEqual("one", self.who())


class TestReload(ReloadCase):
    def test_RL1_new_rules_for_new_connections(self):
        old = self.pair()
        self.assertEqual("one", self.who())
        self.write(self.conf("two"))
        got = self.d.ask("reload")
        self.assertTrue(got["ok"], got)
        self.assertEqual("two", self.who())
        self.echo(old)

    def test_RL2_hangup_does_the_same(self):
        self.write(self.conf("two"))
        at = self.d.log.mark()
        os.kill(self.d.pid, signal.SIGHUP)
        self.d.log.wait("ready: generation [2-9]", at)
        self.assertEqual("two", self.who())

    def test_RL3_bad_file_changes_nothing(self):
        before = self.d.pids()
        cases = (self.conf("three"), "listen = (",
                 {**self.conf("one"), "no_such_key": 1},
                 self.conf("one", sites={"s": {
                     "names": ("s.example",), "root": "/nonexistent"}}))
        for conf in cases:
            self.write(conf)
            got = self.d.ask("reload")
            self.assertFalse(got["ok"])
            self.assertRegex(got["error"], r"l4mux\.conf:\d+: ")
            self.unchanged(before)
        os.unlink(self.d.conf_path)
        self.assertFalse(self.d.ask("reload")["ok"])
        self.unchanged(before)
        self.write(self.conf("two"))
        self.assertTrue(self.d.ask("reload")["ok"])

    def test_RL4_old_processes_end_when_idle(self):
        old = self.d.pids()[1:]
        self.assertTrue(self.d.ask("reload")["ok"])
        poll(lambda: not any(map(proc.alive, old)),
             why="old processes stay")
        poll(lambda: len(self.d.status()["generations"]) == 1,
             why="the old generation stays")

    def test_RL5_listener_comes_and_goes(self):
        other = free_port()
        conf = self.conf("one")
        self.write({**conf, "listen": (*conf["listen"],
                                       "127.0.0.1:%d" % other)})
        self.assertTrue(self.d.ask("reload")["ok"])
        self.assertEqual("one", self.who(other))
        self.write(conf)
        self.assertTrue(self.d.ask("reload")["ok"])
        self.assertEqual("one", self.who())

        poll(lambda: net.refused(other), why="a listener that is gone from the file accepts")

    def test_RL6_many_at_once_are_one_after_the_other(self):
        """Eight that master finds waiting are two reloads at most: the one
        that the first of them began, and one for all the rest."""
        proc.stop(self.d.pid)
        try:
            asked = [self.d.begin("reload") for _ in range(8)]
        finally:
            proc.go_on(self.d.pid)
        got = [self.d.answer(s) for s in asked]
        self.assertEqual([True] * 8, [g["ok"] for g in got])
        self.assertLessEqual({g["generation"] for g in got}, {2, 3})

    def test_RL7_no_connection_is_lost(self):
        lost, done = [], threading.Event()

        def load():
            while not done.is_set():
                name = self.who()
                if name not in ("one", "two"):
                    lost.append(name)
        threads = [threading.Thread(target=load) for _ in range(4)]
        for t in threads:
            t.start()
        for i in range(10):
            self.write(self.conf(("one", "two")[i % 2]))
            self.assertTrue(self.d.ask("reload")["ok"])
        done.set()
        for t in threads:
            t.join()
        self.assertEqual([], lost)

    def test_RL8_nothing_is_left_over(self):
        def rest():
            poll(lambda: len(self.d.status()["generations"]) == 1,
                 why="the old generation stays")
            return len(os.listdir("/proc/%d/fd" % self.d.pid))
        self.d.ask("reload")
        before = rest()
        for _ in range(10):
            self.assertTrue(self.d.ask("reload")["ok"])
        self.assertEqual(before, rest())
        self.assertEqual(len(self.d.pids()) - 1,
                         len(proc.children(self.d.pid)))


    def test_RL10_control_stays_where_it_is(self):
        """What was opened once: not even an upgrade moves it."""
        before = self.d.pids()
        self.write({**self.conf("two"), "control": self.d.dir + "/other"})
        for how in ("reload", "upgrade"):
            got = self.d.ask(how)
            self.assertFalse(got["ok"])
            self.assertIn("control does not change", got["error"])
            self.unchanged(before)

    def test_RL12_link_that_leads_elsewhere(self):
        dir = harness.workdir(self.mode)
        self.addCleanup(shutil.rmtree, dir, True)
        os.symlink("one.conf", dir + "/l4mux.conf")
        self.port = free_port()
        self.d = self.start(self.conf("one"), dir=dir)
        for how, to in (("reload", "two"), ("upgrade", "one")):
            harness.write_conf(dir + "/%s.conf" % to,
                               self.d.complete(self.conf(to)))
            os.symlink(to + ".conf", dir + "/new")
            os.rename(dir + "/new", dir + "/l4mux.conf")
            self.assertTrue(self.d.ask(how)["ok"])
            self.assertEqual(to, self.who())

    def backlog(self):
        """As the kernel has it."""
        r = subprocess.run(["ss", "-Hltn", "sport = :%d" % self.port],
                           capture_output=True, text=True, check=True)
        return int(r.stdout.split()[2])

    def test_RL11_options_of_a_kept_listener(self):
        address = "127.0.0.1:%d" % self.port
        conf = self.conf("one")
        for more in ({"backlog": 77, "defer_accept": True}, {"backlog": 78}):
            self.write({**conf, "listen": ({"address": address, **more},)})
            self.assertTrue(self.d.ask("reload")["ok"])
            self.assertEqual(more["backlog"], self.backlog())
            poll(lambda: len(self.d.status()["generations"]) == 1)
            before = self.d.counter("worker", "accepted")
            with net.tcp(self.port):    # silent: not worth a worker's time
                self.assertEqual("one", self.who())
                poll(lambda: self.d.counter("worker", "accepted") ==
                     before + (1 if "defer_accept" in more else 2))

    def test_RL9_self_signed_certificate_is_kept(self):
        def sites(*names):
            return {"s": {"names": names, "root": self.d.dir}}

        def certificate():
            return ssl.get_server_certificate(("127.0.0.1", self.port))
        conf = self.conf("one", fallback="s")
        self.write({**conf, "sites": sites("s.example")})
        self.assertTrue(self.d.ask("reload")["ok"])
        first = certificate()
        self.assertTrue(self.d.ask("reload")["ok"])
        self.assertEqual(first, certificate())
        self.write({**conf, "sites": sites("s.example", "t.example")})
        self.assertTrue(self.d.ask("reload")["ok"])
        self.assertNotEqual(first, certificate())


class TestUpgrade(ReloadCase):
    """The program is a copy of the built one, so that it can be replaced."""

    def setUp(self):
        self.binary = os.path.join(self.tree(), "sbin", "l4muxd")
        was, harness.L4MUXD = harness.L4MUXD, self.binary
        try:
            super().setUp()
        finally:
            harness.L4MUXD = was

    def replace(self, content):
        with open(self.binary + ".new", "wb") as f:
            f.write(content)
        os.chmod(self.binary + ".new", 0o755)
        os.rename(self.binary + ".new", self.binary)

    def test_P4_sessions_and_listeners_live_on(self):
        with open(self.binary, "rb") as f:
            self.replace(f.read())          # another inode
        old = self.pair()
        pid, first = self.d.pid, self.d.status()
        for i in range(3):
            self.write(self.conf(("two", "one")[i % 2]))
            got = self.d.ask("upgrade")
            self.assertTrue(got["ok"], got)
            self.assertEqual(("two", "one")[i % 2], self.who())
            self.echo(old)
        self.assertEqual(pid, self.d.status()["pid"])
        self.assertGreaterEqual(self.d.status()["uptime_s"],
                                first["uptime_s"])

    def test_P4_signal(self):
        self.write(self.conf("two"))
        at = self.d.log.mark()
        os.kill(self.d.pid, signal.SIGUSR2)
        self.d.log.wait("has taken over", at)
        self.d.log.wait("ready: generation [2-9]", at)
        self.assertEqual("two", self.who())

    def test_P4_bad_binary(self):
        with open(self.binary, "rb") as f:
            good = f.read()
        before = self.d.pids()
        with open("/bin/false", "rb") as f:
            false = f.read()
        for content in (false, good[:4096], good[:len(good) // 8], b"",
                        b"#!/bin/sh\necho l4mux-state 0\n"):
            self.replace(content)
            got = self.d.ask("upgrade")
            self.assertFalse(got["ok"])
            self.unchanged(before)
        os.unlink(self.binary)
        self.assertFalse(self.d.ask("upgrade")["ok"])
        self.unchanged(before)
        self.replace(good)
        self.assertTrue(self.d.ask("upgrade")["ok"])

    def test_P4_configuration_that_the_new_program_does_not_know(self):
        """It could not hold the old generation: it says so when asked."""
        for text, good in ((harness.conf_text(self.conf("one")), True),
                           ("nonsense = 1;\n", False), ("", False)):
            with open(self.d.dir + "/snapshot", "w+") as f:
                f.write(text)
                f.seek(0)
                r = subprocess.run([self.binary, "--upgrade-format"],
                                   stdin=f, capture_output=True, text=True)
            self.assertEqual(0 if good else 1, r.returncode, r.stderr)
            self.assertEqual(good, r.stdout.startswith("l4mux-state "))
            self.assertEqual(not good,
                             "configuration in force:" in r.stderr)

    def test_P4_bad_configuration(self):
        before = self.d.pids()
        self.write("listen = (")
        got = self.d.ask("upgrade")
        self.assertFalse(got["ok"])
        self.assertRegex(got["error"], r"l4mux\.conf:\d+: ")
        self.unchanged(before)
        self.write(self.conf("two"))
        self.assertTrue(self.d.ask("reload")["ok"])
        self.assertEqual("two", self.who())

    def test_P4_children_of_the_old_program_are_kept_alive(self):
        self.write("listen = (")
        self.assertFalse(self.d.ask("upgrade")["ok"])
        worker = self.d.pids("worker")[0]
        os.kill(worker, signal.SIGKILL)
        poll(lambda: self.d.pids("worker") and
             worker not in self.d.pids("worker") and
             all(p["state"] == "running" for p in self.d.processes()),
             why="the worker did not come back")
        self.assertEqual("one", self.who())
