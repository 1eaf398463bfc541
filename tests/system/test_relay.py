"""The proxy alone, with this test as its master, worker, client, backend."""

import errno
import hashlib
import os
import random
import resource
import select
import shutil
import socket
import tempfile
import threading
import unittest

import net
import proc
import relay
from harness import poll

MIB = 1024 * 1024


class RelayCase(unittest.TestCase):
    def proxy(self, address, **upstream):
        options = {k: upstream.pop(k) for k in ("nofile", "limits")
                   if k in upstream}
        p = relay.Proxy({"address": address, **upstream}, **options)
        self.addCleanup(p.end)
        return p

    def sink(self, **kwargs):
        s = net.Sink(**kwargs)
        self.addCleanup(s.stop)
        return s

    def backend(self, name="b", **kwargs):
        b = net.Backend(name, **kwargs)
        self.addCleanup(b.stop)
        return b

    def dead(self):
        s, address = net.dead_address()
        self.addCleanup(s.close)
        return address

    def full(self):
        """An address that never answers: its queue is full."""
        s = self.sink(backlog=0)
        for i in range(4):
            c = socket.socket()
            c.setblocking(False)
            self.addCleanup(c.close)
            c.connect_ex(s.sock.getsockname())
        return s.address

    def directory(self):
        d = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, d)
        return d

    def pair(self, p, sink, **kwargs):
        client = p.client(**kwargs)
        self.addCleanup(client.close)
        backend = sink.accept()
        self.addCleanup(backend.close)
        return client, backend

    def ask(self, p, **kwargs):
        """Which backend answers, or how it ends."""
        with p.client(**kwargs) as c:
            try:
                c.shutdown(socket.SHUT_WR)
            except OSError as e:        # the reset was faster
                self.assertEqual(errno.ENOTCONN, e.errno)
            got, end = net.read_end(c)
        return got.decode().strip()[5:] or end


class TestBytes(RelayCase):
    def carry(self, one, other, size, pace):
        """size random bytes, compared by hash; pace(n) after each part."""
        want, got = hashlib.sha256(), hashlib.sha256()
        rnd = random.Random(size)
        block = rnd.randbytes(256 * 1024)

        def send():
            left = size
            while left > 0:
                part = block[:min(left, rnd.randrange(1, len(block)))]
                want.update(part)
                one.sendall(part)
                left -= len(part)
            one.shutdown(socket.SHUT_WR)
        sender = threading.Thread(target=send)
        sender.start()
        n = 0
        while part := other.recv(pace(n)):
            got.update(part)
            n += len(part)
        sender.join()
        self.assertEqual(size, n)
        self.assertEqual(want.digest(), got.digest())

    def both(self, p, sink, size, pace):
        client, backend = self.pair(p, sink)
        self.carry(client, backend, size, pace)
        self.carry(backend, client, size, pace)

    def test_BY1_sizes(self):
        sink = self.sink()
        p = self.proxy(sink.address)
        for size in (0, 1, 4095, 65535, 65536, 65537, 300000):
            self.both(p, sink, size, lambda n: 65536)

    def test_BY2_bulk_is_spliced(self):
        sink = self.sink()
        p = self.proxy(sink.address)
        self.both(p, sink, 40 * MIB, lambda n: MIB)
        self.assertEqual(2, p.stat("spliced"))

    def test_BY3_slow_readers(self):
        """Small receive buffers and small reads: every path that waits."""
        sink = self.sink(rcvbuf=4096)
        p = self.proxy(sink.address)
        rnd = random.Random(3)
        self.both(p, sink, 3 * MIB, lambda n: rnd.choice((1, 100, 9000)))

    def test_BY4_bulk_to_a_unix_socket(self):
        sink = self.sink(path=self.directory() + "/s")
        p = self.proxy(sink.address)
        self.both(p, sink, 10 * MIB, lambda n: 65536)

    def test_BY5_blocking_client_is_copied(self):
        """A socket that would block us in splice(2) is not spliced."""
        sink = self.sink()
        p = self.proxy(sink.address)
        client, conn = relay.connected_pair()
        conn.setblocking(True)
        with client, conn:
            p.give([conn.fileno()])
            with sink.accept() as backend:
                self.carry(client, backend, 4 * MIB, lambda n: MIB)
        self.assertEqual(0, p.stat("spliced"))

    def test_BY6_without_pipes(self):
        """No descriptors for pipes: bytes are copied."""
        sink = self.sink()
        p = self.proxy(sink.address, nofile=64)
        client, backend = self.pair(p, sink)
        used = len(proc.fds(p.proc.pid))
        resource.prlimit(p.proc.pid, resource.RLIMIT_NOFILE, (used, 64))
        self.carry(client, backend, 4 * MIB, lambda n: MIB)

    def test_BY7_urgent_byte_in_bulk(self):
        """TC6: a mark in the stream neither hangs nor cuts it."""
        sink = self.sink()
        p = self.proxy(sink.address)
        client, backend = self.pair(p, sink)
        half = random.Random(7).randbytes(4 * MIB)

        def send():
            client.sendall(half)
            client.send(b"!", socket.MSG_OOB)
            client.sendall(half)
            client.shutdown(socket.SHUT_WR)
        sender = threading.Thread(target=send)
        sender.start()
        got, end = net.read_end(backend)
        sender.join()
        self.assertEqual("fin", end)
        self.assertIn(got, (half + half, half + b"!" + half))

    def test_BY8_bulk_starves_nobody(self):
        """Turns of a small session while another moves all it can."""
        sink = self.sink()
        p = self.proxy(sink.address)
        big, big_end = self.pair(p, sink)
        small, small_end = self.pair(p, sink)
        stop = threading.Event()

        def send():
            while not stop.is_set():
                big.sendall(bytes(MIB))
            big.shutdown(socket.SHUT_WR)

        def drain():
            while big_end.recv(MIB):
                pass
        threads = [threading.Thread(target=t) for t in (send, drain)]
        for t in threads:
            t.start()
        try:
            poll(lambda: p.stat("spliced") == 1)
            for i in range(100):
                small.sendall(b"x")
                self.assertEqual(b"x", small_end.recv(1))
        finally:
            stop.set()
            for t in threads:
                t.join()

    def test_BY9_reset_brings_what_came_before(self):
        """Data and RST that arrive together: both go on, in order."""
        sink = self.sink()
        p = self.proxy(sink.address)
        for i in range(30):
            client, backend = self.pair(p, sink)
            backend.send(b"last words")
            net.reset(backend)
            self.assertEqual((b"last words", "reset"), net.read_end(client))
            client.close()

    def test_BY9_last_words_of_who_cannot_be_sent_to(self):
        """The proxy learns of the reset by sending, before its event."""
        sink = self.sink()
        p = self.proxy(sink.address)
        for i in range(10):
            client, backend = self.pair(p, sink)
            proc.stop(p.proc.pid)
            client.send(b"more")        # is ready first, and read first
            backend.send(b"last words")
            net.reset(backend)
            proc.go_on(p.proc.pid)
            self.assertEqual((b"last words", "reset"), net.read_end(client))
            client.close()


