"""PF*, P*: processes that die, stop, and start in a strange world."""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time

import harness
import hello
import net
import proc
from harness import Case, free_port, poll


class FaultCase(Case):
    workers = 2

    @classmethod
    def configure(cls):
        cls.port = free_port()
        cls.sink = cls.keep(net.Sink())
        _, ups = cls.backends("one", "two")
        return {
            "listen": ("127.0.0.1:%d" % cls.port,),
            "upstreams": {**ups, "sink": {"address": cls.sink.address}},
            "routes": tuple({"sni": n + ".example", "to": n}
                            for n in ("one", "two", "sink")),
            "fallback": "close",
            "processes": {"worker": cls.workers},
        }

    def who(self, name="one"):
        return net.who(self.port, hello.hello(name + ".example"))

    def pair(self):
        data = hello.hello("sink.example")
        client = net.tcp(self.port)
        self.addCleanup(client.close)
        client.sendall(data)
        backend = self.sink.accept()
        self.addCleanup(backend.close)
        self.assertEqual(data, net.read_exactly(backend, len(data)))
        return client, backend

    def kill(self, role, name=None, sig=signal.SIGKILL):
        """Kills the first of a role; waits until another is running."""
        p = self.daemon.processes(role, name)[0]
        os.kill(p["pid"], sig)
        poll(lambda: [q for q in self.daemon.processes(role, p["name"])
                      if q["instance"] == p["instance"] and
                      q["pid"] not in (0, p["pid"]) and
                      q["state"] == "running"],
             why="%s did not come back" % role)
        return p


