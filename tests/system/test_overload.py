"""P6, P7, P10, P11: more clients than there is room for."""

import os
import resource
import signal
import socket
import time
import unittest

import hello
import net
import proc
from harness import Case, free_port, poll


class OverloadCase(Case):
    """Each test has its own daemon, with one worker and one upstream."""

    def start_with(self, limits, **kwargs):
        self.port = free_port()
        backend = net.Backend("echo")
        self.addCleanup(backend.stop)
        self.d = self.start({
            "listen": ("127.0.0.1:%d" % self.port,),
            "processes": {"worker": 1},
            "upstreams": {"echo": {"address": backend.address}},
            "routes": ({"sni": "a.example", "to": "echo"},),
            "fallback": {"silent": "reset"},
            "limits": {"loop": 100000, **limits},
        }, **kwargs)
        self.worker = self.d.pids("worker")[0]

    def client(self, **kwargs):
        s = net.tcp(self.port, **kwargs)
        self.addCleanup(s.close)
        return s

    def clients(self, n, **kwargs):
        return [self.client(**kwargs) for i in range(n)]

    def count(self, key):
        return self.d.counter("worker", key)

    def await_count(self, key, n):
        poll(lambda: self.count(key) == n,
             why=lambda: "%s: %d, not %d" % (key, self.count(key), n))

    def served(self, s):
        """Does a hello on it reach the backend?"""
        try:
            s.sendall(hello.hello())
            return s.recv(1) != b""
        except ConnectionError:
            return False

    def assert_idle(self, seconds=1.0):
        """What is stuck costs nothing."""
        before = proc.cpu(self.worker)
        time.sleep(seconds)
        self.assertLess(proc.cpu(self.worker) - before, 0.05 * seconds)


class TestDescriptors(OverloadCase):
    modes = ("user",)       # root raises the limit for its children

    def test_P6_table_full(self):
        limit = (64, 64)
        self.start_with({"hello_timeout": 60.0}, preexec=lambda:
                        resource.setrlimit(resource.RLIMIT_NOFILE, limit))
        began = time.monotonic()
        silent = self.clients(200)
        poll(lambda: self.count("fd_full") > 2)
        self.assert_idle()
        # Some are told at once that there is no room.
        self.assertGreater(self.count("ended"), 0)
        complaints = [x for x in self.d.log.lines if "accept" in x]
        # One a second, however long it took.
        self.assertLessEqual(len(complaints),
                             2 + time.monotonic() - began)
        self.assertGreaterEqual(len(complaints), 1)
        for s in silent:
            s.close()
        self.assertTrue(self.served(self.client()))


class TestUndecided(OverloadCase):
    def test_P7_no_more_than_the_limit(self):
        self.start_with({"undecided": 20, "hello_timeout": 60.0})
        silent = self.clients(50)
        self.await_count("accepted", 50)
        self.assertEqual(20, self.count("undecided"))
        # Those who came first have made room; nobody keeps others waiting.
        for s in silent[:30]:
            self.assertEqual((b"", "reset"), net.read_end(s))
        self.assertTrue(self.served(self.client()))
        self.assertTrue(self.served(silent[-1]))

    def test_P7_memory_of_one_that_says_little(self):
        self.start_with({"undecided": 0, "hello_timeout": 60.0})
        part = hello.hello()[:60]
        for s in self.clients(300):
            s.sendall(part)
        self.await_count("undecided", 300)
        before = proc.rss_kib(self.worker)
        for s in self.clients(600):
            s.sendall(part)
        self.await_count("undecided", 900)
        self.assertLess(proc.rss_kib(self.worker) - before, 600)
        self.assert_idle(0.3)


