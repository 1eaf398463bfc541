"""Parts of a site that an upstream answers: patience, and answers that go on."""

import hashlib
import os
import threading

import harness
import net
import proc
from test_dynamic import DynamicCase
from upstream_app import read_response


class TestPatience(DynamicCase):
    modes = ("root",)
    extra = {"idle_timeout": 1.0}

    def test_DY9_no_answer(self):
        s = self.tls()
        status, _, _, _ = self.ask("/app/stuck?504", sock=s)
        self.assertEqual(504, status)
        self.assertEqual(200, self.ask("/", sock=s)[0])


class TestStream(DynamicCase):
    """A large body must not be kept anywhere."""
    modes = ("root",)

    def rss(self):
        return sum(proc.rss_kib(p) << 10 for role in ("tlsterm", "proxy")
                   for p in self.daemon.pids(role))

    def test_DY10_upload(self):
        size = 1 << 30
        piece = os.urandom(1 << 20)
        s = self.tls()
        self.ask("/app/hello", sock=s)
        before = self.rss()
        s.sendall(b"POST /app/digest HTTP/1.1\r\nHost: blog.example\r\n"
                  b"Content-Length: %d\r\n\r\n" % size)
        h = hashlib.sha256()
        most = before
        for i in range(size // len(piece)):
            s.sendall(piece)
            h.update(piece)
            if i % 128 == 0:
                most = max(most, self.rss())
        status, _, body, _ = read_response(s)
        self.assertEqual((200, b"%d %b" % (size, h.hexdigest().encode())),
                         (status, body))
        self.assertLess(most - before, 16 << 20)

    def test_DY10_client_that_does_not_read(self):
        """The upstream stops as well: what is between is bounded."""
        s = net.tcp(self.plain, rcvbuf=65536)
        self.addCleanup(s.close)
        before = self.rss()
        data = os.urandom(64 << 20)
        sent = [0]

        def send():
            s.sendall(b"POST /app/echo HTTP/1.1\r\nHost: open.example\r\n"
                      b"Content-Length: %d\r\n\r\n" % len(data))
            for i in range(0, len(data), 65536):
                s.sendall(data[i:i + 65536])
                sent[0] = i + 65536
        t = threading.Thread(target=send, daemon=True)
        t.start()
        last = [-1]

        def still():
            now, last[0] = sent[0] == last[0], sent[0]
            return now and last[0] > 0 and not t.join(0.3)
        harness.poll(still)
        self.assertLess(sent[0], 48 << 20)
        self.assertLess(self.rss() - before, 16 << 20)
        status, _, body, _ = read_response(s)
        self.assertEqual((200, True), (status, body == data))
        t.join()
