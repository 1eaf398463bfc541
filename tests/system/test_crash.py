"""P1, PF*: every role dies, hangs, or does not come up, beside others."""

import os
import resource
import select
import signal

import harness
import hello
import net
import proc
from harness import Case, free_port, poll
from test_churn import ChurnCase

ROLES = ("worker", "proxy", "tlsterm", "keys")


class TestEveryRole(ChurnCase):
    """What dies takes its own connections with it, and no others."""

    processes = {"worker": 2, "tlsterm": 2, "keys": 2, "proxy": 2}

    def begin(self):
        echo = net.Backend("echo")
        self.addCleanup(echo.stop)
        self.d = super().begin(echo={"address": echo.address})
        self.held = {}          # {client address: (socket, its test)}

    def relayed(self):
        s = net.tcp(self.port)
        data = hello.hello("echo.example")
        s.sendall(data)
        net.read_exactly(s, len(b"I am echo\n") + len(data))

        def works():
            s.sendall(b"ping")
            return net.read_exactly(s, 4) == b"ping"
        return s, works

    def tls(self):
        s = net.tls(self.port, "s.example")

        def works():
            s.sendall(b"GET / HTTP/1.1\r\nHost: s.example\r\n\r\n")
            got = b""
            while b"<title>churn</title>\n" not in got:
                part = s.recv(4096)
                if not part:
                    return False
                got += part
            return True
        return s, works

    def undecided(self):
        s = net.tcp(self.port)
        s.sendall(b"\x16\x03")

        def works():
            s.setblocking(False)
            try:
                return s.recv(1) != b""
            except BlockingIOError:
                return True
            finally:
                s.settimeout(net.WAIT)
        return s, works

    def hold(self, n):
        """Some of each kind; what a test lost is made up for."""
        for make in (self.relayed, self.tls, self.undecided):
            while sum(kind == make.__name__
                      for _, _, kind in self.held.values()) < n:
                s, works = make()
                self.addCleanup(s.close)
                self.held["%s:%d" % s.getsockname()] = (
                    s, works, make.__name__)

    def owners(self):
        """{client address: pid} of those that are held."""
        def all_listed():
            rows = {r["client"]: r["pid"]
                    for r in self.d.ask("sessions")["sessions"]}
            return set(self.held) <= set(rows) and rows
        return poll(all_listed)

    def works(self, works):
        try:
            return works()
        except OSError:
            return False

    def kill(self, role, i):
        """One of the role; returns when it is there again."""
        p = [p for p in self.d.processes(role)
             if p["instance"] == i % 2 and p["name"] != "u"][0]
        owners = self.owners()
        os.kill(p["pid"], (signal.SIGKILL, signal.SIGSEGV)[i % 2])
        poll(lambda: [q for q in self.d.processes(role, p["name"])
                      if q["instance"] == p["instance"] and
                      q["pid"] not in (0, p["pid"]) and
                      q["state"] == "running"],
             why="%s did not come back" % role)
        lost = 0
        for client, (s, works, _) in list(self.held.items()):
            if owners[client] == p["pid"]:
                del self.held[client]
                s.close()
                lost += 1
            else:
                self.assertTrue(self.works(works), (role, client))
        return lost

    def test_P1_who_dies_takes_only_its_own(self):
        self.begin()
        asker = self.ask(500)
        lost = dict.fromkeys(ROLES, 0)
        for i in range(5):
            for role in ROLES:
                self.hold(8)
                lost[role] += self.kill(role, i)
        self.assertEqual(0, lost["keys"])
        for role in ("worker", "proxy", "tlsterm"):
            self.assertGreater(lost[role], 0, role)
        got = self.told(asker)
        # Those that were in its hands at that moment.
        self.assertLessEqual(set(got["errors"]), {
            "ECONNRESET", "EPIPE", "answer b''", "page b''"}, got)
        self.assertLess(sum(got["errors"].values()), 15 * 5, got)
        self.assertGreater(got["done"], 100, got)

    def test_P1_others_do_not_notice(self):
        """Those that ask have to do with neither of these."""
        self.begin()
        asker = self.ask(500)
        for i in range(5):
            self.kill("proxy", i)
            self.kill("keys", i)
        got = self.told(asker)
        self.assertEqual({}, got["errors"])
        self.assertGreater(got["done"], 100, got)

    def test_PF2_whoever_is_stopped_is_ended(self):
        self.begin()
        mark = self.d.log.mark()
        stopped = {}
        for role in ROLES:
            p = self.d.processes(role)[0]
            stopped[p["pid"]] = p
            proc.stop(p["pid"])
        for p in stopped.values():
            name = ("proxy %s" % p["name"] if p["role"] == "proxy" else
                    p["role"])
            self.d.log.wait(r"%s\[%d\]: does not answer" %
                            (name, p["instance"]), mark)
        poll(lambda: all(p["state"] == "running" and
                         p["pid"] not in stopped
                         for p in self.d.processes()))
        self.hold(2)
        for _, works, _ in self.held.values():
            self.assertTrue(works())


