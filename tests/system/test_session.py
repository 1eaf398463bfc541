"""Live sessions that one proxy process hands to another: both ends of that."""

import os
import random
import select
import socket
import struct
import time

import net
import proc
import relay
from harness import poll
from test_relay import RelayCase


def received(ancillary):
    """The descriptors of a message."""
    return [fd for _, _, raw in ancillary for fd in
            struct.unpack("%di" % (len(raw) // 4), raw)]


class TestSessions(RelayCase):
    """A live session comes from another process, or goes to one."""

    def setUp(self):
        self.p = self.proxy(self.backend().address)

    def ends(self):
        """Client and upstream: (ours, theirs) of each."""
        pairs = [relay.connected_pair() for _ in range(2)]
        for end in sum(pairs, ()):
            self.addCleanup(end.close)
        return pairs

    def pipe(self, data=b""):
        ends = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for fd in ends:
            self.addCleanup(os.close, fd)
        if data:
            os.write(ends[1], data)
        return ends

    def give(self, extra=(), **kwargs):
        """A session of two new connections: our ends of them."""
        (client, c), (up, u) = self.ends()
        self.p.give_session([c.fileno(), u.fileno(), *extra],
                            relay.session(**kwargs))
        c.close()
        u.close()
        return client, up

    def test_HO1_relays_on(self):
        for n in range(20):
            client, up = self.give(ident=n)
            for a, b in ((client, up), (up, client)):
                a.sendall(b"hello")
                self.assertEqual(b"hello", net.read_exactly(b, 5))
            client.close()
            self.assertEqual((b"", "fin"), net.read_end(up))
            up.close()
        line = self.p.log.wait("id=19 .*end=fin")
        self.assertRegex(line, "listen=old:443 .*reason=route:9 "
                         "sni=a.example alpn=h2 in=5 out=5")
        self.assertEqual(20, self.p.stat("taken_over"))
        self.assertEqual(0, self.p.stat("received"))

    def test_HO2_what_was_on_its_way_comes_first(self):
        for held, flags, sizes in (
                (relay.HELD_BUF, 0, (1, 4096, 65536)),
                (relay.HELD_PIPE, relay.BULK, (1, 65536))):
            for size in sizes:
                up_data = random.Random(size).randbytes(size)
                down_data = up_data[::-1]
                client, up = self.give(
                    [*self.pipe(up_data), *self.pipe(down_data)],
                    client=relay.leg(size, 0, flags, held, size),
                    upstream=relay.leg(size, 0, flags, held, size))
                client.sendall(b"then")
                client.shutdown(socket.SHUT_WR)
                up.sendall(b"more")
                up.shutdown(socket.SHUT_WR)
                self.assertEqual((up_data + b"then", "fin"),
                                 net.read_end(up))
                self.assertEqual((down_data + b"more", "fin"),
                                 net.read_end(client))
                line = self.p.log.wait("in=%d " % (size + 4))
                self.assertIn(" out=%d " % (size + 4), line)

    def test_HO3_half_closed(self):
        for part in (relay.EOF, relay.EOF | relay.DONE):
            (client, c), (up, u) = self.ends()
            client.shutdown(socket.SHUT_WR)
            poll(lambda: select.select([c], [], [], 0)[0])
            if part & relay.DONE:
                u.shutdown(socket.SHUT_WR)
            self.p.give_session([c.fileno(), u.fileno()],
                                relay.session(relay.leg(flags=part)))
            c.close()
            u.close()
            self.assertEqual(b"", up.recv(1))
            up.sendall(b"answer")
            self.assertEqual(b"answer", net.read_exactly(client, 6))
            up.close()
            self.assertEqual((b"", "fin"), net.read_end(client))

    def test_HO4_stamps_of_the_future(self):
        """The other process' turn may have begun after ours did."""
        p = self.p = self.proxy(self.sink().address, idle_timeout=5.0)
        (client, up) = self.give(
            active=time.monotonic_ns() + 10**9,
            client=relay.leg(stuck=(time.monotonic_ns() // 10**6 + 1000) %
                             2**32, moved=1, held=relay.HELD_BUF, size=1),
            extra=self.pipe(b"x"))
        self.assertEqual(b"x", up.recv(1))
        client.sendall(b"y")
        self.assertEqual(b"y", up.recv(1))
        self.assertEqual(1, p.stat("live"))

    def refused(self, payload, extra=(), first=None):
        (client, c), (up, u) = self.ends()
        before = self.p.stat("ipc_bad")
        self.p.give_session([*(first or (c.fileno(), u.fileno())), *extra],
                            payload)
        c.close()
        u.close()
        poll(lambda: self.p.stat("ipc_bad") == before + 1)
        if first is None:
            for end in client, up:
                self.assertIn(net.read_end(end), ((b"", "fin"),
                                                  (b"", "reset")))

    def test_HO5_malformed(self):
        good = relay.session()
        for payload in (
                good[:-1], good + b"x", b"", b"\1", relay.session(version=2),
                relay.session(proto=200), relay.session(flags=0x80),
                relay.session(listen="x" * 300), relay.session(sni="a\0b"),
                relay.session(relay.leg(flags=0x1000)),
                relay.session(relay.leg(flags=relay.DONE)),
                relay.session(relay.leg(held=3)),
                relay.session(*[relay.leg(flags=relay.EOF | relay.DONE)] * 2)):
            self.refused(payload)
        self.assertEqual(0, self.p.stat("taken_over"))

    def test_HO6_descriptors(self):
        """Number, kind, and what is in them."""
        full = self.pipe(b"12345")
        buf = relay.session(relay.leg(5, held=relay.HELD_BUF, size=5))
        six = relay.session(relay.leg(6, held=relay.HELD_PIPE, size=6))
        a, b = socket.socketpair()
        with a, b, socket.create_server(("127.0.0.1", 0)) as listening, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dgram, \
                open("/dev/null") as null:
            self.refused(relay.session(), full)
            self.refused(buf)
            self.refused(buf, full[:1])
            self.refused(buf, full[::-1])
            self.refused(buf, (full[0], full[0]))
            self.refused(buf, (full[0], self.pipe()[1]))
            self.refused(buf, (full[0], null.fileno()))
            self.refused(buf, (a.fileno(), b.fileno()))
            self.refused(buf, self.pipe())
            self.refused(buf, self.pipe(b"123456"))
            self.refused(buf, (*full, *self.pipe(b"12345")))
            self.refused(six, full)
            for fd in dgram, listening, null:
                self.refused(relay.session(), (),
                             (fd.fileno(), a.fileno()))
                self.refused(relay.session(), (),
                             (a.fileno(), fd.fileno()))
            self.refused(relay.session(), (), full)
            self.refused(relay.session(), (), full[:1])
        before = len(os.listdir("/proc/%d/fd" % self.p.proc.pid))
        self.refused(relay.session(), full)
        self.assertEqual(before, len(os.listdir(
            "/proc/%d/fd" % self.p.proc.pid)))

    def test_HO7_leaves(self):
        """What it sends, another process takes; then it ends by itself."""
        sink = self.sink()
        old, new = self.proxy(sink.address), self.proxy(sink.address)
        client, backend = self.pair(old, sink)
        client.sendall(b"before")
        self.assertEqual(b"before", net.read_exactly(backend, 6))
        with old.next_inbox() as inbox:
            old.drain()
            data, anc, _, _ = inbox.recvmsg(4096, 256)
            old.inbox.close()
            self.assertEqual(0, old.proc.wait(net.WAIT))
        fds = received(anc)
        self.assertEqual(2, len(fds))
        new.give_session(fds, data[8:])
        for fd in fds:
            os.close(fd)
        backend.sendall(b"after")
        self.assertEqual(b"after", net.read_exactly(client, 5))
        self.assertEqual((1, 0), (old.stat("handed_on"), old.stat("ended")))
        poll(lambda: new.stat("taken_over") == 1)
        self.assertEqual(1, new.cell(0, "live"))
        self.assertEqual(0, new.cell(0, "total"))

    def test_HO8_stays_where_nobody_takes_it(self):
        """The inbox is full, then gone: the session goes on here."""
        sink = self.sink()
        old = self.proxy(sink.address)
        pairs = [self.pair(old, sink) for _ in range(3)]
        inbox = old.next_inbox()
        end = old.next_inbox()          # the answer may change
        self.assertEqual(b"", inbox.recv(1))
        inbox.close()
        end.close()
        old.drain()
        old.inbox.close()
        for client, backend in pairs:
            client.sendall(b"still")
            self.assertEqual(b"still", net.read_exactly(backend, 5))
        self.assertEqual(3, old.stat("live"))

    def test_HO9_serves_what_waits_in_its_inbox(self):
        """Until nobody writes to it; and what is handed to it goes on."""
        proc.stop(self.p.proc.pid)
        waiting = [self.p.client() for _ in range(3)]
        client, up = self.give()
        with self.p.next_inbox() as inbox:
            self.p.drain()
            self.p.inbox.close()
            proc.go_on(self.p.proc.pid)
            got = [inbox.recvmsg(4096, 256) for _ in range(4)]
            self.assertEqual(0, self.p.proc.wait(net.WAIT))
        self.assertEqual(4, self.p.stat("handed_on"))
        new = self.proxy(self.sink().address)
        for data, anc, _, _ in got:
            fds = received(anc)
            new.give_session(fds, data[8:])
            for fd in fds:
                os.close(fd)
        for s in waiting:
            self.assertEqual(b"I am b\n", net.read_line(s))
            s.close()
        client.close()
        up.close()
