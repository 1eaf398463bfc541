"""H1-*, FS*: HTTP/1.1 and the files of a site."""

import os
import socket
import ssl
import stat
import time
import urllib.parse

import harness
import hello
import net
from site_case import INDEX, SiteCase


class TestHttp(SiteCase):
    def test_H1_0_files(self):
        for path, want, kind in (
                ("/", INDEX, "text/html"), ("/sub/", b"sub\n", "text/html"),
                ("/sub/page.txt", b"page\n", "text/plain"),
                ("/style.css", b"body { margin: 0 }\n", "text/css"),
                ("/a%20b%25.txt", b"odd name\n", "text/plain"),
                ("/empty.txt", b"", "text/plain"),
                ("/?query=x", INDEX, "text/html")):
            status, fields, body = self.get(path)
            self.assertEqual((200, want), (status, body), path)
            self.assertTrue(fields["content-type"].startswith(kind), path)
            self.assertEqual("l4mux", fields["server"])
            self.assertRegex(fields["date"], r"GMT$")
            self.assertIn("last-modified", fields)

    def test_H1_0_head(self):
        status, fields, body = self.get("/", method="HEAD")
        self.assertEqual((200, str(len(INDEX)), b""),
                         (status, fields["content-length"], body))

    def test_H1_0_not_found_keeps_its_status(self):
        s = self.tls()
        status, fields, body = self.get("/nothing", "blog.example", sock=s)
        self.assertEqual((404, b"<p>not here\n"), (status, body))
        self.assertEqual(404, self.get("/nothing")[0])

    def test_H1_0_canonical_slashes(self):
        for path, to in (("/sub", "/sub/"), ("/sub?a=b", "/sub/?a=b"),
                         ("//sub", "/sub/"), ("///sub", "/sub/"),
                         ("/sub/page.txt/", "/sub/page.txt")):
            status, fields, _ = self.get(path)
            self.assertEqual((308, to), (status, fields["location"]))

    def test_H1_0_no_open_redirect(self):
        for path in ("//evil.example/sub", "//evil.example", "///sub",
                     "/\\evil.example/..", "//sub", "/%2fevil.example/..",
                     "http://open.example//evil.example/sub"):
            status, fields, _ = self.get(path)
            where = fields.get("location", "")
            self.assertFalse(where.startswith("//"), (path, where))
            self.assertNotRegex(where, r"^https?://evil")
            self.assertNotRegex(where, r"^/\\")

    def test_H1_0_plain_goes_to_https(self):
        status, fields, _ = self.get("/a/b?c=d", "blog.example")
        self.assertEqual(308, status)
        # This daemon has no port 443: its TLS listener is meant.
        self.assertEqual("https://blog.example:%d/a/b?c=d" % self.port,
                         fields["location"])
        self.assertEqual("close", fields["connection"])

    def test_H1_0_www_goes_to_apex(self):
        s = self.tls("www.blog.example")
        status, fields, _ = self.get("/a%20b?c=d", "www.blog.example",
                                     sock=s)
        self.assertEqual((302, "https://blog.example/a%20b?c=d"),
                         (status, fields["location"]))

    def test_H1_0_http_off(self):
        got = self.plain_talk(b"GET / HTTP/1.1\r\nHost: off.example\r\n\r\n")
        self.assertEqual(b"", got)

    def test_H1_0_conditional(self):
        _, fields, _ = self.get("/style.css")
        when = fields["last-modified"]
        self.assertEqual(304, self.get("/style.css", headers=(
            "If-Modified-Since: " + when,))[0])
        self.assertEqual(200, self.get("/style.css", headers=(
            "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT",))[0])
        if "etag" in fields:
            self.assertEqual(304, self.get("/style.css", headers=(
                "If-None-Match: " + fields["etag"],))[0])

    def test_H1_1_framing_that_disagrees(self):
        for fields in (
                "Content-Length: 5\r\nTransfer-Encoding: chunked",
                "Content-Length: 5\r\nContent-Length: 6",
                "Content-Length: +5", "Content-Length: 5,6",
                "Content-Length: ", "Content-Length: 0x5",
                "Content-Length: -1", "Content-Length: 5 5",
                "Content-Length: 18446744073709551617",
                "Transfer-Encoding: xchunked",
                "Transfer-Encoding: chunked, identity",
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                "Transfer-Encoding : chunked",
                "Transfer-Encoding: \x0bchunked"):
            data = "GET / HTTP/1.1\r\nHost: open.example\r\n%s\r\n\r\n" % \
                fields + "hello0\r\n\r\n"
            self.assertEqual(400, self.raw_status(data.encode()), fields)

    def test_H1_2_chunked_in_http_1_0(self):
        self.assertEqual(400, self.raw_status(
            b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))

    def test_H1_4_syntax(self):
        host = b"Host: open.example\r\n"
        for data in (
                b"GET / HTTP/1.1\n" + host + b"\r\n",
                b"GET / HTTP/1.1\r\nHost: open.example\n\r\n",
                b"GET / HTTP/1.1\r\n" + host + b"X: a\r\n b\r\n\r\n",
                b"GET / HTTP/1.1\r\n" + host + b"X : a\r\n\r\n",
                b"GET / HTTP/1.1\r\n" + host + b": a\r\n\r\n",
                b"GET / HTTP/1.1\r\n" + host + b"X\r\n\r\n",
                b"GET / HTTP/1.1\r\n" + host + b"X: a\0b\r\n\r\n",
                b"GET / HTTP/1.1\r\n" + host + b"X: a\rb\r\n\r\n",
                b"GET / HTTP/1.1\r\n" + host + b"X\x7f: a\r\n\r\n",
                b"GET / HTTP/1.1\r\n " + host + b"\r\n",
                b"GET  / HTTP/1.1\r\n" + host + b"\r\n",
                b"GET /  HTTP/1.1\r\n" + host + b"\r\n",
                b"GET /\tHTTP/1.1\r\n" + host + b"\r\n",
                b"GET /a b HTTP/1.1\r\n" + host + b"\r\n",
                b"GET /a\x01 HTTP/1.1\r\n" + host + b"\r\n",
                b"GET nopath HTTP/1.1\r\n" + host + b"\r\n",
                b"GET * HTTP/1.1\r\n" + host + b"\r\n"):
            self.assertEqual(400, self.raw_status(data), data)

    def test_H1_5_host(self):
        for fields in (b"", b"Host: a.example\r\nHost: a.example\r\n",
                       b"Host: \r\n", b"Host: a/b\r\n", b"Host: u@a\r\n",
                       b"Host: a?b\r\n", b"Host: a:99999\r\n",
                       b"Host: a:x\r\n", b"Host: a b\r\n",
                       b"Host: [::1\r\n", b"Host: a\0b\r\n"):
            data = b"GET / HTTP/1.1\r\n" + fields + b"\r\n"
            self.assertEqual(400, self.raw_status(data), fields)
        status, _, body = self.get("http://open.example/sub/page.txt",
                                   "open.example")
        self.assertEqual((200, b"page\n"), (status, body))

    def test_H1_7_sizes(self):
        start = b"GET / HTTP/1.1\r\nHost: open.example\r\n"
        self.assertEqual(414, self.raw_status(
            b"GET /" + b"a" * 8300 +
            b" HTTP/1.1\r\nHost: open.example\r\n\r\n"))
        self.assertEqual(431, self.raw_status(
            start + b"X: " + b"a" * 17000 + b"\r\n\r\n"))
        self.assertEqual(431, self.raw_status(
            start + b"".join(b"X%d: a\r\n" % i for i in range(150)) +
            b"\r\n"))

    def test_H1_9_pipelined(self):
        one = b"GET /sub/page.txt HTTP/1.1\r\nHost: open.example\r\n\r\n"
        two = b"HEAD /style.css HTTP/1.1\r\nHost: open.example\r\n\r\n"
        with net.tcp(self.plain) as s:
            s.sendall((one + two) * 250)
            for i in range(250):
                self.assertEqual(b"page\n", self.response(s)[2])
                self.assertEqual(
                    "19", self.response(s, "HEAD")[1]["content-length"])

    def test_H1_9_pipelines_and_does_not_read(self):
        """Memory stays where it is when nobody reads the answers."""
        data = b"GET /big.bin HTTP/1.1\r\nHost: open.example\r\n\r\n" * 20000
        pids = self.daemon.pids("tlsterm")
        before = sum(map(harness.proc.rss_kib, pids))
        with net.tcp(self.plain, rcvbuf=4096) as s:
            s.setblocking(False)
            sent = 0
            try:
                while sent < len(data):
                    sent += s.send(data[sent:])
            except BlockingIOError:
                pass
            self.assertEqual(200, self.get("/")[0])
            grown = sum(map(harness.proc.rss_kib, pids)) - before
        self.assertLess(grown, 4096)

    def test_H1_11_methods(self):
        for method, want in (("POST", 405), ("PUT", 405), ("DELETE", 405),
                             ("TRACE", 405), ("OPTIONS", 405), ("get", 501),
                             ("BREW", 501)):
            data = "%s / HTTP/1.1\r\nHost: open.example\r\n" \
                "Content-Length: 0\r\nConnection: close\r\n\r\n" % method
            status = self.raw_status(data.encode())
            self.assertEqual(want, status, method)
        status, fields, _ = self.get("/", method="DELETE")
        self.assertEqual(405, status)
        self.assertIn("GET", fields["allow"])

    def test_H1_11_connect_and_h2_preface(self):
        self.assertEqual(405, self.raw_status(
            b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n"
            b"\r\n"))
        self.assertEqual(400, self.raw_status(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))

    def test_H1_12_ranges(self):
        whole = b"body { margin: 0 }\n"
        for value, want, part in (
                ("0-0", 206, whole[:1]), ("5-", 206, whole[5:]),
                ("-5", 206, whole[-5:]), ("-500", 206, whole),
                ("0-18446744073709551615", 206, whole),
                ("-0", 416, b""), ("19-", 416, b""),
                ("9223372036854775808-", 416, b""),
                ("18446744073709551615-", 416, b""),
                ("5-2", 200, whole), ("--1", 200, whole),
                ("a-b", 200, whole), ("", 200, whole)):
            status, fields, body = self.get(
                "/style.css", headers=("Range: bytes=" + value,))
            self.assertEqual(want, status, value)
            if want != 416:
                self.assertEqual(part, body, value)
        # Several: a body of parts, each with its own head.
        status, fields, body = self.get(
            "/style.css", headers=("Range: bytes=0-3,-2,7-9",))
        self.assertEqual(206, status)
        kind, _, mark = fields["content-type"].partition("; boundary=")
        self.assertEqual("multipart/byteranges", kind)
        self.assertNotIn("content-range", fields)
        parts = body.decode().split("--" + mark)
        self.assertEqual("--\r\n", parts[-1])
        for part, (first, last) in zip(parts[1:-1],
                                       ((0, 3), (17, 18), (7, 9))):
            head, _, data = part.partition("\r\n\r\n")
            self.assertIn("Content-Type: text/css", head)
            self.assertIn("Content-Range: bytes %d-%d/19" % (first, last),
                          head)
            self.assertEqual(whole[first:last + 1].decode() + "\r\n", data)
        self.assertEqual(5, len(parts))
        # A thousand ranges, or other units: at most the file once.
        for value in ("bytes=" + "0-0," * 1000 + "1-1", "lines=1-2"):
            status, fields, body = self.get(
                "/style.css", headers=("Range: " + value,))
            self.assertEqual((200, whole), (status, body))

    def test_H1_13_upgrade_is_ignored(self):
        status, _, body = self.get("/", headers=(
            "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
            "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"))
        self.assertEqual((200, INDEX), (status, body))

    def test_H1_14_body_of_a_get(self):
        """It is read past, not taken for the next request."""
        with net.tcp(self.plain) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: open.example\r\n"
                      b"Content-Length: 30\r\n\r\n"
                      b"GET /.git/config HTTP/1.1\r\n\r\n" b"x")
            self.assertEqual(200, self.response(s)[0])
            s.sendall(b"")
            try:
                status = self.get("/style.css", sock=s)[0]
            except (AssertionError, ConnectionError):
                return                      # closing is right too
            self.assertIn(status, (200, 400))

    def test_H1_15_no_splitting(self):
        """What comes back in a field, or is a name, ends no line."""
        for path in ("/a%0d%0aX-Bad:%20yes", "/sub%0d%0aX-Bad:yes/",
                     "/%0a", "/sub/%0d%0a%0d%0a<b>", "/a\x0bb"):
            for host, port in (("open.example", None),
                               ("www.blog.example", self.port)):
                with self.tls(host) if port else net.tcp(self.plain) as s:
                    try:
                        status, fields, _ = self.get(path, host, sock=s)
                    except AssertionError:
                        self.fail("no single answer to " + path)
                    self.assertNotIn("x-bad", fields)
                    self.assertIn(status, (302, 400, 404), path)
        # A query goes back as it came, or escaped.
        for query in ("a=%0d%0aX-Bad:yes", "a=\xe4\xb8"):
            status, fields, _ = self.get("/sub?" + query)
            self.assertEqual(308, status)
            self.assertNotIn("x-bad", fields)
            self.assertRegex(fields["location"], r"^/sub/\?[!-~]*$")
        # Names that are types of nothing.
        for name in ("x.a\r\nX-Bad: yes", "x.\xe4", "x.html\n"):
            with open(os.path.join(self.root, name), "w"):
                pass
            path = "/" + urllib.parse.quote(name)
            status, fields, _ = self.get(path)
            self.assertIn(status, (200, 400))
            self.assertNotIn("x-bad", fields)

    def test_H1_16_versions(self):
        for line, want in ((b"GET / HTTP/9.9\r\n", 505),
                           (b"GET / HTTP/2.0\r\n", 505),
                           (b"GET / HTTP/1.2\r\n", 200),
                           (b"GET / HTTP/1.10\r\n", 400),
                           (b"GET /\r\n", 400),
                           (b"GET / FTP/1.1\r\n", 400)):
            data = line + b"Host: open.example\r\nConnection: close\r\n\r\n"
            self.assertEqual(want, self.raw_status(data), line)

    def test_H1_16_http_1_0_closes(self):
        got = self.plain_talk(b"GET /sub/page.txt HTTP/1.0\r\n"
                              b"Host: open.example\r\n\r\n")
        self.assertTrue(got.endswith(b"\r\n\r\npage\n"), got)

    def test_FS1_nothing_outside_the_root(self):
        for path in ("/../outside.txt", "/%2e%2e/outside.txt",
                     "/..%2foutside.txt", "/%252e%252e/outside.txt",
                     "/..;/outside.txt", "/..\\outside.txt",
                     "/%5c..%5coutside.txt", "/%c0%ae%c0%ae/outside.txt",
                     "/sub/../../outside.txt", "/./../outside.txt",
                     "//../outside.txt", "/%00/../outside.txt",
                     "/outside", "/passwd", "/etc/passwd", "/magic",
                     "/outside/", "/sub/%2e%2e/%2e%2e/outside.txt"):
            status, _, body = self.get(path)
            self.assertIn(status, (400, 404), path)
            self.assertNotIn(b"OUTSIDE", body)
            self.assertNotIn(b"root:", body)

    def test_FS1_nul_and_bad_escapes(self):
        for path in ("/index.html%00", "/%00index.html", "/%", "/%2",
                     "/%zz", "/%c0%80"):
            self.assertEqual(400, self.get(path)[0], path)

    def test_FS2_symlink_that_stays_inside(self):
        status, _, body = self.get("/inner")
        self.assertEqual((200, b"page\n"), (status, body))

    def test_FS2_hard_link(self):
        """It is a file like any other: who may make one below the root may
        as well copy it."""
        os.link(self.root + "/sub/page.txt", self.root + "/hard.txt")
        self.assertEqual(b"page\n", self.get("/hard.txt")[2])

    def test_FS4_what_is_no_file(self):
        paths = ["/fifo", "/unreadable", "/socket"]
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(self.root + "/socket")
        try:
            os.mknod(self.root + "/null", 0o666 | stat.S_IFCHR,
                     os.makedev(1, 3))
            paths.append("/null")
        except PermissionError:
            pass
        for path in paths:
            self.assertIn(self.get(path)[0], (403, 404), path)
        self.assertEqual(403, self.get("/fifo")[0])

    def test_FS5_directory_without_index(self):
        self.assertEqual(404, self.get("/noindex/")[0])

    def test_FS7_dotfiles(self):
        for path in ("/.git/config", "/.git/", "/.git", "/%2egit/config",
                     "/sub/../.git/config"):
            status, _, body = self.get(path)
            self.assertIn(status, (400, 404), path)
            self.assertNotIn(b"secret", body)
        self.assertEqual(b"Contact: x\n",
                         self.get("/.well-known/security.txt")[2])

    def test_FS8_long_paths(self):
        for path in ("/" + "a" * 256, "/" + "a/" * 2500, "/" + "a" * 5000):
            self.assertEqual(404, self.get(path)[0], path[:20])


