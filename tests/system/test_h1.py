"""H1-*: HTTP/1.1 as those send it who mean no good.  Each case over plain TCP
and over TLS; what is asked behind a broken request is never answered."""

import os
import re
import socket
import ssl
import time

import harness
import net
from site_case import INDEX, SiteCase

HOST = b"Host: open.example\r\n"
GET = b"GET /sub/page.txt HTTP/1.1\r\n" + HOST + b"\r\n"
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


class H1Case(SiteCase):
    def socket(self, tls):
        if not tls:
            return net.tcp(self.plain)
        return net.tls(self.port, "open.example")

    def talk(self, data, tls=False, fin=False):
        """Everything that comes back, until the server is done."""
        out = b""
        with self.socket(tls) as s:
            try:
                s.sendall(data)
                if fin:
                    s.shutdown(socket.SHUT_WR)
                while part := s.recv(65536):
                    out += part
            except (ConnectionError, ssl.SSLError):
                pass
        return out

    def statuses(self, data, **kwargs):
        return [int(n) for n in STATUS.findall(self.talk(data, **kwargs))]

    def refused(self, data, want=400):
        """One answer, which says that it is the last; nothing that follows
        is taken for a request."""
        for tls in False, True:
            got = self.talk(data + GET, tls)
            self.assertEqual([want], [int(n) for n in STATUS.findall(got)],
                             data[:200])
            self.assertIn(b"\r\nConnection: close\r\n", got)
            self.assertNotIn(b"page\n", got)

    def head(self, fields, line=b"GET / HTTP/1.1\r\n"):
        return line + HOST + fields + b"\r\n"


