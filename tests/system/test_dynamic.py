"""Parts of a site that an upstream answers: HTTP, WebSocket, streams."""

import base64
import hashlib
import os
import socket
import struct
import threading

import net
from site_case import SiteCase
from upstream_app import App, digest, echo, raw, read_response

OK = b"HTTP/1.1 200 OK\r\n"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

BROKEN = {
    "cl-te": OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
             b"0\r\n\r\n",
    "two-cl": OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "same-cl": OK + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "cl-list": OK + b"Content-Length: 3, 3\r\n\r\nabc",
    "cl-sign": OK + b"Content-Length: +3\r\n\r\nabc",
    "cl-hex": OK + b"Content-Length: 0x3\r\n\r\nabc",
    "cl-empty": OK + b"Content-Length:\r\n\r\nabc",
    "cl-big": OK + b"Content-Length: 18446744073709551617\r\n\r\nabc",
    "te-other": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "te-x": OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "te-twice": OK + b"Transfer-Encoding: chunked\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "te-1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
              b"0\r\n\r\n",
    "te-204": b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n",
    "bare-lf": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "lf-field": OK + b"A: b\nContent-Length: 0\r\n\r\n",
    "fold": OK + b"A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "space": OK + b"Content-Length : 0\r\n\r\n",
    "nul": OK + b"A: b\0\r\nContent-Length: 0\r\n\r\n",
    "cr": OK + b"A: b\rX: y\r\nContent-Length: 0\r\n\r\n",
    "no-name": OK + b": b\r\nContent-Length: 0\r\n\r\n",
    "status": b"HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n",
    "status-700": b"HTTP/1.1 700 High\r\nContent-Length: 0\r\n\r\n",
    "status-text": b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n",
    "version": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "no-http": b"SSH-2.0-OpenSSH_9.2\r\n",
    "huge": OK + b"".join(b"A%d: %s\r\n" % (i, b"x" * 1000)
                          for i in range(60)) + b"\r\n",
    "full": OK + b"A: b\r\n" * 63 + b"Transfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n0\r\n\r\n",
    "many": OK + b"A: b\r\n" * 200 + b"\r\n",
    "switch": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
              b"Upgrade: websocket\r\n\r\n",
    "no-end": b"HTTP/1.1 100 Continue\r\n\r\n" * 40,
    "nothing": b"",
    "half-head": OK + b"Content-Le",
}
# The head is right, the body is not: it cannot be made whole any more.
CUT = {
    "short": OK + b"Content-Length: 9\r\n\r\nabc",
    "chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "chunk-size": OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n-1"
                  b"\r\n",
    "chunk-end": OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n",
    "chunk-lf": OK + b"Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n",
}


def hello(req):
    req.answer(b"hello " + req.uri.encode(), fields=("X-App: yes",))


def hop(req):
    req.answer(b"x", fields=(
        "Connection: close, X-Private", "X-Private: 1", "Keep-Alive: 5",
        "Proxy-Authenticate: Basic", "Upgrade: h2c", "X-Stays: 1",
        "Trailer: X", "Date: Sun, 06 Nov 1994 08:49:37 GMT",
        "Server: app"))
    req.closed = True


def until_close(req):
    req.send(b"HTTP/1.0 200 OK\r\n\r\n" + b"z" * 100000)
    req.closed = True


def interim(req):
    req.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
    req.answer(b"late")


def surplus(req):
    """Another answer right behind the one that was asked for."""
    req.send(OK + b"Content-Length: 100000\r\n\r\n" + b"x" * 100000 +
             OK + b"Content-Length: 6\r\n\r\nforged")


def expect(req):
    if req.get("expect") == "100-continue":
        req.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    digest(req)


def refuse(req):
    """An answer before the body, which nobody reads."""
    req.answer(b"too large", "413 Content Too Large",
               ("Connection: close",))
    req.closed = True


