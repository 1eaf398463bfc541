"""H2-0: requests that come in one piece, and are answered together."""

import h2wire
from h2wire import (CANCEL, DATA, END_HEADERS, END_STREAM, FRAME_SIZE_ERROR,
                    HEADERS, PING, PRIORITY, RST, ask, block, frame, head)
from site_case import BIG, INDEX
from test_h2 import H2Case, u32

PATHS = ((b"/", 200, INDEX), (b"/sub/page.txt", 200, b"page\n"),
         (b"/style.css", 200, b"body { margin: 0 }\n"),
         (b"/empty.txt", 200, b""), (b"/nothing", 404, b"<p>not here\n"))


class TestBurst(H2Case):
    def check(self, c, n, more=()):
        """n requests in one piece: each gets its own answer."""
        c.send(*(ask(1 + 2 * i, PATHS[i % len(PATHS)][0], *more)
                 for i in range(n)))
        for i in range(n):
            a = c.answer(1 + 2 * i)
            self.assertEqual(PATHS[i % len(PATHS)][1:], (a.status, a.body), i)

    def test_H2_0_burst(self):
        for n in (1, 2, 15, 16, 17, 31, 32, 33, 90):
            self.check(self.h2(), n)

    def test_H2_0_burst_of_large_heads(self):
        """More than there is room for in one go."""
        for size in (1000, 4000, 12000, 16000):
            self.check(self.h2(), 8, ((b"x-more", b"y" * size),))

    def test_H2_0_burst_with_others(self):
        """What comes between requests finds them answered."""
        c = self.h2()
        c.send(ask(1, b"/"), ask(3, b"/sub/page.txt"),
               frame(PRIORITY, 0, 3, u32(1) + b"\1"),
               ask(5, b"/style.css"), frame(PING, 0, 0, b"12345678"),
               ask(7, b"/big.bin"), frame(RST, 0, 7, u32(CANCEL)),
               ask(9, b"/", flags=0, method=b"POST"), ask(11, b"/"),
               frame(DATA, END_STREAM, 9, b"body"), ask(13, b"/nothing"),
               frame(HEADERS, END_STREAM, 15, block(head(b"/empty.txt"))[:9]),
               frame(h2wire.CONTINUATION, END_HEADERS, 15,
                     block(head(b"/empty.txt"))[9:]), ask(17, b"/"))
        want = {1: 200, 3: 200, 5: 200, 9: 405, 11: 200, 13: 404, 15: 200,
                17: 200}
        self.assertEqual(want, {s: c.answer(s).status for s in want})
        self.assertEqual(b"page\n", c.answers[3].body)
        self.assertTrue(c.ping())
        self.assertFalse(7 in c.answers and c.answers[7].done)

    def test_H2_0_burst_with_priorities(self):
        """What is said of a request holds, also if it is not answered yet
        (RFC 9218 7.1)."""
        c = self.h2()
        c.send(ask(1, b"/big.bin"), ask(3, b"/big.bin"),
               frame(0x10, 0, 0, u32(3) + b"u=0"))
        self.assertEqual(BIG, c.answer(3).body)
        self.assertLess(len(c.answers[1].body), len(BIG) // 2)
        self.assertEqual(BIG, c.answer(1).body)

    def test_H2_0_burst_malformed(self):
        """One of them is none: the others are not touched by it."""
        c = self.h2()
        c.send(ask(1, b"/"), ask(3, b"/", (b"Upper", b"x")), ask(5, b"/"),
               ask(7, b"/", (b"connection", b"x")), ask(9, b"/"))
        for s in (1, 5, 9):
            self.assertEqual(INDEX, c.answer(s).body)
        for s in (3, 7):
            self.assertEqual(h2wire.PROTOCOL_ERROR, c.answer(s).reset)

    def test_H2_0_burst_and_the_end(self):
        c = self.h2()
        c.send(*(ask(1 + 2 * i, b"/") for i in range(5)),
               frame(PING, 0, 0, b"short"))
        self.assertEqual(FRAME_SIZE_ERROR, c.end())
        self.works()