class TestFaults(FaultCase):
    def test_PF2_stopped_worker_is_ended(self):
        """Others take what comes; the one that is stopped is ended."""
        p = self.daemon.processes("worker")[0]
        at = self.daemon.log.mark()
        proc.stop(p["pid"])
        for i in range(20):
            self.assertEqual("one", self.who())
        self.daemon.log.wait(r"worker\[%d\]: does not answer" %
                             p["instance"], at)
        poll(lambda: [q for q in self.daemon.processes("worker")
                      if q["instance"] == p["instance"] and
                      q["pid"] not in (0, p["pid"]) and
                      q["state"] == "running"],
             why="the worker did not come back")
        self.assertEqual("one", self.who())

    def test_D006_only_workers_yield(self):
        """A worker that wakes preempts nobody; a proxy may."""
        for role, want in (("worker", os.SCHED_BATCH),
                           ("proxy", os.SCHED_OTHER)):
            for p in self.daemon.processes(role):
                self.assertEqual(want, os.sched_getscheduler(p["pid"]), role)

    def test_PF1_each_role_comes_back(self):
        for role, name in (("worker", None), ("proxy", "one")):
            for sig, how in ((signal.SIGKILL, "signal 9"),
                             (signal.SIGSEGV, "signal 11"),
                             (signal.SIGABRT, "signal 6"),
                             (signal.SIGSYS, "signal 31")):
                p = self.kill(role, name, sig)
                q, = [q for q in self.daemon.processes(role, p["name"])
                      if q["instance"] == p["instance"]]
                self.assertEqual(p["restarts"] + 1, q["restarts"])
                self.assertEqual(how, q["last_exit"])
                self.assertEqual("one", self.who())

    def test_PF1_other_upstreams_do_not_notice(self):
        client, backend = self.pair()
        for i in range(3):
            self.kill("proxy", "one")
            self.kill("worker")
        client.sendall(b"still")
        self.assertEqual(b"still", net.read_exactly(backend, 5))
        self.assertEqual("two", self.who("two"))
        backend.close()
        self.assertEqual((b"", "fin"), net.read_end(client))

    def test_PF1_sessions_of_the_dead_end(self):
        client, backend = self.pair()
        self.kill("proxy", "sink")
        net.read_end(client)
        net.read_end(backend)
        self.assertEqual(0, sum(
            p["live"] for p in self.daemon.processes("proxy", "sink")))
        sink, = [u for u in self.daemon.ask("upstreams")["upstreams"]
                 if u["name"] == "sink"]
        self.assertEqual([0], [b["live"] for b in sink["backends"]])

    def test_PF1_counters_survive(self):
        self.who()
        before = sum(p["total"] for p in
                     self.daemon.processes("proxy", "one"))
        self.assertGreater(before, 0)
        self.kill("proxy", "one")
        after = sum(p["total"] for p in
                    self.daemon.processes("proxy", "one"))
        self.assertEqual(before, after)

    def stop_all(self, role):
        pids = self.daemon.pids(role)
        for pid in pids:
            proc.stop(pid)
        return pids

    def test_P2_queue_survives_all_workers(self):
        """Connections that no worker accepted yet wait for the next."""
        pids = self.stop_all("worker")
        clients = []
        for i in range(100):
            s = net.tcp(self.port)
            s.sendall(hello.hello("one.example"))
            clients.append(s)
        for pid in pids:
            proc.end(pid)
        for s in clients:
            self.assertEqual(b"I am one\n", net.read_line(s))
            s.close()

    def test_P2_inbox_survives_its_proxy(self):
        """Handed over and not yet received: the next proxy gets it."""
        pid, = self.stop_all_named("two")
        clients = []
        for i in range(40):
            s = net.tcp(self.port)
            s.sendall(hello.hello("two.example"))
            clients.append(s)
        poll(lambda: self.daemon.counter("worker", "undecided") == 0)
        proc.end(pid)
        for s in clients:
            self.assertEqual(b"I am two\n", net.read_line(s))
            s.close()

    def stop_all_named(self, name):
        pids = self.daemon.pids("proxy", name)
        for pid in pids:
            proc.stop(pid)
        return pids

    def test_PF2_one_stopped_worker(self):
        """The others take all that is new."""
        pid = self.daemon.pids("worker")[0]
        proc.stop(pid)
        try:
            for i in range(50):
                self.assertEqual("one", self.who())
        finally:
            proc.go_on(pid)

    def test_P14_what_children_hold(self):
        """Only what their role needs: descriptors, root, threads."""
        for p in self.daemon.processes():
            if p["role"] == "master":
                continue
            fds = proc.fds(p["pid"])
            self.assertEqual("/dev/null", fds[0])
            self.assertEqual("/dev/null", fds[1])
            self.assertTrue(fds[3].startswith("socket:"))
            files = [f for f in fds.values() if f.startswith("/") and
                     not f.startswith(("/dev/null", "/memfd:"))]
            self.assertEqual([], files, p["role"])
            self.assertEqual("1", proc.status(p["pid"], "Threads"))
            if self.mode == "root":
                root = os.readlink("/proc/%d/root" % p["pid"])
                self.assertNotEqual("/", root)
                self.assertEqual([], os.listdir("/proc/%d/root" % p["pid"]))

    def test_P5_no_descriptor_is_lost(self):
        def count():
            return {p["pid"]: len(proc.fds(p["pid"]))
                    for p in self.daemon.processes()}
        for i in range(20):
            self.who()
        self.daemon.assert_books()
        before = count()
        for i in range(300):
            self.who("two" if i % 2 else "one")
            net.exchange(self.port, hello.hello("nobody.example"))
            net.exchange(self.port, hello.hello()[:60])
        self.daemon.assert_books()
        after = count()
        self.assertEqual(set(before), set(after))
        # A proxy may keep pipes for the next.
        worse = {k: (before[k], after[k]) for k in after
                 if after[k] > before[k] + 16}
        self.assertEqual({}, worse)


class TestMany(FaultCase):
    def test_P1_load_while_children_die(self):
        """Only connections of what is killed may break."""
        done = threading.Event()
        bad = []

        def load():
            while not done.is_set():
                try:
                    got = self.who("two")
                    if got != "two":
                        bad.append(got)
                except (OSError, AssertionError) as e:
                    bad.append(repr(e))
        threads = [threading.Thread(target=load) for i in range(4)]
        for t in threads:
            t.start()
        for i in range(10):
            self.kill("proxy", "one")
        done.set()
        for t in threads:
            t.join()
        self.assertEqual([], bad)


