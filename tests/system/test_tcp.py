"""TC*: what TCP does between client, worker, proxy and backend."""

import hashlib
import os
import socket
import struct
import subprocess
import threading
import time
import unittest

import hello
import net
from harness import Case, free_port, poll


def unacked(s):
    """Bytes that were sent and not acknowledged (SIOCOUTQ)."""
    import fcntl
    import termios
    raw = fcntl.ioctl(s.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    return struct.unpack("i", raw)[0]


class TcpCase(Case):
    timeout = 30.0
    extra = {}

    @classmethod
    def configure(cls):
        cls.port = free_port()
        cls.sink = cls.keep(net.Sink())
        cls.silent = cls.keep(net.Backend("silent"))
        return {
            "listen": ("127.0.0.1:%d" % cls.port,),
            "upstreams": {"sink": {"address": cls.sink.address, **cls.extra},
                          "silent": {"address": cls.silent.address}},
            "routes": ({"sni": "a.example", "to": "sink"},),
            "fallback": {"silent": "silent", "malformed": "reset"},
            "limits": {"hello_timeout": cls.timeout},
        }

    def pair(self, rcvbuf=None):
        """A client and the backend's end of its connection, past the
        hello."""
        data = hello.hello()
        client = net.tcp(self.port, rcvbuf=rcvbuf)
        self.addCleanup(client.close)
        client.sendall(data)
        backend = self.sink.accept()
        self.addCleanup(backend.close)
        self.assertEqual(data, net.read_exactly(backend, len(data)))
        return client, backend


class TestRelay(TcpCase):
    def test_TC7_both_ways_at_once(self):
        """16 MiB each way, compared by hash."""
        client, backend = self.pair()
        sums = {}

        def send(s, seed):
            block = hashlib.sha256(seed).digest() * 2048
            h = hashlib.sha256()
            for i in range(256):
                part = struct.pack(">I", i) + block[4:]
                h.update(part)
                s.sendall(part)
            s.shutdown(socket.SHUT_WR)
            sums[seed] = h.hexdigest()

        def receive(s, key):
            h = hashlib.sha256()
            while part := s.recv(1 << 18):
                h.update(part)
            sums[key] = h.hexdigest()
        threads = [threading.Thread(target=f, args=a) for f, a in (
            (send, (client, b"up")), (send, (backend, b"down")),
            (receive, (client, b"got down")),
            (receive, (backend, b"got up")))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sums[b"up"], sums[b"got up"])
        self.assertEqual(sums[b"down"], sums[b"got down"])

    def half_close(self, one, other):
        """FIN from one, then data from the other, then its FIN."""
        block = os.urandom(200_000)
        one.sendall(block)
        one.shutdown(socket.SHUT_WR)
        self.assertEqual((block, "fin"), net.read_end(other))
        sender = threading.Thread(target=other.sendall, args=(block * 5,))
        sender.start()
        self.assertEqual(block * 5, net.read_exactly(one, len(block) * 5))
        sender.join()
        other.shutdown(socket.SHUT_WR)
        self.assertEqual((b"", "fin"), net.read_end(one))

    def test_TC8_client_half_closes(self):
        client, backend = self.pair()
        self.half_close(client, backend)

    def test_TC8_backend_half_closes(self):
        client, backend = self.pair()
        self.half_close(backend, client)

    def stream(self, src, dst, mib):
        """MiB of data that src sends and dst receives, by hash."""
        sums = []

        def send():
            h = hashlib.sha256()
            for i in range(mib):
                part = struct.pack(">I", i) * (1 << 18)
                h.update(part)
                src.sendall(part)
            src.shutdown(socket.SHUT_WR)
            sums.append(h.hexdigest())
        t = threading.Thread(target=send)
        t.start()
        h = hashlib.sha256()
        while part := dst.recv(1 << 20):
            h.update(part)
        t.join()
        self.assertEqual(sums, [h.hexdigest()])

    def test_TC8_a_gibibyte_after_the_fin(self):
        mib = 1024 if self.mode == "root" else 64
        for near, far in ((0, 1), (1, 0)):
            legs = self.pair()
            legs[near].shutdown(socket.SHUT_WR)
            self.assertEqual((b"", "fin"), net.read_end(legs[far]))
            self.stream(legs[far], legs[near], mib)

    def test_TC8_fin_with_the_hello(self):
        data = hello.hello()
        with net.tcp(self.port) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            with self.sink.accept() as backend:
                self.assertEqual((data, "fin"), net.read_end(backend))
                backend.sendall(b"answer")
            self.assertEqual((b"answer", "fin"), net.read_end(client))

    def test_TC8_half_closed_costs_nothing(self):
        client, backend = self.pair()
        client.shutdown(socket.SHUT_WR)
        self.assertEqual((b"", "fin"), net.read_end(backend))
        before = self.daemon.cpu("proxy")
        began = time.monotonic()
        for i in range(20):             # some life the other way
            backend.sendall(b"x")
            self.assertEqual(b"x", client.recv(1))
            time.sleep(0.02)
        took = time.monotonic() - began
        self.assertLess(self.daemon.cpu("proxy") - before, 0.1 * took)

    def test_TC9_backend_resets(self):
        client, backend = self.pair()
        net.reset(backend)
        self.assertEqual((b"", "reset"), net.read_end(client))

    def test_TC9_client_resets(self):
        client, backend = self.pair()
        net.reset(client)
        self.assertEqual((b"", "reset"), net.read_end(backend))

    def test_TC9_reset_after_data(self):
        client, backend = self.pair()
        backend.sendall(b"some data")
        self.assertEqual(b"some data", net.read_exactly(client, 9))
        net.reset(backend)
        self.assertEqual((b"", "reset"), net.read_end(client))

    def test_TC9_reset_after_fin(self):
        client, backend = self.pair()
        client.shutdown(socket.SHUT_WR)
        self.assertEqual((b"", "fin"), net.read_end(backend))
        net.reset(backend)
        self.assertEqual((b"", "reset"), net.read_end(client))

    def test_TC9_backend_closes_with_data_unread(self):
        client, backend = self.pair()
        client.sendall(b"never read")
        poll(lambda: backend.recv(1, socket.MSG_PEEK))
        backend.close()
        self.assertEqual((b"", "reset"), net.read_end(client))

    def test_TC11_ping_pong_is_not_delayed(self):
        """With a Nagle or coalescing delay on either leg, most of 200 small
        turns would take 40 ms or more, whatever the machine does."""
        client, backend = self.pair()
        turns = []
        for i in range(200):
            began = time.monotonic()
            client.sendall(b"ping")
            self.assertEqual(b"ping", net.read_exactly(backend, 4))
            backend.sendall(b"po")
            backend.sendall(b"ng")
            self.assertEqual(b"pong", net.read_exactly(client, 4))
            turns.append(time.monotonic() - began)
        self.assertLess(sorted(turns)[50], 0.04)

    def test_TC11_backend_not_touched_before_the_route(self):
        """L8: no connect while the hello is partial, none for a probe."""
        data = hello.hello()
        with net.tcp(self.port) as client:
            client.sendall(data[:-1])
            self.assertFalse(self.sink.pending())
            client.sendall(data[-1:])
            self.sink.accept().close()

    def test_TC11_small_record_after_a_partial_hello(self):
        """SO_RCVLOWAT does not stay raised: one byte is seen at once."""
        data = hello.hello()
        with net.tcp(self.port) as client:
            poll(lambda: self.daemon.counter("worker", "undecided") == 1)
            client.sendall(data[:20])
            poll(lambda: unacked(client) == 0)
            time.sleep(0.1)             # the worker has looked at it
            client.sendall(data[20:])
            with self.sink.accept() as backend:
                self.assertEqual(data, net.read_exactly(backend, len(data)))
                client.sendall(b"1")
                self.assertEqual(b"1", backend.recv(10))

    def test_TC12_many_connections_add_up(self):
        pairs = [self.pair() for i in range(60)]
        for client, backend in pairs:
            client.sendall(b"x")
            self.assertEqual(b"x", backend.recv(1))
        live = sum(p["live"] for p in self.daemon.processes("proxy", "sink"))
        self.assertEqual(60, live)
        for client, backend in pairs:
            backend.close()
            self.assertEqual((b"", "fin"), net.read_end(client))
            client.close()
        self.daemon.assert_books()


class TestDeadline(TcpCase):
    timeout = 0.7

    def ends(self, s, began):
        self.assertEqual(b"I am silent\n", net.read_line(s))
        return time.monotonic() - began

    def test_TC1_silent_client(self):
        began = time.monotonic()
        with net.tcp(self.port) as s:
            self.assertGreater(self.ends(s, began), self.timeout - 0.05)

    def drip(self, s, data, every, done):
        for b in data:
            if done.wait(every):
                return
            try:
                s.send(bytes((b,)))
            except OSError:
                return

    def test_TC2_deadline_is_absolute(self):
        """A byte now and then does not move it."""
        done = threading.Event()
        data = hello.hello()
        self.assertGreater(len(data) * 0.1, 10 * self.timeout)
        with net.tcp(self.port) as s:
            t = threading.Thread(target=self.drip, args=(s, data, 0.1, done))
            began = time.monotonic()
            t.start()
            took = self.ends(s, began)
            done.set()
            t.join()
        # If each byte restarted it, this would be the whole hello's time.
        self.assertLess(took, len(data) * 0.1 / 2)

    def test_TC3_half_close_after_partial_hello(self):
        data = hello.hello()
        before = self.daemon.cpu("worker")
        for k in (1, 5, 50, len(data) - 1):
            with net.tcp(self.port) as s:
                s.sendall(data[:k])
                s.shutdown(socket.SHUT_WR)
                net.read_end(s)
        self.assertLess(self.daemon.cpu("worker") - before, 0.1)

    def test_TC4_reset_while_undecided(self):
        data = hello.hello()
        for k in (0, 1, 5, 50):
            s = net.tcp(self.port)
            s.sendall(data[:k])
            poll(lambda: unacked(s) == 0)
            net.reset(s)
        self.daemon.assert_books()

    def test_TC6_urgent_byte(self):
        """MSG_OOB is out of line: no hang, and no match by accident."""
        data = hello.hello()
        for at in (0, 3, 60):
            with net.tcp(self.port) as s:
                s.sendall(data[:at])
                s.send(b"!", socket.MSG_OOB)
                s.sendall(data[at:])
                s.shutdown(socket.SHUT_WR)
                if self.reached(s):
                    with self.sink.accept() as b:
                        got, _ = net.read_end(b)
                    self.assertIn(got, (data, data[:at] + b"!" + data[at:]))

    def reached(self, s):
        """Does the sink get it, before the client sees an end?"""
        import select
        r, _, _ = select.select([s, self.sink.sock], [], [], net.WAIT)
        self.assertTrue(r, "neither handed over nor ended")
        return self.sink.sock in r


class TestIdle(TcpCase):
    extra = {"idle_timeout": 0.7}

    def test_TC10_zero_window_client_ends(self):
        client, backend = self.pair(rcvbuf=4096)
        backend.settimeout(net.WAIT)
        block = bytes(65536)
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            while True:                 # until the daemon gives up
                backend.send(block)

    def test_TC10_zero_window_backend_ends(self):
        client, backend = self.pair()
        block = bytes(65536)
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            while True:
                client.send(block)

    def test_TC10_quiet_session_ends(self):
        client, backend = self.pair()
        net.read_end(client)
        net.read_end(backend)

    def test_TC10_traffic_keeps_it(self):
        for i in range(20):
            if self.lives_on():
                return
        self.fail("too slow")

    def lives_on(self):
        """A session in which a byte moves now and then; None when the
        machine made a pause that may have ended it."""
        client, backend = self.pair()
        last = began = time.monotonic()
        try:
            while last - began < 3 * 0.7:
                client.sendall(b"x")
                self.assertEqual(b"x", backend.recv(1))
                time.sleep(0.1)
                last, before = time.monotonic(), last
                if last - before > 0.5:
                    return None
        except (OSError, AssertionError):
            if time.monotonic() - last > 0.5:
                return None
            raise
        return True


class TestUpstreams(Case):
    """Backends that refuse, fail over, live on a UNIX socket."""

    @classmethod
    def configure(cls):
        cls.port = free_port()
        cls.hold, cls.dead = net.dead_address()
        cls.keep(type("Held", (), {"stop": cls.hold.close}))
        one = cls.keep(net.Backend("one"))
        two = cls.keep(net.Backend("two"))
        six = cls.keep(net.Backend("six", family=socket.AF_INET6))
        cls.one, cls.two = one, two
        return {
            "listen": ("127.0.0.1:%d" % cls.port,
                       "[::1]:%d" % cls.port),
            "upstreams": {
                "down": {"address": cls.dead},
                "over": {"address": [cls.dead, one.address]},
                "both": {"address": [one.address, two.address]},
                "six": {"address": six.address},
                "nowhere": {"address": "unix:/nonexistent/socket"},
            },
            "routes": tuple({"sni": "%s.example" % n, "to": n} for n in (
                "down", "over", "both", "six", "nowhere")),
            "fallback": "close",
        }

    def test_UP1_refused_backend_resets(self):
        for name in ("down", "nowhere"):
            self.assertEqual("reset", net.who(
                self.port, hello.hello(name + ".example"), fin=False))

    def test_UP2_fail_over(self):
        for i in range(6):
            self.assertEqual("one", net.who(
                self.port, hello.hello("over.example")))

    def test_UP3_round_robin(self):
        got = [net.who(self.port, hello.hello("both.example"))
               for i in range(10)]
        self.assertEqual({"one", "two"}, set(got))

    def test_UP4_ipv6_backend_and_client(self):
        self.assertEqual("six", net.who(
            self.port, hello.hello("six.example"), host="::1"))

    def test_UP5_counted(self):
        net.who(self.port, hello.hello("down.example"), fin=False)
        up = {u["name"]: u
              for u in self.daemon.ask("upstreams")["upstreams"]}
        self.assertGreaterEqual(up["down"]["failed"], 1)
        self.assertEqual("down", up["down"]["backends"][0]["state"])
        self.assertEqual(2, len(up["both"]["backends"]))


class TestHalfOpen(TcpCase):
    """TC5: connections that are never completed are the kernel's alone."""
    modes = ("root",)

    def syn(self, source, port):
        """A SYN (RFC 9293 3.1) with its IPv4 header."""
        src, dst = socket.inet_aton(source), socket.inet_aton("127.0.0.1")
        tcp = struct.pack(">HHIIBBHHH", port, self.port, 1, 0, 5 << 4, 2,
                          65535, 0, 0)
        data = src + dst + struct.pack(">BBH", 0, 6, len(tcp)) + tcp
        total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
        while total >> 16:
            total = (total & 0xffff) + (total >> 16)
        tcp = tcp[:16] + struct.pack(">H", ~total & 0xffff) + tcp[18:]
        return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64,
                           6, 0, src, dst) + tcp

    @unittest.skipUnless("OWN_NETWORK" in os.environ, "needs a network of "
                         "its own")
    def test_TC5_half_open_flood(self):
        # Addresses whose answers go nowhere.
        subprocess.run(["ip", "route", "replace", "192.0.2.0/24", "dev",
                        "lo"], check=True)
        before = self.daemon.counter("worker", "accepted")
        with socket.socket(socket.AF_INET, socket.SOCK_RAW,
                           socket.IPPROTO_RAW) as raw:
            for i in range(10000):
                raw.sendto(self.syn("192.0.2.%d" % (i % 250 + 1),
                                    1024 + i // 250), ("127.0.0.1", 0))
        left = subprocess.run(["ss", "-Htn", "state", "syn-recv"],
                              capture_output=True, text=True, check=True)
        self.assertGreater(len(left.stdout.splitlines()), 100)
        self.assertEqual(before, self.daemon.counter("worker", "accepted"))
        self.assertEqual(0, self.daemon.counter("worker", "undecided"))
        client, backend = self.pair()
        backend.sendall(b"answer")
        self.assertEqual(b"answer", net.read_exactly(client, 6))


class TestUnixUpstream(Case):
    def test_UP6_unix_backend(self):
        import tempfile
        import shutil
        path = tempfile.mkdtemp(prefix="l4mux-unix-")
        self.addCleanup(shutil.rmtree, path)
        os.chmod(path, 0o755)
        b = net.Backend("local", path=path + "/s")
        self.addCleanup(b.stop)
        port = free_port()
        d = self.start({"listen": ("127.0.0.1:%d" % port,),
                        "upstreams": {"u": {"address": b.address}},
                        "fallback": "u"})
        self.assertEqual("local", net.who(port, hello.hello()))
        d.assert_books()
