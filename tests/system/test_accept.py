"""RE2: accept4() finds nothing left in the kernel."""

import errno
import os
import time

from harness import poll
from preload import PreloadCase
from test_overload import OverloadCase


class TestAccept(PreloadCase, OverloadCase):
    source = "no_accept.c"

    def begin(self):
        self.start_with({"hello_timeout": 60.0},
                        binary=self.programs(["worker"]))

    def goes_on_after(self, error):
        self.begin()
        held, half = self.client(), self.client()
        self.assertTrue(self.served(held))
        self.await_count("accepted", 2)
        began, mark = time.monotonic(), self.d.log.mark()
        self.tell(error)
        queued = self.clients(20)
        poll(lambda: self.count("fd_full") > 2)
        # It asks again from time to time, and is not busy with it.
        tries = self.count("fd_full")
        self.assert_idle()
        self.assertGreater(self.count("fd_full"), tries)
        self.assertLessEqual(
            self.count("fd_full"), 1 + (time.monotonic() - began) / 0.1)
        told = [x for x in self.d.log.lines[mark:] if "accept: " in x]
        self.assertIn(os.strerror(error), told[0])
        self.assertLessEqual(len(told), 2 + time.monotonic() - began)
        # Who was there is served all the while.
        held.sendall(b"more")
        self.assertTrue(self.served(half))
        self.assertEqual(2, self.count("accepted"))
        # Then all who waited are, with nobody new to wake it.
        self.tell(0)
        for s in queued:
            self.assertTrue(self.served(s))
        self.assertEqual([self.worker], self.d.pids("worker"))
        self.assertEqual(22, self.count("accepted"))

    def test_RE2_ENFILE(self):
        self.goes_on_after(errno.ENFILE)

    def test_RE2_ENOBUFS(self):
        self.goes_on_after(errno.ENOBUFS)

    def test_RE2_ENOMEM(self):
        self.goes_on_after(errno.ENOMEM)