class TestFraming(H1Case):
    def test_H1_1_length_and_chunked(self):
        for te in b"chunked", b"Chunked", b"identity":
            for fields in (b"Content-Length: 5\r\nTransfer-Encoding: " + te,
                           b"Transfer-Encoding: " + te +
                           b"\r\nContent-Length: 5",
                           b"content-length:0\r\ntransfer-encoding:" + te):
                self.refused(self.head(fields + b"\r\n") + b"0\r\n\r\n")

    def test_H1_1_two_lengths(self):
        for a, b in (b"5", b"5"), (b"5", b"6"), (b"0", b"5"), (b"5", b"0"):
            self.refused(self.head(b"Content-Length: %s\r\nContent-Length: "
                                   b"%s\r\n" % (a, b)) + b"hello")

    def test_H1_1_odd_lengths(self):
        for n in (b"+5", b"-5", b"5,5", b"5, 5", b"", b"0x5", b"5 5", b"5;",
                  b"5.0", b"5e0", b"\xc2\xb2", b"five", b"05 \x0b",
                  b"18446744073709551616", b"18446744073709551621",
                  b"9223372036854775808", b"1" * 100):
            self.refused(self.head(b"Content-Length: " + n + b"\r\n") +
                         b"hello")

    def test_H1_2_transfer_encoding(self):
        for te in (b"xchunked", b"chunked, identity", b"identity, chunked",
                   b"chunked, chunked", b"gzip, chunked", b"gzip", b"",
                   b"chunked;q=1", b"\"chunked\"", b"chunked,", b"\x0cchunked",
                   b"chunked\x00", b"chunked\r\n chunked",
                   b"chunked\r\nTransfer-Encoding: chunked",
                   b"chunked\r\nTransfer-Encoding: identity"):
            self.refused(self.head(b"Transfer-Encoding: " + te + b"\r\n") +
                         b"0\r\n\r\n")
        for name in (b"Transfer-Encoding ", b" Transfer-Encoding",
                     b"Transfer_Encoding\0", b"Transfer-Encoding\t"):
            self.refused(self.head(name + b": chunked\r\n") + b"0\r\n\r\n")
        self.refused(self.head(b"Transfer-Encoding: chunked\r\n",
                               b"POST / HTTP/1.0\r\n") + b"0\r\n\r\n")

    def test_H1_2_blanks_around_it_are_none(self):
        for te in b"chunked", b"  chunked \t", b"CHUNKED":
            self.assertEqual([405, 200], self.statuses(
                self.head(b"Transfer-Encoding:" + te + b"\r\n",
                          b"POST /style.css HTTP/1.1\r\n") + b"0\r\n\r\n" +
                GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")))

    def test_H1_3_chunks(self):
        """A bad chunk ends it: what is behind it may be anything."""
        for body in (b"5\nhello\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n",
                     b"5;a\nb\r\nhello\r\n0\r\n\r\n", b"-1\r\n", b"0x5\r\n",
                     b"5 \r\nhello\r\n0\r\n\r\n", b"\r\n0\r\n\r\n",
                     b"fffffffffffffffff\r\n", b"5\r\nhelloX\r\n0\r\n\r\n",
                     b"0\r\nX: a\n\r\n\r\n"):
            data = self.head(b"Transfer-Encoding: chunked\r\n",
                             b"POST /style.css HTTP/1.1\r\n") + body + GET
            for tls in False, True:
                self.assertNotIn(200, self.statuses(data, tls=tls), body)

    def test_H1_4_line_ends(self):
        line = b"GET / HTTP/1.1"
        for data in (line + b"\n" + HOST + b"\r\n",
                     line + b"\r" + HOST + b"\r\n",
                     line + b"\r\r\n" + HOST + b"\r\n",
                     line + b"\r\n" + HOST[:-2] + b"\n\r\n",
                     line + b"\r\n" + HOST + b"X: a\n\r\n",
                     line + b"\r\n" + HOST + b"\n",
                     line + b"\n" + HOST[:-2] + b"\n\n",
                     b"\n" + line + b"\r\n" + HOST + b"\r\n",
                     b"\r\n\r\n" + line + b"\r\n" + HOST + b"\r\n"):
            self.refused(data)

    def test_H1_4_fields(self):
        for field in (b" folded", b"\tfolded", b"X: a\r\n folded",
                      b"X: a\r\n\tfolded", b"X : a", b"X\t: a", b": a", b"X",
                      b"X a", b"X\0: a", b"X: a\0", b"X: \x01", b"X: \x7f",
                      b"X: a\rb", b"X: a\r", b"X\x80: a", b"X(: a", b"X@: a",
                      b"\"X\": a", b"X,Y: a", b"X\r: a"):
            self.refused(self.head(field + b"\r\n"))

    def test_H1_4_one_empty_line_before(self):
        """RFC 9112 2.2: some clients of old end a body with one."""
        data = b"\r\n" + self.head(b"Connection: close\r\n")
        self.assertEqual([200], self.statuses(data, tls=True))
        for tls in False, True:
            self.assertEqual([200, 200], self.statuses(GET + data, tls=tls))


class TestTarget(H1Case):
    def test_H1_5_host(self):
        line = b"GET / HTTP/1.1\r\n"
        for host in (b"", b"Host:\r\n", b"Host: \t\r\n", HOST + HOST,
                     HOST + b"Host: other.example\r\n",
                     b"Host: a.example\r\nhost: b.example\r\n"):
            self.refused(line + host + b"\r\n")
        for name in (b"a/b", b"u@a", b"a?b", b"a#b", b"a\0b", b"a b",
                     b"a\tb", b"a,b", b"a\\b", b"a%2eb", b"a:99999",
                     b"a:65536", b"a:-1", b"a:+80", b"a:0x50", b"a:80:80",
                     b"a:x", b":80", b"[::1", b"::1", b"[::1]x", b"[1.2.3.4]",
                     b"[::1%lo]", b".", b".a", b"a..b", b"a." * 130,
                     b"a" * 64 + b".example", b"\xc3\xa4.example", b"a\"b",
                     b"<a>"):
            self.refused(line + b"Host: " + name + b"\r\n\r\n")

    def test_H1_5_absolute_form(self):
        for target, host, want in (
                (b"http://open.example/sub/page.txt", b"open.example", 200),
                (b"https://OPEN.example:1/sub/page.txt", b"open.example",
                 200),
                (b"http://open.example/", b"blog.example", 400),
                (b"http://blog.example/", b"open.example", 400),
                (b"http://open.example@blog.example/", b"blog.example", 400),
                (b"http://open.example:99999/", b"open.example", 400),
                (b"http:///x", b"open.example", 400),
                (b"http://", b"open.example", 400),
                (b"ftp://open.example/", b"open.example", 400),
                (b"//open.example/", b"open.example", 404),
                (b"open.example/", b"open.example", 400),
                (b"open.example:80", b"open.example", 400)):
            got = self.statuses(b"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: "
                                b"close\r\n\r\n" % (target, host))
            self.assertEqual([want], got, (target, host))

    def test_H1_5_host_of_another_site(self):
        """On a connection of a name: 421, in each form."""
        for line, host in ((b"/", b"blog.example"),
                           (b"http://blog.example/", b"blog.example"),
                           (b"/", b"nobody.example"),
                           (b"/", b"open.example.")):
            got = self.statuses(b"GET %s HTTP/1.1\r\nHost: %s\r\n"
                                b"Connection: close\r\n\r\n" % (line, host),
                                tls=True)
            self.assertEqual([200 if host[-1:] == b"." else 421], got, host)

    def test_H1_7_line(self):
        """8 KiB without its end are a line, one byte more is not."""
        def line(n):
            return b"GET /" + b"a" * (n - 14) + b" HTTP/1.1\r\n"
        for tls in False, True:
            self.assertEqual([404], self.statuses(self.head(
                b"Connection: close\r\n", line(8192)), tls=tls))
        self.refused(self.head(b"", line(8193)), 414)
        self.refused(b"G" * 9000, 414)
        self.refused(b"GET / " + b"a" * 9000, 414)

    def test_H1_7_fields(self):
        def block(n):       # of that many bytes, without the empty line
            rest = b"Connection: close\r\n"
            return rest + b"X: " + b"a" * (n - len(HOST + rest) - 5) + b"\r\n"
        for tls in False, True:
            self.assertEqual([200], self.statuses(
                self.head(block(16384)), tls=tls))
        self.refused(self.head(block(16385)), 431)
        self.refused(b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 40000,
                     431)

    def test_H1_7_number_of_fields(self):
        def some(n):        # Host and Connection are two of them
            return b"".join(b"X%d: a\r\n" % i for i in range(n - 2))
        close = b"Connection: close\r\n"
        for tls in False, True:
            self.assertEqual([200], self.statuses(
                self.head(close + some(100)), tls=tls))
        self.refused(self.head(close + some(101)), 431)

    def test_H1_11_methods(self):
        for method, want in ((b"TRACE", 405), (b"CONNECT", 405),
                             (b"PUT", 405), (b"PATCH", 405),
                             (b"PRI", 400), (b"get", 501), (b"Get", 501),
                             (b"GETS", 501), (b"G", 501),
                             (b"A" * 1000, 501), (b"G\0T", 400),
                             (b"G(T", 400), (b"\x80", 400), (b"", 400)):
            got = self.talk(method + b" / HTTP/1.1\r\n" + HOST +
                            b"X-Secret: hunter2\r\nConnection: close\r\n\r\n")
            status = [int(n) for n in STATUS.findall(got)]
            self.assertEqual([want], status, method)
            self.assertNotIn(b"hunter2", got)       # TRACE
        for line in b"a.example:443", b"open.example:443":
            self.assertEqual([405], self.statuses(
                b"CONNECT " + line + b" HTTP/1.1\r\nHost: " + line +
                b"\r\n\r\n"))
        self.assertEqual([400], self.statuses(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", tls=True))
        self.assertEqual([204], self.statuses(
            b"OPTIONS * HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"))

    def test_H1_16_versions(self):
        for version, want in ((b"HTTP/1.1", 200), (b"HTTP/1.0", 200),
                              (b"HTTP/1.2", 200), (b"HTTP/1.9", 200),
                              (b"HTTP/0.9", 505), (b"HTTP/2.0", 505),
                              (b"HTTP/9.9", 505), (b"HTTP/1.10", 400),
                              (b"HTTP/11", 400), (b"HTTP/1", 400),
                              (b"http/1.1", 400), (b"HTTP/ 1.1", 400),
                              (b"HTTP/1.1 ", 400), (b"XHTTP/1.1", 400),
                              (b"HTTP/-1.1", 400), (b"FTP/1.1", 400),
                              (b"", 400)):
            for tls in False, True:
                got = self.talk(self.head(
                    b"Connection: close\r\n", b"GET / " + version + b"\r\n"),
                    tls)
                self.assertEqual(want, int(STATUS.match(got)[1]), version)
        for data in b"GET /\r\n", b"GET /\r\n\r\n", b"GET /\n":
            self.assertEqual([400], self.statuses(data))


class TestPipes(H1Case):
    def test_H1_9_thousand(self):
        """In the order in which they were asked, without growing."""
        n = 1000
        for i in range(10):
            os.makedirs(self.root + "/many", exist_ok=True)
            with open(self.root + "/many/%d.txt" % i, "w") as f:
                f.write("%d" % i)
        data = b"".join(b"GET /many/%d.txt HTTP/1.1\r\n" % (i % 10) + HOST +
                        b"\r\n" for i in range(n))
        pids = self.daemon.pids("tlsterm")
        for tls in False, True:
            before = sum(map(harness.proc.rss_kib, pids))
            with self.socket(tls) as s:
                s.sendall(data)
                for i in range(n):
                    status, _, body = self.response(s)
                    self.assertEqual((200, b"%d" % (i % 10)), (status, body))
            grown = sum(map(harness.proc.rss_kib, pids)) - before
            self.assertLess(grown, 2048)

    def test_H1_9_nothing_after_close(self):
        for tls in False, True:
            self.assertEqual([200], self.statuses(
                self.head(b"Connection: close\r\n") + GET * 10, tls=tls))
            self.assertEqual([200], self.statuses(
                b"GET / HTTP/1.0\r\n" + HOST + b"\r\n" + GET, tls=tls))

    def test_H1_9_bytes_one_by_one(self):
        for tls in False, True:
            with self.socket(tls) as s:
                for b in GET + GET:
                    s.sendall(bytes((b,)))
                for i in range(2):
                    self.assertEqual(b"page\n", self.response(s)[2])

    def test_H1_13_expect(self):
        """Without a body it means nothing.  With one the answer is there at
        once, and the connection ends: the body may come or not."""
        for tls in False, True:
            self.assertEqual([200, 200], self.statuses(
                self.head(b"Expect: 100-continue\r\n") +
                self.head(b"Expect: x\r\nConnection: close\r\n"), tls=tls))
            self.assertEqual([405], self.statuses(self.head(
                b"Expect: 100-continue\r\nContent-Length: 1000\r\n",
                b"POST /style.css HTTP/1.1\r\n"), tls=tls))

    def test_H1_13_upgrades_are_ignored(self):
        for fields in (b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAA\r\n"
                       b"Connection: Upgrade, HTTP2-Settings\r\n",
                       b"Upgrade: h2c\r\n", b"Upgrade: TLS/1.2\r\n"
                       b"Connection: Upgrade\r\n",
                       b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
                       b"Sec-WebSocket-Version: 13\r\n"
                       b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"):
            for tls in False, True:
                with self.socket(tls) as s:
                    s.sendall(self.head(fields) + GET)
                    self.assertEqual((200, INDEX), self.response(s)[::2])
                    self.assertEqual(b"page\n", self.response(s)[2])

    def test_H1_14_bodies_that_nobody_wants(self):
        """They are read past when short; a request inside is no request."""
        inner = b"GET /.git/config HTTP/1.1\r\n" + HOST + b"\r\n"
        for framing in (
                b"Content-Length: %d\r\n\r\n" % len(inner) + inner,
                b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" %
                (len(inner), inner)):
            for method in b"GET", b"POST", b"HEAD":
                got = self.statuses(
                    method + b" /style.css HTTP/1.1\r\n" + HOST + framing +
                    GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                self.assertEqual([405 if method == b"POST" else 200, 200],
                                 got, method)


class TestSplitting(H1Case):
    """H1-15: no name of a file or host begins a line of an answer."""

    def setUp(self):
        self.name = "a\r\nX-Evil: 1\r\n\r\nbody"
        os.makedirs(os.path.join(self.root, self.name), exist_ok=True)
        for name in ("b\r\nX-Evil: 1.html", "c.h\r\nX-Evil: 1", "d\n.css"):
            with open(os.path.join(self.root, name), "w") as f:
                f.write("x")

    def clean(self, got):
        head, _, _ = got.partition(b"\r\n\r\n")
        self.assertNotRegex(head, rb"(?im)^x-evil")
        self.assertNotRegex(head, rb"[^\r]\n|\r[^\n]")
        return STATUS.match(got)[1], head

    def test_H1_15_redirects(self):
        for path in (b"/a%0d%0aX-Evil:%201%0d%0a%0d%0abody",
                     b"/sub?%0d%0aX-Evil:%201", b"/%0d%0aX-Evil:%201",
                     b"/sub%0d%0aX-Evil:%201/..", b"/%0aX-Evil:%201/"):
            for tls, host in (False, b"open.example"), \
                    (False, b"www.blog.example"), (False, b"blog.example"), \
                    (True, b"open.example"):
                got = self.talk(b"GET " + path + b" HTTP/1.1\r\nHost: " +
                                host + b"\r\nConnection: close\r\n\r\n", tls)
                self.clean(got)
        status, head = self.clean(self.talk(
            b"GET /a%0d%0aX-Evil:%201%0d%0a%0d%0abody HTTP/1.1\r\n" + HOST +
            b"Connection: close\r\n\r\n"))
        self.assertIn(status, (b"308", b"400", b"404"))

    def test_H1_15_files(self):
        for path in (b"/b%0d%0aX-Evil:%201.html", b"/c.h%0d%0aX-Evil:%201",
                     b"/d%0a.css"):
            status, head = self.clean(self.talk(
                b"GET " + path + b" HTTP/1.1\r\n" + HOST +
                b"Connection: close\r\n\r\n"))
            self.assertIn(status, (b"200", b"400", b"404"))

    def test_H1_15_host(self):
        for host in (b"open.example%0d%0aX-Evil: 1", b"open.example\nX: 1",
                     b"open.example\rX-Evil: 1"):
            got = self.talk(b"GET /sub HTTP/1.1\r\nHost: " + host +
                            b"\r\n\r\n")
            self.assertEqual(b"400", self.clean(got)[0])


class TestSlow(H1Case):
    # The first is for those who wait for a whole head before they route.
    limits = {"hello_timeout": 0.7, "handshake_timeout": 5.0,
              "header_timeout": 0.7, "idle_timeout": 0.7}

    def drip(self, data, tls):
        """Byte by byte, each before the deadline of a byte, until the server
        ends it; what it said."""
        got = b""
        end = time.monotonic() + net.WAIT
        with self.socket(tls) as s:
            s.sendall(b"GET / HTTP/1.1\r\n" + HOST)
            s.settimeout(0.1)
            at = 0
            while time.monotonic() < end:
                try:
                    s.send(data[at % len(data):at % len(data) + 1])
                    at += 1
                    part = s.recv(1000)
                except (TimeoutError, ssl.SSLWantReadError):
                    continue
                except (ConnectionError, ssl.SSLError):
                    return got
                if not part:
                    return got
                got += part
        raise AssertionError("still open after %d bytes" % at)

    def test_H1_8_head(self):
        for tls in False, True:
            got = self.drip(b"X: " + b"a" * 1000, tls)
            self.assertTrue(got.startswith(b"HTTP/1.1 408 "), got)
            self.assertIn(b"\r\nConnection: close\r\n", got)

    def test_H1_8_body_that_nobody_wants(self):
        """The answer is there before the body is."""
        for tls in False, True:
            with self.socket(tls) as s:
                s.sendall(self.head(b"Content-Length: 1000\r\n",
                                    b"POST /style.css HTTP/1.1\r\n") + b"a")
                self.assertEqual(405, self.response(s)[0])
                try:
                    self.assertEqual(b"", s.recv(1))
                except (ConnectionError, ssl.SSLError):
                    pass
        self.daemon.assert_books()

    def test_H1_8_bytes_instead_of_reading(self):
        """They are no sign that the answer is taken."""
        for tls in False, True:
            with net.tcp(self.port if tls else self.plain,
                         rcvbuf=4096) as s:
                if tls:
                    s = net.tls_context().wrap_socket(
                        s, server_hostname="open.example")
                s.sendall(self.head(b"", b"GET /big.bin HTTP/1.1\r\n"))
                self.assertEqual(b"H", s.recv(1))
                end = time.monotonic() + net.WAIT
                while self.daemon.counter("tlsterm", "live"):
                    self.assertLess(time.monotonic(), end, "still open")
                    try:
                        s.sendall(b"G")
                    except (ConnectionError, ssl.SSLError):
                        pass
                s.close()
        self.daemon.assert_books()

    def test_H1_8_answer_that_is_not_read(self):
        for tls in False, True:
            with net.tcp(self.port if tls else self.plain,
                         rcvbuf=4096) as s:
                if tls:
                    s = net.tls_context().wrap_socket(
                        s, server_hostname="open.example")
                s.sendall(self.head(b"", b"GET /big.bin HTTP/1.1\r\n"))
                self.assertEqual(b"H", s.recv(1))
                harness.poll(lambda: self.daemon.counter(
                    "tlsterm", "live") == 0)
                s.close()
        self.daemon.assert_books()