class TestLimits(RelayCase):
    def test_LM1_max_connections(self):
        sink = self.sink()
        p = self.proxy(sink.address, max_connections=2)
        pairs = [self.pair(p, sink) for i in range(2)]
        self.assertEqual("reset", self.ask(p))
        self.assertEqual(1, p.stat("refused"))
        p.log.wait("reason=max_connections .*end=refused")
        pairs[0][0].close()
        pairs[0][1].close()
        poll(lambda: p.stat("live") == 1)
        self.pair(p, sink)

    def test_LM2_loop_guard(self):
        """L17: unanswered connections of this very host."""
        sink = self.sink()
        p = self.proxy(sink.address, limits={"loop": 3})
        pairs = [self.pair(p, sink, same_host=True) for i in range(3)]
        self.assertEqual("reset", self.ask(p, same_host=True))
        p.log.wait("connect back to l4mux")
        p.log.wait("end=loop")
        self.pair(p, sink)              # from elsewhere: no matter
        pairs[0][1].sendall(b"answer")
        self.assertEqual(b"answer", pairs[0][0].recv(10))
        self.pair(p, sink, same_host=True)

    def test_LM3_descriptors(self):
        """RE1: it stops taking when it has none left, and goes on."""
        sink = self.sink()
        p = self.proxy(sink.address, nofile=128)
        clients = [p.client() for i in range(100)]
        ends = []
        poll(lambda: p.stat("connected") > 20)
        before = proc.cpu(p.proc.pid)
        while len(ends) < 100:
            ends.append(sink.accept())
            ends[-1].close()
            clients.pop(0).close()
        poll(lambda: p.stat("ended") == 100)
        self.assertEqual(100, p.stat("connected"))
        self.assertEqual(0, p.stat("ipc_lost"))
        self.assertLess(proc.cpu(p.proc.pid) - before, 1.0)

    def test_LM4_table_full_in_a_message(self):
        """RE1: a message that finds no descriptor is lost and counted."""
        sink = self.sink()
        p = self.proxy(sink.address)
        used = len(proc.fds(p.proc.pid))
        resource.prlimit(p.proc.pid, resource.RLIMIT_NOFILE, (used, 4096))
        with p.client() as c:
            self.assertIn(net.read_end(c)[1], ("fin", "reset"))
        poll(lambda: p.stat("ipc_lost") == 1)
        resource.prlimit(p.proc.pid, resource.RLIMIT_NOFILE, (4096, 4096))
        self.pair(p, sink)


