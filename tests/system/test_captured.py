"""Processes that were taken over: what they can do to the others."""

import os
import shutil
import signal
import subprocess
import time

import harness
import hello
import net
import proc
from harness import Case, free_port, poll

CAPTURED = os.path.join(harness.BUILD, "tests", "captured")
MASTER_SHOTS = 23       # shoot_master()
KEYS_SHOTS = 14         # shoot_keys()
ACME_SHOTS = 15         # shoot_own() of acme


class CapturedCase(Case):
    def programs(self):
        """A daemon of its own, whose children can be exchanged."""
        top = self.tree()
        self.libexec = top + "/libexec/l4mux"
        self.root = top + "/root"
        os.mkdir(self.root)
        with open(self.root + "/index.html", "w") as f:
            f.write("hello\n")
        return top + "/sbin/l4muxd"

    def put(self, role, dir):
        """The next process of this role is the one of dir."""
        path = os.path.join(self.libexec, role)
        shutil.copy(os.path.join(dir, role), path + ".new")
        os.rename(path + ".new", path)

    def begin(self, role, metrics=False, **processes):
        binary = self.programs()
        self.put(role, CAPTURED)
        self.port = free_port()
        up = net.Backend("one")
        two = net.Backend("two")
        self.addCleanup(up.stop)
        self.addCleanup(two.stop)
        self.daemon = CapturedDaemon(binary, {
            "listen": ("127.0.0.1:%d" % self.port,),
            "sites": {"s": {"names": ["s.example"], "root": self.root}},
            "upstreams": {"one": {"address": up.address},
                          "two": {"address": two.address}},
            "routes": ({"sni": "one.example", "to": "one"},
                       {"sni": "two.example", "to": "two"}),
            "fallback": "s",
            "processes": {"worker": 1, "tlsterm": 1, "keys": 2, **processes},
            **({"metrics": "127.0.0.1:%d" % free_port()} if metrics else {}),
        }, self.mode)
        self.addCleanup(self.daemon.kill_if_running)
        return self.daemon

    def unleash(self, role):
        for pid in self.daemon.pids(role):
            os.kill(pid, signal.SIGUSR1)

    def innocents(self, role):
        return {(p["role"], p["name"], p["instance"]):
                (p["pid"], len(proc.fds(p["pid"])))
                for p in [q for q in self.daemon.processes()
                          if q["role"] != role] +
                [{"role": "master", "name": "", "instance": 0,
                  "pid": self.daemon.pid}]}

    def put_back(self, role):
        """The real ones again, in place of all the captured."""
        self.put(role, os.path.join(harness.BUILD, "libexec/l4mux"))
        old = set(self.daemon.pids(role))
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        poll(lambda: self.all_run(role) and
             not old & set(self.daemon.pids(role)),
             why="the real ones do not come up")

    def all_run(self, role):
        return all(p["state"] == "running"
                   for p in self.daemon.processes(role))

    def works(self):
        for name in ("one", "two"):
            self.assertEqual(name, net.who(
                self.port, hello.hello(name + ".example")))
        for i in range(4):
            with net.tls(self.port, "s.example") as s:
                s.sendall(b"GET / HTTP/1.1\r\nHost: s.example\r\n"
                          b"Connection: close\r\n\r\n")
                self.assertIn(b"\r\n\r\nhello\n", net.read_end(s)[0])

    def unharmed(self, before, role):
        """The same processes, with no more descriptors than before; a proxy
        may keep some pipes, and master what the real ones log to."""
        def harmed():
            after = self.innocents(role)
            return [(k, (pid, fds), after.get(k))
                    for k, (pid, fds) in before.items()
                    if k not in after or after[k][0] != pid or
                    after[k][1] > fds + (8 if k[0] == "proxy" else 0)]
        # the last connections may be about to end
        poll(lambda: not harmed(), why=lambda: "harmed: %s" % harmed())

    def restarts(self, role):
        return {p["instance"]: p["restarts"]
                for p in self.daemon.processes(role)}


class CapturedDaemon(harness.Daemon):
    def __init__(self, binary, conf, mode):
        saved, harness.L4MUXD = harness.L4MUXD, binary
        try:
            super().__init__(conf, mode)
        finally:
            harness.L4MUXD = saved

    def kill_if_running(self):
        if self.proc.poll() is None:
            self.kill()


