"""H2-9: clients that open their windows in ways of their own."""


import h2wire
import net
from h2wire import WINDOW, frame, head
from site_case import BIG, SiteCase
from test_dynamic import DynamicCase
from test_h2 import u32


class Reader(h2wire.Client):
    """Opens both windows by every few bytes that it has read, each time with
    frames of their own."""

    step = 100

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.sizes = []         # of DATA

    def on_data(self, f):
        self.sizes.append(len(f.data))
        for i in range(0, len(f.data), self.step):
            n = u32(min(self.step, len(f.data) - i))
            for stream in (f.stream, 0):
                self.send(frame(WINDOW, 0, stream, n))


class Emptier(h2wire.Client):
    """Opens the window of a stream when there is nothing left of it."""

    WINDOW = 16384 + 500

    def __init__(self, sock):
        super().__init__(sock, settings=((h2wire.INITIAL_WINDOW,
                                          self.WINDOW),))
        self.left, self.sizes = self.WINDOW, []
        self.send(frame(WINDOW, 0, 0, u32(1 << 30)))

    def on_data(self, f):
        self.sizes.append(len(f.data))
        self.left -= len(f.data)
        if self.left == 0:
            self.left = self.WINDOW
            self.send(frame(WINDOW, 0, f.stream, u32(self.left)))


class Windows:
    """The tests, for what a path has."""

    def client(self, kind):
        s = net.tls(self.port, "blog.example", h2wire.CONTEXT)
        self.addCleanup(s.close)
        return kind(s)

    def test_H2_9_by_every_few_bytes(self):
        c = self.client(Reader)
        a = c.get(self.path)
        self.assertEqual((200, None, self.want), (a.status, a.reset, a.body))
        self.assertEqual([], c.goaways)
        # It would have as many pieces as it opens the window.
        self.assertLess(len(c.sizes), len(self.want) / 500 + 10)

    def test_H2_9_of_one_stream_by_every_few_bytes(self):
        """Another has all it wants meanwhile."""
        c = self.client(Reader)
        one, two = (c.request(head(self.path)) for _ in range(2))
        for s in (one, two):
            self.assertEqual(self.want, c.answer(s).body)
        self.assertEqual([], c.goaways)

    def test_H2_9_when_nothing_is_left(self):
        c = self.client(Emptier)
        a = c.get(self.path, (b"range", b"bytes=0-99999"))
        self.assertIn((a.status, a.reset), ((200, None), (206, None)))
        self.assertEqual(self.want[:100000], a.body)

    def test_H2_9_a_small_piece_waits_with_the_others(self):
        """What it waits for may be gone when it is there."""
        c = self.client(lambda s: h2wire.Client(s, credit=False))
        s = c.request(head(self.path))
        c.until(lambda: s in c.answers and len(c.answers[s].body) == 65535)
        c.send(frame(WINDOW, 0, 0, u32(1 << 30)))
        for n in (10, 200, 1):
            had = len(c.answers[s].body)
            c.send(frame(WINDOW, 0, s, u32(n)))
            c.until(lambda: len(c.answers[s].body) >= had + n)
            self.assertEqual(had + n, len(c.answers[s].body))
        # A reset while one waits.
        c.send(frame(WINDOW, 0, s, u32(10)),
               frame(h2wire.RST, 0, s, u32(h2wire.CANCEL)))
        self.assertTrue(c.ping())
        self.assertEqual(200, c.answer(c.request(head(
            self.path, method=b"HEAD"))).status)


class TestWindows(Windows, SiteCase):
    path, want = b"/big.bin", BIG


class TestWindowsForward(Windows, DynamicCase):
    path, want = b"/app/close", b"z" * 100000
