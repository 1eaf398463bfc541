"""What processes let themselves be woken for (docs/decisions/017, 019)."""

import os
import select
import threading

import proc
from harness import poll
from site_case import BIG, SiteCase
from test_relay import MIB, RelayCase

EDGE = 1 << 31          # EPOLLET: sockets of clients and upstreams alone


def watches(pid):
    """The events that epoll watches of each of them for."""
    found = []
    for fd in proc.fds(pid):
        try:
            with open("/proc/%d/fdinfo/%s" % (pid, fd)) as f:
                found += [int(line.split()[3], 16) for line in f
                          if line.startswith("tfd:")]
        except FileNotFoundError:
            pass
    return [events for events in found if events & EDGE]


class TestWakes(RelayCase):
    def setUp(self):
        self.server = self.sink()
        self.p = self.proxy(self.server.address)
        self.client, self.backend = self.pair(self.p, self.server)

    def muted(self):
        """Legs of which it does not hear that something came."""
        legs = watches(self.p.proc.pid)
        self.assertEqual(2, len(legs))
        self.assertTrue(all(e & select.EPOLLRDHUP for e in legs))
        return sum(not e & (select.EPOLLIN | select.EPOLLPRI) for e in legs)

    def stall(self, source, sink):
        """Nobody reads, until it does not want to hear of more; then all of
        it comes."""
        block = os.urandom(MIB)
        sender = threading.Thread(target=source.sendall, args=(block * 40,))
        sender.start()
        poll(lambda: self.muted() == 1)
        for i in range(40):
            got = b""
            while len(got) < MIB:
                got += sink.recv(MIB - len(got))
            self.assertEqual(block, got)
        sender.join()
        poll(lambda: self.muted() == 0)

    def test_WK1_what_cannot_be_passed_on(self):
        self.stall(self.backend, self.client)

    def test_WK2_also_of_one_that_was_full_before(self):
        """That one is watched for room as well."""
        for i in range(2):
            self.stall(self.backend, self.client)
            self.stall(self.client, self.backend)


class TestSiteWakes(SiteCase):
    def watched(self):
        """Is each client of tlsterm watched for room to send?"""
        return sorted(bool(e & select.EPOLLOUT)
                      for pid in self.daemon.pids("tlsterm")
                      for e in watches(pid))

    def test_WK3_room_to_send(self):
        """From the first time that there was none."""
        other, s = self.tls(), self.tls(rcvbuf=65536)
        for c in other, s:
            c.sendall(b"GET /sub/page.txt HTTP/1.1\r\n"
                      b"Host: blog.example\r\n\r\n")
            self.assertEqual(b"page\n", self.response(c)[2])
        self.assertEqual([False, False], self.watched())
        s.sendall(b"GET /big.bin HTTP/1.1\r\nHost: blog.example\r\n\r\n")
        poll(lambda: self.watched() == [False, True])
        self.assertEqual(BIG, self.response(s)[2])
        self.assertEqual([False, True], self.watched())