class TestSignals(Case):
    def conf(self):
        self.port = free_port()
        self.sink = net.Sink()
        self.addCleanup(self.sink.stop)
        return {"listen": ("127.0.0.1:%d" % self.port,),
                "upstreams": {"sink": {"address": self.sink.address}},
                "fallback": "sink", "drain": 20.0}

    def session(self):
        client = net.tcp(self.port)
        client.sendall(b"hello")
        backend = self.sink.accept()
        self.addCleanup(client.close)
        self.addCleanup(backend.close)
        self.assertEqual(b"hello", net.read_exactly(backend, 5))
        return client, backend

    def test_PF10_term_int_and_idle(self):
        for sig in (signal.SIGTERM, signal.SIGINT):
            d = self.start(self.conf())
            d.stop(sig)

    def test_PF10_term_lets_sessions_end(self):
        d = self.start(self.conf())
        client, backend = self.session()
        mark = d.log.mark()
        os.kill(d.pid, signal.SIGTERM)
        d.log.wait("stopping", mark)
        poll(lambda: net.refused(self.port), why="still taking connections")
        client.sendall(b"more")
        self.assertEqual(b"more", net.read_exactly(backend, 4))
        self.assertIsNone(d.proc.poll())
        backend.close()
        self.assertEqual((b"", "fin"), net.read_end(client))
        client.close()
        poll(lambda: self.exited(d), why="it does not end")
        self.assertEqual(0, d.proc.returncode)

    def exited(self, d):
        """What refused() got in with is a session too, and has to end."""
        while self.sink.pending():
            self.sink.accept().close()
        return d.proc.poll() is not None

    def test_PF10_second_term_is_at_once(self):
        d = self.start(self.conf())
        client, backend = self.session()
        d.remember()
        mark = d.log.mark()
        os.kill(d.pid, signal.SIGTERM)
        d.log.wait("stopping", mark)
        self.assertIsNone(d.proc.poll())
        os.kill(d.pid, signal.SIGTERM)
        self.assertEqual(0, d.proc.wait(net.WAIT))
        d.assert_gone()
        net.read_end(client)

    def test_PF8_death_of_the_master(self):
        """Children do not outlive it for long."""
        d = self.start(self.conf())
        d.remember()
        os.kill(d.pid, signal.SIGKILL)
        d.proc.wait(net.WAIT)
        poll(lambda: not any(map(proc.alive, d.children)),
             why="children are left")

    def test_PF3_background(self):
        """Without -d the starter exits when all is ready, and says so."""
        port = free_port()
        b = net.Backend("one")
        self.addCleanup(b.stop)
        dir = harness.workdir(self.mode)
        self.addCleanup(subprocess.run, ["rm", "-rf", dir])
        conf = {"listen": ("127.0.0.1:%d" % port,), "fallback": "one",
                "upstreams": {"one": {"address": b.address}},
                "control": dir + "/ctl.sock", "state": dir,
                "users": harness.USERS}
        path = dir + "/l4mux.conf"
        harness.write_conf(path, conf)
        with open(dir + "/log", "w") as log:
            r = subprocess.run([*harness.as_user(self.mode), harness.L4MUXD,
                                "-f", path], stdin=subprocess.DEVNULL,
                               stdout=log, stderr=log, timeout=net.WAIT)
        with open(dir + "/log") as log:
            self.assertEqual(0, r.returncode, log.read())
        self.assertEqual("one", net.who(port, b"hi"))
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(dir + "/ctl.sock")
            s.sendall(b"stop\n")
            pid = int(re.search(rb'"pid":(\d+)', net.read_end(s)[0])[1])
        poll(lambda: not proc.alive(pid), why="it did not stop")

    def test_PF3_background_failure_is_told(self):
        dir = harness.workdir(self.mode)
        self.addCleanup(subprocess.run, ["rm", "-rf", dir])
        with net.listener() as s:
            conf = {"listen": ("127.0.0.1:%d" % s.getsockname()[1],),
                    "upstreams": {"one": {"address": "127.0.0.1:9"}},
                    "fallback": "one", "control": dir + "/ctl.sock",
                    "state": dir, "users": harness.USERS}
            path = dir + "/l4mux.conf"
            harness.write_conf(path, conf)
            r = subprocess.run([*harness.as_user(self.mode), harness.L4MUXD,
                                "-f", path], stdin=subprocess.DEVNULL,
                               capture_output=True, text=True,
                               timeout=net.WAIT)
        self.assertEqual(1, r.returncode)
        self.assertIn("in use", r.stderr)