def no_body(req):
    req.send(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")


def unchanged(req):
    req.send(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n"
             b"ETag: \"x\"\r\n\r\n")


def head(req):
    req.send(OK + b"Content-Length: 12345\r\n\r\n")


def websocket(req):
    """Takes a handshake and echoes frames as they are, to the end."""
    key = req.get("sec-websocket-key").encode()
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    req.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
             b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept +
             b"\r\n\r\n")
    req.closed = True
    while part := req.recv():
        req.send(part)
    req.send(b"bye")
    req.conn.shutdown(socket.SHUT_WR)


class DynamicCase(SiteCase):
    extra = {}

    @classmethod
    def configure(cls):
        conf = super().configure()
        cls.gates = {}
        routes = {"/app/" + k: v for k, v in {
            "hello": hello, "hop": hop, "close": until_close,
            "interim": interim, "surplus": surplus, "expect": expect,
            "refuse": refuse,
            "204": no_body, "304": unchanged, "head": head, "echo": echo,
            "digest": digest, "ws": websocket, "events": cls.events,
            "stuck": cls.stuck, "post": digest}.items()}
        for name, data in {**BROKEN, **CUT}.items():
            routes["/app/bad/" + name] = raw(data)
        cls.app = cls.keep(App(routes))
        cls.other = cls.keep(App({"/app/deep/hello": hello,
                                  "/app/deep": hello}))
        cls.pp = cls.keep(App({"/pp/hello": hello}, proxy=True))
        dead, address = net.dead_address()
        cls.keep(type("Dead", (), {"stop": dead.close}))
        conf["upstreams"] = {
            "app": {"address": cls.app.address, **cls.extra},
            "other": {"address": cls.other.address},
            "pp": {"address": cls.pp.address, "send_proxy": "v2"},
            "dead": {"address": address}}
        with open(cls.root + "/502.html", "w") as f:
            f.write("<p>the app is away\n")
        for name in ("blog", "open"):
            conf["sites"][name]["proxy"] = (
                {"path": "/app", "to": "app"},
                {"path": "/app/deep", "to": "other"},
                {"path": "/pp/", "to": "pp"},
                {"path": "/dead/", "to": "dead"})
        conf["sites"]["blog"]["error_pages"] += (
            {"status": 502, "file": "/502.html"},)
        return conf

    @classmethod
    def tearDownClass(cls):
        # What waits for the next request is alive, to the counters.
        for app in (cls.app, cls.other):
            app.hang_up()
        super().tearDownClass()

    @classmethod
    def events(cls, req):
        """Server-sent events: one for each token the test puts."""
        req.send(OK + b"Content-Type: text/event-stream\r\n"
                 b"Cache-Control: no-store\r\n\r\n")
        gate = cls.gates.setdefault(req.uri, threading.Semaphore(0))
        for i in range(5):
            if not gate.acquire(timeout=net.WAIT):
                break
            req.send(b"data: %d\n\n" % i)
        req.closed = True

    @classmethod
    def stuck(cls, req):
        """Never answers; tells when it was given up."""
        gate = cls.gates.setdefault(req.uri, threading.Semaphore(0))
        while req.recv():
            pass
        gate.release()
        req.closed = True

    def ask(self, path, host="blog.example", method="GET", headers=(),
            body=b"", sock=None):
        s = sock or self.tls()
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: " + host,
                 *headers]
        s.sendall("".join(x + "\r\n" for x in lines).encode("latin-1") +
                  b"\r\n" + body)
        return read_response(s, method)