class TestHttpTime(SiteCase):
    limits = {"handshake_timeout": 3.0, "header_timeout": 1.5,
              "idle_timeout": 1.5}

    def test_TL7_stall_in_the_handshake(self):
        got, _ = net.exchange(self.port, hello.hello("blog.example"),
                              fin=False)
        self.daemon.assert_books()

    def test_TL7_idle_after_the_handshake(self):
        s = self.tls()
        try:
            self.assertEqual(b"", s.recv(1))
        except (ssl.SSLError, ConnectionError):
            pass

    def test_H1_8_slow_header(self):
        """The deadline is for the whole head, not for each byte."""
        with net.tcp(self.plain) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: open.example\r\n\r\n")
            self.assertEqual(200, self.response(s)[0])
            began = time.monotonic()
            s.settimeout(0.1)
            got = b""
            while time.monotonic() - began < net.WAIT:
                try:
                    s.send(b"G")
                    part = s.recv(1000)
                except TimeoutError:
                    continue
                except ConnectionError:
                    break
                got += part
                if not part:
                    break
            self.assertLess(time.monotonic() - began, net.WAIT)
            self.assertIn(got[:12], (b"", b"HTTP/1.1 408", b"HTTP/1.1 400",
                                     b"HTTP/1.1 501"))

    def test_H1_8_idle_connection(self):
        with net.tcp(self.plain) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: open.example\r\n\r\n")
            self.assertEqual(200, self.response(s)[0])
            self.assertEqual(b"", net.read_end(s)[0])