class TestStrangeStart(Case):
    """PF6: whatever starts the daemon, it works or says clearly why not."""

    def conf(self):
        self.port = free_port()
        b = net.Backend("one")
        self.addCleanup(b.stop)
        return {"listen": ("127.0.0.1:%d" % self.port,),
                "upstreams": {"one": {"address": b.address}},
                "fallback": "one", "processes": {"worker": 1}}

    def works(self, **kwargs):
        d = self.start(self.conf(), **kwargs)
        for i in range(5):
            self.assertEqual("one", net.who(self.port, b"x" * 10))
        return d

    def test_PF6_no_standard_descriptors(self):
        def close_all():
            os.close(0)
            os.close(1)
        self.works(preexec=close_all)

    def test_PF6_signals_blocked_and_ignored(self):
        def block():
            for s in (signal.SIGPIPE, signal.SIGCHLD, signal.SIGHUP):
                signal.signal(s, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
        d = self.works(preexec=block)
        pid = d.pids("worker")[0]
        os.kill(pid, signal.SIGKILL)
        poll(lambda: [p for p in d.pids("worker") if p not in (0, pid)])
        self.assertEqual("one", net.who(self.port, b"x"))

    def test_PF6_inherited_descriptors_stay_outside(self):
        r, w = os.pipe()
        secret = os.open("/etc/passwd", os.O_RDONLY)
        extra = [os.dup(r) for i in range(20)]
        pipe = os.readlink("/proc/self/fd/%d" % r)
        d = self.works(pass_fds=(r, secret, *extra))
        for fd in (r, w, secret, *extra):
            os.close(fd)
        for p in d.processes():
            if p["role"] == "master":
                continue
            held = proc.fds(p["pid"]).values()
            self.assertNotIn(pipe, held)
            self.assertNotIn("/etc/passwd", held)

    def test_PF6_few_descriptors(self):
        """It serves with 64, or refuses to start with a reason."""
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        try:
            self.works(preexec=limit)
        except AssertionError as e:
            self.assertRegex(str(e), r"(?s)exited 1:\n.*l4muxd")

    def test_PF6_large_environment(self):
        big = {"X%d" % i: "y" * 100_000 for i in range(15)}
        d = self.works(env=big)
        for p in d.processes():
            if p["role"] != "master":
                with open("/proc/%d/environ" % p["pid"], "rb") as f:
                    self.assertNotIn(b"yyyy", f.read())

    def test_PF6_umask_and_directory(self):
        def odd():
            os.umask(0o777)
        d = self.works(preexec=odd)
        self.assertEqual(0o660, os.stat(d.control).st_mode & 0o777)

    def test_PF6_environment_turns_nothing_off(self):
        odd = {"LD_PRELOAD": "/nonexistent.so", "MALLOC_PERTURB_": "165",
               "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
               "OPENSSL_CONF": "/nonexistent", "TZ": ":/etc/passwd",
               "LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"}
        d = self.works(env=odd)
        for p in d.processes("worker"):
            self.assertIn("seccomp", p["mechanisms"])


class TestCrashLoop(Case):
    """PF4, P20: a role whose program always fails."""

    def replace(self, path, by):
        shutil.copy(by, path + ".new")
        os.rename(path + ".new", path)

    def test_PF4_pauses_and_recovers(self):
        port = free_port()
        _, ups = self.backends("one", "two")
        dir = self.tree()
        d = self.start({"listen": ("127.0.0.1:%d" % port,),
                        "upstreams": ups, "fallback": "one",
                        "routes": ({"sni": "two.example", "to": "two"},)},
                       binary=dir + "/sbin/l4muxd")
        proxy = dir + "/libexec/l4mux/proxy"
        self.replace(proxy, "/bin/false")
        os.kill(d.pids("proxy", "two")[0], signal.SIGKILL)
        poll(lambda: d.status()["state"] == "degraded",
             why="not degraded")
        self.assertTrue([w for w in d.status()["warnings"] if "two" in w])
        two, = d.processes("proxy", "two")
        self.assertEqual("exit 1", two["last_exit"])
        # The other upstream is served, and nobody is busy.
        before = sum(map(proc.cpu, (d.pid, *d.pids("worker"))))
        began = time.monotonic()
        held = net.tcp(port)
        held.sendall(hello.hello("two.example"))
        while time.monotonic() - began < 1:
            self.assertEqual("one", net.who(port, b"x" * 100))
            time.sleep(0.05)
        used = sum(map(proc.cpu, (d.pid, *d.pids("worker")))) - before
        self.assertLess(used, 0.25 * (time.monotonic() - began))
        self.assertLess(d.processes("proxy", "two")[0]["restarts"], 30)
        # What was handed over meanwhile is waiting for a proxy that works.
        self.replace(proxy, os.path.join(harness.BUILD, "libexec", "l4mux",
                                         "proxy"))
        self.assertEqual(b"I am two\n", net.read_line(held))
        held.close()
        d.assert_books()


class TestHandedDown(Case):
    def test_PF9_sockets_handed_down(self):
        """LISTEN_FDS: a blocking socket, as systemd has it, and one that
        the configuration does not name."""
        b = net.Backend("one")
        self.addCleanup(b.stop)
        ours, other = (socket.socket() for i in range(2))
        for s in (ours, other):
            s.bind(("127.0.0.1", 0))
            s.listen(64)
        port = ours.getsockname()[1]
        script = ('exec 3<&%d 4<&%d; LISTEN_FDS=2 LISTEN_PID=$$; '
                  'export LISTEN_FDS LISTEN_PID; exec "$@"' %
                  (ours.fileno(), other.fileno()))
        d = self.start({"listen": ("127.0.0.1:%d" % port,),
                        "upstreams": {"one": {"address": b.address}},
                        "routes": ({"sni": "one.example", "to": "one"},),
                        "fallback": "close", "processes": {"worker": 2}},
                       wrap=("bash", "-c", script, "bash"),
                       pass_fds=(ours.fileno(), other.fileno()))
        ours.close()
        other.close()
        for i in range(20):
            self.assertEqual("one", net.who(port,
                                            hello.hello("one.example")))
        for p in d.processes():
            if p["role"] != "master":
                with open("/proc/%d/environ" % p["pid"], "rb") as f:
                    self.assertNotIn(b"LISTEN_", f.read())


class TestDescriptorsFull(Case):
    """P6: a full table is no spin, and ends when it ends."""
    modes = ("root",)

    def test_P6_more_connections_than_descriptors(self):
        port = free_port()
        b = net.Backend("one")
        self.addCleanup(b.stop)

        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (96, 96))
        d = self.start({"listen": ("127.0.0.1:%d" % port,),
                        "upstreams": {"one": {"address": b.address}},
                        "routes": ({"sni": "one.example", "to": "one"},),
                        "fallback": "close",
                        "limits": {"hello_timeout": 3.0},
                        "processes": {"worker": 1}}, preexec=limit)
        held = [net.tcp(port) for i in range(300)]
        before = d.cpu("worker")
        for s in held:      # all end: at the deadline, or shed before it
            net.read_end(s)
            s.close()
        self.assertLess(d.cpu("worker") - before, 1.0)
        poll(lambda: net.who(port, hello.hello("one.example")) == "one",
             why="did not recover")


class TestNotify(Case):
    def test_PF11_reload_signal_goes_on(self):
        """SIGHUP with a broken file changes nothing but the log."""
        port = free_port()
        b = net.Backend("one")
        self.addCleanup(b.stop)
        d = self.start({"listen": ("127.0.0.1:%d" % port,),
                        "upstreams": {"one": {"address": b.address}},
                        "fallback": "one"})
        with open(d.conf_path, "a") as f:
            f.write("nonsense = 1;\n")
        mark = d.log.mark()
        os.kill(d.pid, signal.SIGHUP)
        line = d.log.wait("nonsense", mark)
        self.assertRegex(line, r"l4mux\.conf:\d+: ")
        self.assertEqual("one", net.who(port, b"x"))
        self.assertEqual("running", d.status()["state"])