class TestLimits(OverloadCase):
    def assert_refused(self):
        """A reset, which may be there before connect() has returned."""
        try:
            self.assertEqual((b"", "reset"), net.read_end(self.client()))
        except ConnectionResetError:
            pass

    def is_served(self, **kwargs):
        """Does a new client reach the backend?"""
        try:
            return self.served(self.client(**kwargs))
        except ConnectionResetError:
            return False

    def test_P10_per_address(self):
        self.start_with({"per_address": 3, "hello_timeout": 60.0})
        mark = self.d.log.mark()
        mine = self.clients(3)
        self.assert_refused()
        self.d.log.wait("reason=per_address", mark)
        self.assertTrue(self.is_served(source="127.0.0.2"))
        # Decided or not, relayed or not, they count until they end.
        self.assertTrue(all(map(self.served, mine)))
        self.assert_refused()
        mine[0].close()
        poll(self.is_served)
        self.assert_refused()

    def test_P10_dead_child_gives_back(self):
        self.start_with({"per_address": 3, "hello_timeout": 60.0})
        self.assertTrue(all(map(self.served, self.clients(3))))
        self.assert_refused()
        relay = self.d.pids("proxy")[0]
        os.kill(relay, signal.SIGKILL)
        poll(self.is_served)
        self.assertTrue(all(map(self.served, self.clients(2))))
        self.assert_refused()

    def test_P10_dead_worker_gives_back_its_own_only(self):
        self.start_with({"per_address": 3, "hello_timeout": 60.0})
        self.assertTrue(all(map(self.served, self.clients(2))))
        self.client()
        self.await_count("undecided", 1)
        os.kill(self.worker, signal.SIGKILL)
        poll(self.is_served)        # takes the place of the third
        self.assert_refused()

    def test_P10_rate(self):
        self.start_with({"rate_per_address": 0.001, "hello_timeout": 60.0})
        self.assertTrue(self.is_served())
        mark = self.d.log.mark()
        for i in range(5):
            self.assert_refused()
        self.d.log.wait("reason=rate_per_address", mark)
        self.assertTrue(self.is_served(source="127.0.0.2"))
        self.assertEqual(5, self.count("limited"))

    def test_P10_many_addresses(self):
        self.start_with({"per_address": 2, "hello_timeout": 60.0})
        for i in range(1, 301):
            src = "127.1.%d.%d" % (i // 250, i % 250 + 1)
            self.client(source=src)
        self.await_count("undecided", 300)
        self.assertEqual(0, self.count("limited"))

    def test_P11_connections(self):
        self.start_with({"connections": 10, "hello_timeout": 60.0})
        held = self.clients(10)
        for i in range(20):
            self.assert_refused()
        self.assertTrue(all(map(self.served, held)))
        for s in held:
            s.close()
        poll(self.is_served)

    def test_PP_the_address_of_the_header_counts(self):
        port = free_port()
        backend = net.Backend("echo")
        self.addCleanup(backend.stop)
        d = self.start({
            "listen": ({"address": "127.0.0.1:%d" % port,
                        "accept_proxy": ["127.0.0.0/8"]},),
            "upstreams": {"echo": {"address": backend.address}},
            "routes": ({"sni": "a.example", "to": "echo"},),
            "fallback": "reset", "limits": {"per_address": 1}})
        self.port = port
        line = "PROXY TCP4 192.0.2.%d 192.0.2.99 1000 443\r\n"
        for i in (1, 2):
            s = self.client()
            s.sendall((line % i).encode())
            self.assertTrue(self.served(s))
        s = self.client()
        s.sendall((line % 1).encode())
        self.assertFalse(self.served(s))
        self.assertEqual(1, d.counter("worker", "limited"))


class TestFullInbox(OverloadCase):
    def setUp(self):
        """Clients and backend are both in this process."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 8000:
            self.skipTest("RLIMIT_NOFILE is %d" % hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 8000), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE,
                        (soft, hard))

    def wait_for_the_stopped(self):
        self.start_with({"hello_timeout": 1.0})
        relay = self.d.pids("proxy")[0]
        proc.stop(relay)
        try:
            waiting = self.clients(2500)
            for s in waiting:
                s.sendall(hello.hello())
            poll(lambda: self.count("queued") > 0)
            self.assert_idle(0.3)
            poll(lambda: self.count("shed") > 0)
        finally:
            proc.go_on(relay)
        return waiting

    def test_P9_upstream_that_does_not_take(self):
        """A stopped proxy: wait, shed at the deadline, lose none that it
        was given, go on when it does."""
        for i in range(5):
            waiting = self.wait_for_the_stopped()
            # It is ended when it is stopped for too long: then again.
            if "does not answer" not in self.d.log.tail(1000):
                break
            for s in waiting:
                s.close()
            self.d.stop()
        kinds = {True: 0, False: 0}
        for s in waiting:
            try:
                kinds[s.recv(1) != b""] += 1
            except ConnectionResetError:
                kinds[False] += 1
        self.await_count("queued", 0)
        self.assertEqual(kinds[False], self.count("shed"))
        self.assertEqual(kinds[True], self.count("handed"))
        self.assertTrue(self.served(self.client()))


class TestWorkerEnds(OverloadCase):
    def test_P3_draining_decides_what_it_has(self):
        self.start_with({"hello_timeout": 4.0})
        data = hello.hello()
        half, silent = self.client(), self.client()
        half.sendall(data[:50])
        self.await_count("undecided", 2)
        os.kill(self.worker, signal.SIGTERM)
        half.sendall(data[50:])
        self.assertTrue(half.recv(1))
        self.assertEqual((b"", "reset"), net.read_end(silent))
        poll(lambda: not proc.alive(self.worker))
        self.assertTrue(self.served(self.client()))

    def test_P2_killed_worker_loses_no_queue(self):
        self.start_with({})
        proc.stop(self.worker)
        waiting = self.clients(100)
        for s in waiting:
            s.sendall(hello.hello())
        proc.end(self.worker)
        for s in waiting:
            self.assertNotEqual(b"", s.recv(1))


@unittest.skipUnless("OWN_NETWORK" in os.environ or os.geteuid() != 0,
                     "needs a network of its own")
class TestPorts(OverloadCase):
    """RE4: no port is left from which to connect to the upstream."""
    modes = ("root",)
    RANGE = "/proc/sys/net/ipv4/ip_local_port_range"

    def few_ports(self):
        with open(self.RANGE) as f:
            before = f.read()

        def put(text):
            with open(self.RANGE, "w") as f:
                f.write(text)
        put("61000 61063")
        self.addCleanup(put, before)

    def test_RE4_no_port_to_the_upstream(self):
        self.start_with({"hello_timeout": 60.0})
        self.few_ports()
        # From ports of their own, as clients elsewhere have.
        held, failed = [], 0
        for i in range(100):
            s = socket.socket()
            self.addCleanup(s.close)
            s.settimeout(net.WAIT)
            s.bind(("127.0.1.1", 40000 + i))
            s.connect(("127.0.0.1", self.port))
            if self.served(s):
                held.append(s)
            else:
                failed += 1
        self.assertEqual(64, len(held))
        self.assertEqual(36, failed)
        self.assertEqual(36, self.d.counter("proxy", "connect_failed"))
        held.pop().close()
        poll(self.is_served_from_elsewhere)

    def is_served_from_elsewhere(self):
        self.last = getattr(self, "last", 41000) + 1
        with socket.socket() as s:
            s.settimeout(net.WAIT)
            s.bind(("127.0.1.1", self.last))
            s.connect(("127.0.0.1", self.port))
            return self.served(s)