class TestTime(RelayCase):
    def test_TI10_keepalive(self):
        """L14, on the client's leg, seen through our copy of it."""
        sink = self.sink()
        p = self.proxy(sink.address, keepalive=1.0)
        client, conn = relay.connected_pair()
        with client, conn:
            p.give([conn.fileno()])
            with sink.accept():
                poll(lambda: conn.getsockopt(socket.SOL_SOCKET,
                                             socket.SO_KEEPALIVE))
                poll(lambda: conn.getsockopt(
                    socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 5)
                self.assertEqual(1, conn.getsockopt(
                    socket.IPPROTO_TCP, socket.TCP_KEEPIDLE))
                self.assertEqual(30, conn.getsockopt(
                    socket.IPPROTO_TCP, socket.TCP_KEEPINTVL))

    def test_TI11_idle(self):
        sink = self.sink()
        p = self.proxy(sink.address, idle_timeout=0.4)
        client, backend = self.pair(p, sink)
        self.assertEqual((b"", "fin"), net.read_end(client))
        self.assertEqual((b"", "fin"), net.read_end(backend))
        p.log.wait("end=idle")

    def test_TI12_one_side_stops_reading(self):
        """TC10: although the other direction goes on."""
        sink = self.sink()
        p = self.proxy(sink.address, idle_timeout=0.5)
        client, backend = self.pair(p, sink)
        backend.settimeout(0.01)
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            while True:
                client.sendall(b"alive")
                try:
                    backend.send(bytes(65536))
                except TimeoutError:
                    pass
        p.log.wait("end=idle")

    def test_TI13_no_idle_limit_costs_nothing(self):
        sink = self.sink()
        p = self.proxy(sink.address, keepalive=0.0)
        client, backend = self.pair(p, sink)
        client.shutdown(socket.SHUT_WR)
        self.assertEqual((b"", "fin"), net.read_end(backend))
        before = proc.cpu(p.proc.pid)
        self.assertFalse(select.select([client], [], [], 0.5)[0])
        self.assertLess(proc.cpu(p.proc.pid) - before, 0.05)


class TestDrain(RelayCase):
    def test_DR1_ends_with_the_last_session(self):
        sink = self.sink()
        p = self.proxy(sink.address)
        client, backend = self.pair(p, sink)
        p.drain()
        client.sendall(b"still here")
        self.assertEqual(b"still here", net.read_exactly(backend, 10))
        client.close()
        backend.close()
        self.assertEqual(0, p.proc.wait(net.WAIT))

    def test_DR2_after_its_seconds(self):
        sink = self.sink()
        p = self.proxy(sink.address, drain=0.3)
        client, backend = self.pair(p, sink)
        p.drain()
        self.assertEqual((b"", "reset"), net.read_end(client))
        self.assertEqual(0, p.proc.wait(net.WAIT))
        p.log.wait("end=drain")


class TestMessages(RelayCase):
    """What a worker gone bad could send: refused whole, closed, counted."""

    def setUp(self):
        self.target = self.backend()
        self.p = self.proxy(self.target.address)

    def refused(self, fds, records, count=None):
        before = self.p.stat("ipc_bad")
        self.p.give(fds, records, count)
        poll(lambda: self.p.stat("ipc_bad") == before + 1)
        self.assertEqual("b", self.ask(self.p))

    def refused_with(self, records, count=None):
        client, conn = relay.connected_pair()
        with client:
            with conn:
                self.refused([conn.fileno()], records, count)
            self.assertIn(net.read_end(client), ((b"", "fin"),
                                                 (b"", "reset")))

    def test_IP1_count(self):
        good = relay.record()
        self.refused_with([good], 0)
        self.refused_with([good], 2)
        self.refused_with([good, good], 1)
        self.refused([], [good])

    def test_IP2_fields(self):
        good = relay.record()
        for bad in (good[:-1], good + b"x", b"", relay.record(index=7),
                    relay.record(kind=2), relay.record(kind=99),
                    relay.record(listener=9), relay.record(reason=9),
                    relay.record(proto=200), relay.record(sni="x" * 300)):
            self.refused_with([bad])

    def test_IP3_descriptors(self):
        r, w = os.pipe()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dgram, \
                socket.create_server(("127.0.0.1", 0)) as listening, \
                open("/dev/null") as null:
            for fd in (r, dgram.fileno(), listening.fileno(),
                       null.fileno()):
                self.refused([fd], [relay.record()])
        os.close(r)
        os.close(w)

    def test_IP4_version_and_type(self):
        for raw in (relay.message("conn", b"\0", version=9), b"short",
                    relay.message("sign", b"\0")):
            before = self.p.stat("ipc_bad")
            self.p.inbox.send(raw)
            poll(lambda: self.p.stat("ipc_bad") == before + 1)
        self.assertEqual("b", self.ask(self.p))

    def test_IP5_batch(self):
        pairs = [relay.connected_pair() for i in range(16)]
        self.p.give([c.fileno() for _, c in pairs],
                    [relay.record(ident=i) for i in range(16)])
        for client, conn in pairs:
            conn.close()
            client.shutdown(socket.SHUT_WR)
            self.assertEqual((b"I am b\n", "fin"), net.read_end(client))
            client.close()

    def test_IP6_unix_client(self):
        """An end of a socket pair, as the site's process sends."""
        a, b = socket.socketpair()
        with a:
            with b:
                b.setblocking(False)
                self.p.give([b.fileno()], [relay.record(peer=None)])
            a.sendall(b"x")
            a.shutdown(socket.SHUT_WR)
            self.assertEqual((b"I am b\nx", "fin"), net.read_end(a))