class TestStart(ChurnCase):
    modes = ("root",)       # it takes a minute

    def test_P4_a_child_that_hangs_at_its_start(self):
        """The reload fails, says why, and the next ones work."""
        d = self.begin()
        pids = d.pids()
        path = os.path.join(self.top, "libexec", "l4mux", "proxy")
        os.rename(path, path + ".good")
        with open(path, "w") as f:
            f.write("#!/bin/sh\nexec /bin/sleep 1000\n")
        os.chmod(path, 0o755)
        asked = d.begin("reload")
        asked.settimeout(120)
        got = d.answer(asked)
        self.assertFalse(got["ok"])
        self.assertIn("proxy u[0] was not ready in 60 seconds", got["error"])
        poll(lambda: d.pids() == pids, why=lambda: d.processes())
        os.rename(path + ".good", path)
        self.assertTrue(d.ask("reload")["ok"])
        poll(lambda: len(d.status()["generations"]) == 1)


class TestFewDescriptors(ChurnCase):
    """P6: a reload that lacks descriptors, at whatever step, fails alone."""

    modes = ("root",)       # who else may set the limit of another process

    def test_P6_reload_with_a_full_table(self):
        d = self.begin()
        limit = resource.prlimit(d.pid, resource.RLIMIT_NOFILE)
        reasons, well = set(), 0
        for more in range(1, 200):
            poll(lambda: len(d.status()["generations"]) == 1)
            pids = d.pids()
            asked = d.connect()
            d.status()          # it is accepted by now
            resource.prlimit(d.pid, resource.RLIMIT_NOFILE, (
                max(proc.fds(d.pid)) + more, limit[1]))
            asked.sendall(b"reload\n" if more % 2 else b"upgrade\n")
            got = d.answer(asked)
            resource.prlimit(d.pid, resource.RLIMIT_NOFILE, limit)
            if got["ok"]:
                well += 1
                if well == 4:       # there is room for all of it
                    break
            else:
                reasons.add(got["error"])
                poll(lambda: d.pids() == pids, why=lambda: d.processes())
            self.assertEqual(d.pid, d.status()["pid"])
        # At the configuration, at certificates, at the processes.
        self.assertGreater(len(reasons), 5)
        poll(lambda: len(d.status()["generations"]) == 1)
        self.assertTrue(d.ask("reload")["ok"])
        asker = self.ask(200)
        poll(lambda: d.counter("worker", "accepted") > 20)
        self.assertEqual({}, self.told(asker)["errors"])


class TestEnd(Case):
    def asked_binary(self, d):
        """The process that is asked whether it could take over, stopped."""
        for pid in proc.children(d.pid):
            try:
                with open("/proc/%d/cmdline" % pid, "rb") as f:
                    if b"--upgrade-format" in f.read():
                        proc.stop(pid)
                        return proc.alive(pid) and pid
            except (FileNotFoundError, ProcessLookupError):
                pass
        return None

    def test_PF10_stop_during_an_upgrade(self):
        """It is not forgotten when the answer comes late."""
        port = free_port()
        sink = net.Sink()
        self.addCleanup(sink.stop)
        # It takes a while to load.
        rules = tuple({"sni": "n%d.example" % i, "to": "u"}
                      for i in range(30000))
        d = self.start({
            "listen": ("127.0.0.1:%d" % port,), "routes": rules,
            "upstreams": {"u": {"address": sink.address}},
            "fallback": "u", "processes": {"worker": 1}, "drain": 600.0})
        with net.tcp(port) as client:
            client.sendall(hello.hello("a.example"))
            backend = sink.accept()
            for i in range(20):
                with d.begin("upgrade") as asked:
                    pid = None
                    while pid is None and not select.select(
                            [asked], [], [], 0)[0]:
                        pid = self.asked_binary(d)
                    if pid:
                        break
            self.assertTrue(pid, "it was always faster")
            os.kill(d.pid, signal.SIGTERM)
            mark = d.log.mark()
            poll(lambda: d.status()["state"] == "stopping")
            proc.go_on(pid)
            d.log.wait("upgrade: the daemon was told to stop", mark)
            d.remember()
            backend.close()
        self.assertEqual(0, d.proc.wait(net.WAIT), d.log.tail())
        d.assert_gone()

    def test_PF10_the_last_generation_ends_before_an_older_one(self):
        """Nobody is left to have new ticket keys, and master goes on."""
        port = free_port()
        sink = net.Sink()
        self.addCleanup(sink.stop)
        root = harness.workdir(self.mode)
        self.addCleanup(os.rmdir, root)
        d = self.start({
            "listen": ("127.0.0.1:%d" % port,), "drain": 600.0,
            "sites": {"s": {"names": ("s.example",), "root": root}},
            "upstreams": {"sink": {"address": sink.address,
                                   "drain": 600.0}},
            "routes": ({"sni": "a.example", "to": "sink"},),
            "fallback": "close", "tls": {"tickets": 1.0}})
        client = net.tcp(port)
        self.addCleanup(client.close)
        client.sendall(hello.hello("a.example"))
        backend = sink.accept()
        self.addCleanup(backend.close)
        self.assertTrue(d.ask("reload")["ok"])
        mark = d.log.mark()
        self.assertTrue(d.ask("stop")["ok"])
        d.log.wait("stopping", mark)
        poll(lambda: d.ask("status").get("error") == "stopping",
             why="the last generation does not end")
        # Longer than a key lives.
        with self.assertRaises(TimeoutError):
            client.settimeout(1.5)
            client.recv(1)
        self.assertEqual("stopping", d.ask("status")["error"])
        d.remember()
        backend.close()
        client.close()
        self.assertEqual(0, d.proc.wait(net.WAIT))
        d.assert_gone()