class TestDynamic(DynamicCase):
    def test_DY1_answer(self):
        s = self.tls()
        for i in range(3):
            status, f, body, _ = self.ask("/app/hello?x=%d" % i, sock=s)
            self.assertEqual((200, b"hello /app/hello?x=%d" % i, "yes"),
                             (status, body, f["x-app"]))
            self.assertEqual("yes", f["x-test"])    # the site's own
        self.assertEqual(404, self.ask("/app/none", sock=s)[0])
        self.assertEqual(404, self.ask("/nothing", sock=s)[0])
        self.assertEqual(200, self.ask("/", sock=s)[0])
        s = net.tcp(self.plain)
        self.addCleanup(s.close)
        self.assertEqual(200, self.ask("/app/hello", "open.example",
                                       sock=s)[0])

    def test_DY1_longest_prefix_and_whole_segments(self):
        for path, app in (("/app/deep/hello", self.other),
                          ("/app/deep", self.other),
                          ("/%61pp/deep/hello", self.other),
                          ("/app/hello", self.app)):
            self.drain(app)
            self.ask(path)
            self.assertEqual(path, app.seen.get(timeout=net.WAIT).uri)
        before = self.app.seen.qsize()
        for path in ("/apple", "/App/hello", "/x/app/hello"):
            self.assertEqual(404, self.ask(path)[0], path)
        for path in ("/app/../index.html", "/app/%2e%2e/x", "/app/..",
                     "/app/./x", "/app/deep/..%2f..", "/app/x/..\\y",
                     "/app/deep/../hello"):
            self.assertEqual(400, self.ask(path)[0], path)
        self.assertEqual(before, self.app.seen.qsize())

    def drain(self, app):
        while not app.seen.empty():
            app.seen.get()

    def test_DY2_request_fields(self):
        self.drain(self.app)
        self.ask("/app/hello", "blog.example:%d" % self.port, headers=(
            "X-Forwarded-For: 6.6.6.6", "X_Forwarded_For: 6.6.6.6",
            "X-Forwarded-Proto: gopher", "X-Forwarded-Host: evil",
            "X-Forwarded-Port: 1", "Forwarded: for=6.6.6.6",
            "X-Real-IP: 6.6.6.6", "TE: trailers", "Keep-Alive: 9",
            "Connection: X-Mine, keep-alive, Host", "X-Mine: 1",
            "Proxy-Connection: close", "Proxy-Authorization: Basic eA==",
            "Upgrade: h2c", "HTTP2-Settings: x", "Cookie: a=b",
            "X-Stays: 1", "Trailer: X"))
        req = self.app.seen.get(timeout=net.WAIT)
        names = [k.lower() for k, _ in req.fields]
        self.assertEqual(sorted(["host", "cookie", "x-stays",
                                 "x-forwarded-for", "forwarded",
                                 "x-forwarded-proto", "x-forwarded-host"]),
                         sorted(names))
        host = "blog.example:%d" % self.port
        self.assertEqual(host, req.get("host"))
        self.assertEqual("127.0.0.1", req.get("x-forwarded-for"))
        self.assertEqual("https", req.get("x-forwarded-proto"))
        self.assertEqual(host, req.get("x-forwarded-host"))
        self.assertEqual('for=127.0.0.1;host="%s";proto=https' % host,
                         req.get("forwarded"))

    def test_DY2_methods(self):
        self.drain(self.app)
        for method in ("PATCH", "DELETE", "PROPFIND", "REPORT", "OPTIONS"):
            self.assertEqual(200, self.ask("/app/hello", method=method)[0])
            self.assertEqual(method,
                             self.app.seen.get(timeout=net.WAIT).method)
        self.assertEqual(405, self.ask("/app/hello", method="TRACE")[0])
        self.assertTrue(self.app.seen.empty())

    def test_DY2_absolute_form(self):
        self.drain(self.app)
        self.ask("https://blog.example/app/hello?a")
        self.assertEqual("/app/hello?a",
                         self.app.seen.get(timeout=net.WAIT).uri)

    def test_DY2_answer_fields(self):
        s = self.tls()
        _, f, _, _ = self.ask("/app/hop", sock=s)
        for name in ("x-private", "keep-alive", "proxy-authenticate",
                     "upgrade", "trailer", "connection"):
            self.assertNotIn(name, f)
        self.assertEqual(("1", "app"), (f["x-stays"], f["server"]))
        self.assertEqual("Sun, 06 Nov 1994 08:49:37 GMT", f["date"])
        self.assertEqual(200, self.ask("/", sock=s)[0])

    def test_DY3_no_body(self):
        s = self.tls()
        self.assertEqual(204, self.ask("/app/204", sock=s)[0])
        status, f, _, _ = self.ask("/app/304", sock=s)
        self.assertEqual((304, '"x"'), (status, f["etag"]))
        status, f, _, _ = self.ask("/app/head", method="HEAD", sock=s)
        self.assertEqual((200, "12345"), (status, f["content-length"]))
        self.assertEqual(200, self.ask("/app/hello", sock=s)[0])

    def test_DY3_until_close(self):
        s = self.tls()
        status, f, body, _ = self.ask("/app/close", sock=s)
        self.assertEqual((200, 100000), (status, len(body)))
        self.assertEqual("chunked", f["transfer-encoding"])
        self.assertEqual(200, self.ask("/", sock=s)[0])
        s = net.tcp(self.plain)
        s.sendall(b"GET /app/close HTTP/1.0\r\nHost: open.example\r\n\r\n")
        got = net.read_end(s)[0]
        s.close()
        self.assertNotIn(b"chunked", got)
        self.assertTrue(got.endswith(b"\r\n\r\n" + b"z" * 100000))

    def test_DY4_interim(self):
        status, _, body, before = self.ask("/app/interim")
        self.assertEqual((200, b"late"), (status, body))
        self.assertEqual([(103, [("Link", "</a.css>")])], before)
        s = net.tcp(self.plain)
        s.sendall(b"GET /app/interim HTTP/1.0\r\nHost: open.example\r\n\r\n")
        self.assertTrue(net.read_end(s)[0].startswith(b"HTTP/1.1 200 "))
        s.close()

    def test_DY4_expect(self):
        s = self.tls()
        s.sendall(b"POST /app/expect HTTP/1.1\r\nHost: blog.example\r\n"
                  b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        self.assertEqual(b"HTTP/1.1 100 Continue\r\n\r\n",
                         net.read_exactly(s, 25))
        s.sendall(b"hello")
        status, _, body, _ = read_response(s)
        self.assertEqual((200, b"5 " + hashlib.sha256(
            b"hello").hexdigest().encode()), (status, body))

    def test_DY5_bodies(self):
        data = os.urandom(300000)
        want = b"%d %b" % (len(data),
                           hashlib.sha256(data).hexdigest().encode())
        s = self.tls()
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in (
            data[i:i + 7777] for i in range(0, len(data), 7777)))
        for _ in range(3):
            self.assertEqual(want, self.ask(
                "/app/digest", method="POST", body=data, sock=s,
                headers=("Content-Length: %d" % len(data),))[2])
            self.assertEqual(want, self.ask(
                "/app/digest", method="PUT", body=chunks +
                b"0\r\nX-T: 1\r\n\r\n", sock=s,
                headers=("Transfer-Encoding: chunked",))[2])
        self.assertEqual(b"0 " + hashlib.sha256().hexdigest().encode(),
                         self.ask("/app/post", method="POST", sock=s,
                                  headers=("Content-Length: 0",))[2])
        self.assertEqual(data, self.ask(
            "/app/echo", method="POST", body=data,
            headers=("Content-Length: %d" % len(data),))[2])

    def test_DY5_answer_before_the_body(self):
        s = self.tls()
        status, _, body, _ = self.ask(
            "/app/refuse", method="POST", body=b"x" * 10, sock=s,
            headers=("Content-Length: 1000000",))
        self.assertEqual((413, b"too large"), (status, body))
        self.assertEqual(b"", net.read_end(s)[0])

    def test_DY5_pipelined(self):
        s = self.tls()
        s.sendall(b"".join(b"GET %s HTTP/1.1\r\nHost: blog.example\r\n\r\n" %
                           p for p in (b"/app/hello?1", b"/style.css",
                                       b"/app/hello?2", b"/app/204",
                                       b"/app/hello?3")))
        got = [read_response(s)[2] for _ in range(5)]
        self.assertEqual([b"hello /app/hello?1", b"body { margin: 0 }\n",
                          b"hello /app/hello?2", b"",
                          b"hello /app/hello?3"], got)

    def test_DY6_events_come_at_once(self):
        s = self.tls()
        s.sendall(b"GET /app/events?1 HTTP/1.1\r\nHost: blog.example\r\n\r\n")
        req = self.app.seen.get(timeout=net.WAIT)
        while req.uri != "/app/events?1":
            req = self.app.seen.get(timeout=net.WAIT)
        got = b""
        gate = self.gates.setdefault("/app/events?1",
                                     threading.Semaphore(0))
        for i in range(5):
            gate.release()
            want = b"data: %d\n\n" % i
            while want not in got:
                part = s.recv(4096)
                self.assertTrue(part)
                got += part
        self.assertNotIn(b"\r\n0\r\n\r\n", got[:-7])

    def test_DY6_events_through_a_reload(self):
        uri = "/app/events?reload"
        gate = self.gates.setdefault(uri, threading.Semaphore(0))
        s = self.tls()
        s.sendall(b"GET %s HTTP/1.1\r\nHost: blog.example\r\n\r\n" %
                  uri.encode())
        gate.release()
        got = b""
        while b"data: 0\n\n" not in got:
            got += s.recv(4096)
        self.assertEqual(0, self.daemon.ctl("reload").returncode)
        self.assertEqual(200, self.ask("/app/hello")[0])
        gate.release(4)
        got += net.read_end(s)[0]
        self.assertIn(b"data: 4\n\n", got)
        self.assertTrue(got.endswith(b"0\r\n\r\n"))

    def test_DY6_client_gone_is_told(self):
        uri = "/app/stuck?%d" % self.port
        gate = self.gates.setdefault(uri, threading.Semaphore(0))
        s = self.tls()
        s.sendall(b"GET %s HTTP/1.1\r\nHost: blog.example\r\n\r\n" %
                  uri.encode())
        while self.app.seen.get(timeout=net.WAIT).uri != uri:
            pass
        s.close()
        self.assertTrue(gate.acquire(timeout=net.WAIT))

    def test_H1_1_broken_answers(self):
        for name in BROKEN:
            status, _, body, _ = self.ask("/app/bad/" + name)
            self.assertEqual((502, b"<p>the app is away\n"),
                             (status, body), name)
        self.assertEqual(200, self.ask("/app/hello")[0])

    def test_H1_1_cut_answers(self):
        for name in CUT:
            s = self.tls()
            s.sendall(b"GET /app/bad/%s HTTP/1.1\r\nHost: blog.example\r\n"
                      b"\r\n" % name.encode())
            got = b""
            try:
                while part := s.recv(65536):
                    got += part
            except OSError:
                pass
            self.assertIn(b" 200 OK\r\n", got, name)
            self.assertFalse(got.endswith(b"0\r\n\r\n"), name)

    def test_H1_1_smuggling_never_reaches_the_app(self):
        before = self.app.seen.qsize()
        for fields in (
                "Content-Length: 5\r\nTransfer-Encoding: chunked",
                "Content-Length: 5\r\nContent-Length: 6",
                "Content-Length: 5\r\nContent-Length: 5",
                "Content-Length: +5", "Content-Length: 5,6",
                "Transfer-Encoding: xchunked",
                "Transfer-Encoding: chunked, identity",
                "Transfer-Encoding : chunked",
                "Transfer-Encoding:\x0bchunked",
                "Content-Length: 5\nX: y", "X: a\r\n b"):
            self.assertEqual(400, self.raw_status(
                b"POST /app/hello HTTP/1.1\r\nHost: open.example\r\n%s"
                b"\r\n\r\nhello0\r\n\r\n" % fields.encode()), fields)
        self.assertEqual(before, self.app.seen.qsize())

    def test_H1_3_broken_chunks_of_the_client(self):
        for body in (b"-1\r\n", b"5\nhello\n", b"1;\x01\r\na\r\n",
                     b"ffffffffffffffffff\r\n", b"2\r\nabcd\r\n"):
            self.assertEqual(400, self.raw_status(
                b"POST /app/digest HTTP/1.1\r\nHost: open.example\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n" + body), body)

    def test_DY7_keepalive_and_retry(self):
        s = self.tls()
        self.ask("/app/hello", sock=s)
        before = self.app.count
        for _ in range(10):
            self.assertEqual(200, self.ask("/app/hello", sock=s)[0])
        self.assertEqual(before, self.app.count)
        # What is idle is closed under our feet: asked again, unnoticed.
        for _ in range(5):
            self.app.hang_up()
            self.assertEqual(200, self.ask("/app/hello", sock=s)[0])

    def test_DY7_surplus_is_nobodys_answer(self):
        s = self.tls()
        for _ in range(20):
            _, _, body, _ = self.ask("/app/surplus", sock=s)
            self.assertEqual(100000, len(body))
            _, _, body, _ = self.ask("/app/hello", sock=s)
            self.assertEqual(b"hello /app/hello", body)

    def test_DY7_dead_upstream(self):
        s = self.tls()
        status, f, body, _ = self.ask("/dead/x", sock=s)
        self.assertEqual((502, b"<p>the app is away\n"), (status, body))
        self.assertEqual("yes", f["x-test"])
        self.assertEqual(200, self.ask("/", sock=s)[0])

    def test_DY7_header_of_the_client(self):
        for _ in range(2):
            s = self.tls()
            status, _, _, _ = self.ask("/pp/hello", sock=s)
            self.assertEqual(200, status)
            version, command, src, dst, tlvs = self.pp.headers.get(
                timeout=net.WAIT)
            self.assertEqual((2, 1, s.getsockname()[:2],
                              ("127.0.0.1", self.port)),
                             (version, command, src, dst))
            self.assertIn(b"blog.example", tlvs)
            s.close()

    def handshake(self, s, path="/app/ws"):
        key = base64.b64encode(os.urandom(16))
        s.sendall(b"GET %s HTTP/1.1\r\nHost: blog.example\r\n"
                  b"Connection: keep-alive, Upgrade\r\n"
                  b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                  b"Sec-WebSocket-Key: %s\r\n\r\n" % (path.encode(), key))
        status, f, _, _ = read_response(s)
        return status, f, base64.b64encode(
            hashlib.sha1(key + GUID).digest()).decode()

    def test_DY8_websocket(self):
        s = self.tls()
        status, f, accept = self.handshake(s)
        self.assertEqual((101, accept, "websocket", "Upgrade"),
                         (status, f["sec-websocket-accept"], f["upgrade"],
                          f["connection"]))
        for n in (1, 125, 60000):
            mask = os.urandom(4)
            data = os.urandom(n)
            size = bytes([0x80 | n]) if n < 126 else \
                b"\xfe" + struct.pack(">H", n)
            frame = b"\x82" + size + mask + bytes(
                b ^ mask[i % 4] for i, b in enumerate(data))
            s.sendall(frame)
            self.assertEqual(frame, net.read_exactly(s, len(frame)))

    def test_DY8_websocket_half_close(self):
        s = net.tcp(self.plain)
        self.addCleanup(s.close)
        s.sendall(b"GET /app/ws HTTP/1.1\r\nHost: open.example\r\n"
                  b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
                  b"Sec-WebSocket-Key: x\r\n\r\nat once")
        self.assertEqual(101, read_response(s)[0])
        self.assertEqual(b"at once", net.read_exactly(s, 7))
        big = os.urandom(5_000_000)
        sender = threading.Thread(target=lambda: (
            s.sendall(big), s.shutdown(socket.SHUT_WR)))
        sender.start()
        got = net.read_end(s)[0]
        sender.join()
        self.assertEqual(big + b"bye", got)

    def test_DY8_no_websocket_there(self):
        s = self.tls()
        self.assertEqual(200, self.handshake(s, "/app/hello")[0])
        self.assertEqual(200, self.ask("/", sock=s)[0])