class TestCapturedWorker(CapturedCase):
    def test_P14_nobody_minds_a_captured_worker(self):
        """Malformed records, wrong, missing and surplus descriptors."""
        d = self.begin("worker", worker=1 + MASTER_SHOTS)
        before = self.innocents("worker")
        self.unleash("worker")
        poll(lambda: d.processes("worker")[0]["counters"]["shed"],
             seconds=60, why="it is not through with it")
        shots = d.processes("worker")[0]["counters"]["limited"]
        self.assertGreater(shots, 3 * 250)

        def refused():
            return (d.counter("tlsterm", "ipc_bad") +
                    d.counter("proxy", "ipc_bad"))
        poll(lambda: refused() >= shots, seconds=60,
             why=lambda: "%d of %d were counted" % (refused(), shots))
        self.assertEqual(shots, refused())
        # each inbox got one message with more descriptors than fit
        self.assertEqual(3, d.counter("tlsterm", "ipc_lost") +
                         d.counter("proxy", "ipc_lost"))
        self.assertEqual(0, d.counter("tlsterm", "received") +
                         d.counter("proxy", "received"))
        # who bothered master had to go, once; the others did not
        want = {i: int(i > 0) for i in range(1 + MASTER_SHOTS)}
        poll(lambda: self.restarts("worker") == want and
             self.all_run("worker"),
             why=lambda: "restarts: %s" % self.restarts("worker"))
        # but for the empty packet: it looks as if the worker had left
        self.assertEqual(MASTER_SHOTS - 1, sum(
            "sent what it may not send" in s for s in d.log.lines))
        self.put_back("worker")
        self.works()
        self.unharmed(before, "worker")
        d.stop()


class TestCapturedTlsterm(CapturedCase):
    def test_P15_keys_accuses_a_captured_tlsterm(self):
        """Whatever it asks for, keys signs nothing and does not fall."""
        n = KEYS_SHOTS + 3
        d = self.begin("tlsterm", tlsterm=n)
        before = self.innocents("tlsterm")
        self.unleash("tlsterm")
        want = {i: 1 for i in range(n)}
        poll(lambda: self.restarts("tlsterm") == want and
             self.all_run("tlsterm"), seconds=60,
             why=lambda: "restarts: %s" % self.restarts("tlsterm"))
        accused = [s for s in d.log.lines if "asked keys to sign" in s]
        self.assertEqual(KEYS_SHOTS, len(accused), accused)
        self.assertEqual(0, d.counter("keys", "signed"))
        # two from each, and the two that were no part of a handshake
        poll(lambda: d.counter("keys", "sign_refused") == 2 * KEYS_SHOTS + 2,
             why=lambda: "refused: %d" % d.counter("keys", "sign_refused"))
        self.assertEqual(KEYS_SHOTS - 2, d.counter("keys", "ipc_bad"))
        self.put_back("tlsterm")
        self.works()
        self.assertGreater(d.counter("keys", "signed"), 0)
        self.unharmed(before, "tlsterm")
        d.stop()


class TestCapturedAcme(CapturedCase):
    modes = ("root",)

    def test_P14_nobody_minds_a_captured_acme(self):
        """Every message that acme may not send ends it, and no more."""
        binary = self.programs()
        self.put("acme", CAPTURED)
        port = free_port()
        for i in range(ACME_SHOTS + MASTER_SHOTS):
            with self.subTest(shot=i):
                d = CapturedDaemon(binary, {
                    "listen": ("127.0.0.1:%d" % port,),
                    "sites": {"s": {"names": ["s.example"],
                                    "root": self.root}},
                    "fallback": "s",
                    "processes": {"worker": 1, "tlsterm": 1, "keys": 1},
                    "acme": {"agree_to_terms": True, "directory":
                             "https://127.0.0.1:1/%d" % i}}, self.mode)
                try:
                    d.log.wait("certificate s: .*(failure 1;|acme ended)",
                               seconds=30)
                    (c,) = d.ask("certificates")["certificates"]
                    self.assertTrue(c["self_signed"])
                    self.assertEqual([], d.processes("acme"))
                    with net.tls(port, "s.example"):
                        pass
                    self.assertEqual([], os.listdir(
                        os.path.join(d.dir, "state", "certs")))
                finally:
                    d.stop()


class TestCapturedMetrics(CapturedCase):
    ASKED = 20000

    def test_P14_metrics_that_never_stops_asking(self):
        """It gets a few documents a second, and master has time for all."""
        d = self.begin("metrics", metrics=True)
        before = self.innocents("metrics")
        began = time.monotonic()
        self.unleash("metrics")
        poll(lambda: d.counter("metrics", "turned_away") >= self.ASKED,
             seconds=60, why="it does not ask")
        got = d.counter("metrics", "answered")
        # four a second of one kind, one of the other, and the first of both
        self.assertLessEqual(got, 5 * (time.monotonic() - began) + 2)
        self.assertGreater(got, 0)
        self.works()
        self.unleash("metrics")
        poll(lambda: self.restarts("metrics") == {0: 1} and
             self.all_run("metrics"))
        self.assertEqual(1, sum("metrics[0]: sent what it may not send" in s
                                for s in d.log.lines))
        self.put_back("metrics")
        self.works()
        self.unharmed(before, "metrics")
        d.stop()
