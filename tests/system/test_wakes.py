"""What a proxy lets itself be woken for (docs/decisions/017)."""

import os
import select
import threading

import proc
from harness import poll
from test_relay import MIB, RelayCase

EDGE = 1 << 31          # EPOLLET: both legs of a session, and nothing else


def watches(pid):
    """The events that epoll watches of each leg for."""
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
