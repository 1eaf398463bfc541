"""H2-18 to H2-20: parts of a site that an upstream answers, over HTTP/2."""

import hashlib
import os
import threading

import h2wire
import net
from h2wire import (CANCEL, DATA, END_STREAM, INTERNAL_ERROR, NO_ERROR, RST,
                    ask, frame, head)
from test_dynamic import BROKEN, CUT, DynamicCase
from test_h2 import u32


def sha(data):
    return b"%d %b" % (len(data), hashlib.sha256(data).hexdigest().encode())


class TestH2Forward(DynamicCase):
    def h2(self, **kwargs):
        s = net.tls(self.port, "blog.example", h2wire.CONTEXT)
        self.addCleanup(s.close)
        return h2wire.Client(s, **kwargs)

    def drain(self, app):
        while not app.seen.empty():
            app.seen.get()

    def test_H2_18_answer(self):
        c = self.h2()
        a = c.get(b"/app/hello?x")
        self.assertEqual((200, b"hello /app/hello?x", "yes", "yes"),
                         (a.status, a.body, a.fields["x-app"],
                          a.fields["x-test"]))
        self.assertEqual(404, c.get(b"/app/none").status)
        self.assertEqual(400, c.get(b"/app/../x").status)
        self.assertEqual(405, c.get(b"/app/hello", method=b"TRACE").status)
        for path, want in ((b"/app/204", 204), (b"/app/304", 304)):
            a = c.get(path)
            self.assertEqual((want, b""), (a.status, a.body))
        a = c.get(b"/app/head", method=b"HEAD")
        self.assertEqual((200, "12345"), (a.status,
                                          a.fields["content-length"]))
        a = c.get(b"/app/close")
        self.assertEqual((200, b"z" * 100000), (a.status, a.body))
        a = c.get(b"/dead/x")
        self.assertEqual((502, b"<p>the app is away\n"), (a.status, a.body))

    def test_H2_18_request_fields(self):
        self.drain(self.app)
        c = self.h2()
        host = b"blog.example:%d" % self.port
        c.get(b"/app/hello", (b"x-forwarded-for", b"6.6.6.6"),
              (b"x_forwarded_for", b"6.6.6.6"), (b"forwarded", b"for=x"),
              (b"te", b"trailers"), (b"cookie", b"a=b"), (b"x", b"1"),
              (b"cookie", b"c=d"), (b"cookie", b"e"), authority=host)
        req = self.app.seen.get(timeout=net.WAIT)
        self.assertEqual(sorted(["host", "cookie", "x", "x-forwarded-for",
                                 "forwarded", "x-forwarded-proto",
                                 "x-forwarded-host"]),
                         sorted(k.lower() for k, _ in req.fields))
        self.assertEqual((host.decode(), "a=b; c=d; e", "127.0.0.1",
                          "https"),
                         (req.get("host"), req.get("cookie"),
                          req.get("x-forwarded-for"),
                          req.get("x-forwarded-proto")))

    def test_H2_18_answer_fields(self):
        c = self.h2()
        a = c.get(b"/app/hop")
        for name in ("x-private", "keep-alive", "proxy-authenticate",
                     "upgrade", "trailer", "connection",
                     "transfer-encoding"):
            self.assertNotIn(name, a.fields)
        self.assertEqual(("1", "app"), (a.fields["x-stays"],
                                        a.fields["server"]))

    def test_H2_18_interim(self):
        a = self.h2().get(b"/app/interim")
        self.assertEqual((200, b"late"), (a.status, a.body))
        self.assertEqual([(103, {"link": "</a.css>"})], a.interim)

    def test_H2_18_expect(self):
        c = self.h2()
        s = c.request(head(b"/app/expect", (b"content-length", b"5"),
                           (b"expect", b"100-continue"), method=b"POST"),
                      end=False)
        c.until(lambda: s in c.answers and c.answers[s].status == 100)
        c.send(frame(DATA, END_STREAM, s, b"hello"))
        self.assertEqual(sha(b"hello"), c.answer(s).body)

    def test_H2_18_bad_answers(self):
        c = self.h2()
        for name in BROKEN:
            if name == "full":
                continue        # of fields that HTTP/1 adds one to
            self.assertEqual(502, c.get(b"/app/bad/" + name.encode()).status,
                             name)
        for name in CUT:
            a = c.get(b"/app/bad/" + name.encode())
            self.assertEqual((200, INTERNAL_ERROR), (a.status, a.reset),
                             name)
        self.assertEqual(200, c.get(b"/app/hello").status)

    def test_H2_19_bodies(self):
        data = os.urandom(3000000)
        c = self.h2()
        # Half the window, as clients do: what is given back by the byte is
        # sent by the byte.
        c.batch = 32768
        for _ in range(2):
            # With a length and without.
            self.assertEqual(sha(data), c.upload(
                head(b"/app/digest", (b"content-length", b"3000000"),
                     method=b"POST"), data).body)
            self.assertEqual(sha(data), c.upload(
                head(b"/app/post", method=b"PUT"), data).body)
        self.assertEqual(sha(b""), c.upload(
            head(b"/app/digest", method=b"POST"), b"").body)
        a = c.upload(head(b"/app/echo", (b"content-length", b"3000000"),
                          method=b"POST"), data)
        self.assertEqual((len(data), None), (len(a.body), a.reset))
        self.assertEqual(data, a.body)

    def test_H2_19_burst(self):
        """Bodies among requests that come in one piece."""
        c = self.h2()
        c.send(ask(1, b"/app/hello"),
               ask(3, b"/app/digest", flags=0, method=b"POST"),
               frame(DATA, 0, 3, b"one "), ask(5, b"/app/hello"),
               frame(DATA, END_STREAM, 3, b"two"),
               ask(7, b"/app/digest", method=b"POST"))
        self.assertEqual([200, sha(b"one two"), 200, sha(b"")], [
            c.answer(1).status, c.answer(3).body, c.answer(5).status,
            c.answer(7).body])

    def test_H2_19_padding_and_trailers(self):
        c = self.h2()
        s = c.request(head(b"/app/digest", method=b"POST"), end=False)
        c.send(frame(DATA, h2wire.PADDED, s, b"\x05hello12345"),
               frame(h2wire.HEADERS, 5, s,
                     h2wire.block([(b"x-trailer", b"1")])))
        self.assertEqual(sha(b"hello"), c.answer(s).body)

    def test_H2_19_wrong_length_is_no_request(self):
        """The upstream sees an end before the body is whole."""
        for body in (b"1234", b"123456"):
            self.drain(self.app)
            c = self.h2()
            s = c.request(head(b"/app/digest", (b"content-length", b"5"),
                               method=b"POST"), body)
            a = c.answer(s)
            self.assertEqual((None, h2wire.PROTOCOL_ERROR),
                             (a.status, a.reset))
            req = self.app.seen.get(timeout=net.WAIT)
            self.assertEqual("5", req.get("content-length"))
            self.assertEqual(200, c.get(b"/app/hello").status)

    def test_H2_19_answer_before_the_body(self):
        c = self.h2()
        a = c.upload(head(b"/app/refuse", method=b"POST"), b"x" * 5000000)
        self.assertEqual((413, b"too large"), (a.status, a.body))
        c.until(lambda: a.reset is not None)
        self.assertEqual(NO_ERROR, a.reset)
        self.assertEqual(200, c.get(b"/app/hello").status)

    def test_H2_19_upstream_reads_no_more(self):
        """The client gets no window; others on its connection do."""
        sink = self.keep(net.Sink(rcvbuf=4096))
        conf = {**self.configure_again(sink)}
        d = self.start(conf)
        c = self.h2_of(d, conf)
        s = c.request(head(b"/app/x", method=b"POST"), end=False)
        up = sink.accept()
        sent = 0
        while (n := min(16384, c.initial + c.windows.get(s, 0) - sent)) > 0:
            c.send(frame(DATA, 0, s, b"x" * n))
            sent += n
            self.assertTrue(c.ping())
            if sent > 4 << 20:
                break
        self.assertLess(sent, 4 << 20)
        self.assertEqual(404, c.get(b"/nothing").status)
        up.close()
        a = c.answer(s)
        self.assertEqual(502, a.status)

    def configure_again(self, sink):
        return {"listen": ("127.0.0.1:%d" % self.port_again,),
                "sites": {"blog": {
                    "names": ["blog.example"], "root": self.root,
                    "proxy": ({"path": "/app", "to": "app"},)}},
                "fallback": "blog",
                "upstreams": {"app": {"address": sink.address}},
                "processes": {"worker": 1, "tlsterm": 1, "keys": 1}}

    def h2_of(self, d, conf):
        s = net.tls(self.port_again, "blog.example", h2wire.CONTEXT)
        self.addCleanup(s.close)
        return h2wire.Client(s)

    @property
    def port_again(self):
        if not hasattr(self, "_port"):
            from harness import free_port
            self._port = free_port()
        return self._port

    def test_H2_19_many_at_a_time(self):
        data = [os.urandom(50000) for _ in range(20)]
        c = self.h2()
        streams = []
        for x in data:
            s = c.request(head(b"/app/echo", (b"content-length", b"50000"),
                               method=b"POST"), end=False)
            streams.append(s)
        for i in range(0, 50000, 5000):
            for s, x in zip(streams, data):
                while c.used + 5000 > 65535 + c.windows.get(0, 0):
                    c.read()
                c.send(frame(DATA, END_STREAM if i == 45000 else 0, s,
                             x[i:i + 5000]))
                c.used += 5000
        for s, x in zip(streams, data):
            self.assertEqual(x, c.answer(s).body)

    def test_H2_19_reset_frees_the_upstream(self):
        uri = "/app/stuck?h2"
        gate = self.gates.setdefault(uri, threading.Semaphore(0))
        c = self.h2()
        s = c.request(head(uri.encode()))
        req = self.app.seen.get(timeout=net.WAIT)
        while req.uri != uri:
            req = self.app.seen.get(timeout=net.WAIT)
        c.send(frame(RST, 0, s, u32(CANCEL)))
        self.assertTrue(gate.acquire(timeout=net.WAIT))
        self.assertEqual(200, c.get(b"/app/hello").status)
        s = c.request(head(uri.encode()))
        req = self.app.seen.get(timeout=net.WAIT)
        while req.uri != uri:
            req = self.app.seen.get(timeout=net.WAIT)
        c.sock.close()
        self.assertTrue(gate.acquire(timeout=net.WAIT))

    def test_H2_19_events_come_at_once(self):
        uri = "/app/events?h2"
        gate = self.gates.setdefault(uri, threading.Semaphore(0))
        c = self.h2()
        s = c.request(head(uri.encode()))
        for i in range(5):
            gate.release()
            c.until(lambda: s in c.answers and
                    b"data: %d\n\n" % i in c.answers[s].body)
            # Meanwhile another is served.
            self.assertEqual(200, c.get(b"/app/hello").status)
        self.assertTrue(c.answer(s).done)

    def websocket(self, c, path=b"/app/ws", protocol=b"websocket"):
        return c.request(head(
            path, (b":protocol", protocol), (b"sec-websocket-version", b"13"),
            method=b"CONNECT") if False else
            [(b":method", b"CONNECT"), (b":protocol", protocol),
             (b":scheme", b"https"), (b":path", path),
             (b":authority", b"blog.example"),
             (b"sec-websocket-version", b"13")], end=False)

    def test_H2_20_websocket(self):
        c = self.h2()
        self.assertTrue(c.ping())
        self.assertEqual(1, c.settings[h2wire.CONNECT_PROTOCOL])
        s = self.websocket(c)
        c.until(lambda: s in c.answers and c.answers[s].status)
        a = c.answers[s]
        self.assertEqual(200, a.status)
        self.assertNotIn("sec-websocket-accept", a.fields)
        req = self.app.seen.get(timeout=net.WAIT)
        while req.path != "/app/ws":
            req = self.app.seen.get(timeout=net.WAIT)
        self.assertEqual(("GET", "websocket", "13", 24), (
            req.method, req.get("upgrade"), req.get("sec-websocket-version"),
            len(req.get("sec-websocket-key"))))
        data = os.urandom(200000)
        for i in range(0, len(data), 10000):
            c.send(frame(DATA, 0, s, data[i:i + 10000]))
            c.until(lambda: len(a.body) == i + 10000)
        self.assertEqual(data, a.body)
        self.assertEqual(200, c.get(b"/app/hello").status)
        c.send(frame(DATA, END_STREAM, s))
        c.until(lambda: a.done)
        self.assertEqual(data + b"bye", a.body)

    def test_H2_20_websocket_early_data(self):
        """Sent before the upstream agreed."""
        c = self.h2()
        s = self.websocket(c)
        c.send(frame(DATA, END_STREAM, s, b"early"))
        self.assertEqual(b"earlybye", c.answer(s).body)

    def test_H2_20_websocket_refused(self):
        c = self.h2()
        self.assertEqual(200, c.answer(self.websocket(
            c, b"/app/hello")).status)
        self.assertEqual(b"hello /app/hello?", c.answer(self.websocket(
            c, b"/app/hello?")).body)
        self.assertEqual(501, c.answer(self.websocket(
            c, protocol=b"frobnicate")).status)
        self.assertIn(c.answer(self.websocket(c, b"/")).status, (404, 405))
        self.assertEqual(502, c.answer(self.websocket(
            c, b"/dead/ws")).status)

    def test_H2_20_websocket_reset(self):
        c = self.h2()
        s = self.websocket(c)
        c.until(lambda: s in c.answers and c.answers[s].status)
        c.send(frame(DATA, 0, s, b"x"), frame(RST, 0, s, u32(CANCEL)))
        self.assertEqual(200, c.get(b"/app/hello").status)
