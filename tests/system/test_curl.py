"""What a user of Caddy is used to, row by row, with curl over the wire."""

import os
import subprocess
import tempfile

from site_case import BIG, INDEX
from test_files import NOISE, PAGE, FilesCase

ABSENT = None
GET = ()
HEAD = ("-I",)
ALL = ("-H", "Accept-Encoding: zstd, br, gzip")
GZIP = ("-H", "Accept-Encoding: gzip")


def field(text):
    return ("-H", text)


def method(name):
    return ("-X", name, "-H", "Content-Length: 0")


TAG = r'^"[0-9a-f]{24}"$'
ROWS = (
    # what, path, arguments, status, fields (a pattern each), body
    ("a file", "/page.html", GET, 200,
     {"content-type": "^text/html; charset=utf-8$", "etag": TAG,
      "last-modified": " GMT$", "accept-ranges": "^bytes$",
      "vary": "^Accept-Encoding$", "content-length": "^%d$" % len(PAGE),
      "server": "^l4mux$", "content-encoding": ABSENT}, PAGE),
    ("the index", "/", GET, 200, {"content-type": "html"}, INDEX),
    ("a missing file", "/no", GET, 404, {"etag": ABSENT}, b"<p>not here\n"),
    ("a missing file in a missing directory", "/a/b/c", GET, 404, {}, None),
    ("an unreadable file", "/unreadable", GET, 403, {}, None),
    ("a directory without an index", "/noindex/", GET, 404, {}, None),
    ("a directory without slash", "/sub", GET, 308,
     {"location": "^/sub/$"}, None),
    ("its query", "/sub?a=b&c", GET, 308, {"location": r"^/sub/\?a=b&c$"},
     None),
    ("slashes before it", "//sub", GET, 308, {"location": "^/sub/$"}, None),
    ("a host before it", "//evil.example/../sub", ("--path-as-is",), 400,
     {"location": ABSENT}, None),
    ("a file with slash", "/page.html/", GET, 308,
     {"location": "^/page.html$"}, None),
    ("HEAD", "/page.html", HEAD, 200,
     {"content-length": "^%d$" % len(PAGE), "etag": TAG}, None),
    ("HEAD of a missing file", "/no", HEAD, 404, {}, None),
    ("POST to a file", "/page.html", method("POST"), 405,
     {"allow": "^GET, HEAD$"}, None),
    ("POST to a missing file", "/no", method("POST"), 404,
     {"allow": ABSENT}, None),
    ("PUT", "/page.html", method("PUT"), 405, {"allow": "GET"}, None),
    ("DELETE", "/", method("DELETE"), 405, {"allow": "GET"}, None),
    ("a hidden file", "/.git/config", GET, 404, {}, None),
    ("a well-known file", "/.well-known/security.txt", GET, 200, {},
     b"Contact: x\n"),
    ("a name in UTF-8", "/caf%C3%A9%20%E4%B8%AD.txt", GET, 200,
     {"content-type": "^text/plain; charset=utf-8$"}, b"utf-8\n"),
    ("an unknown type", "/none", GET, 200, {"content-type": ABSENT}, PAGE),
    ("the encoding the site likes", "/page.html", ALL, 200,
     {"content-encoding": "^zstd$", "vary": "^Accept-Encoding$",
      "etag": r'^"[0-9a-f]{24}-zstd"$', "accept-ranges": ABSENT}, PAGE),
    ("gzip", "/page.html", GZIP, 200,
     {"content-encoding": "^gzip$", "etag": '-gzip"$'}, PAGE),
    ("br", "/page.html", field("Accept-Encoding: br"), 200,
     {"content-encoding": "^br$", "etag": '-br"$'}, PAGE),
    ("weights", "/page.html",
     field("Accept-Encoding: zstd;q=0.1, br;q=0.2, gzip;q=0.15"), 200,
     {"content-encoding": "^br$"}, PAGE),
    ("an encoding with HEAD", "/page.html", HEAD + GZIP, 200,
     {"content-encoding": "^gzip$", "content-length": r"^\d+$"}, None),
    ("too short to encode", "/511.txt", GZIP, 200,
     {"content-encoding": ABSENT, "vary": "^Accept-Encoding$"}, PAGE[:511]),
    ("long enough", "/512.txt", GZIP, 200, {"content-encoding": "gzip"},
     PAGE[:512]),
    ("an image", "/noise.png", ALL, 200, {"content-encoding": ABSENT}, NOISE),
    ("a drawing", "/pic.svg", GZIP, 200, {"content-encoding": "gzip"}, PAGE),
    ("a module", "/a.wasm", GZIP, 200, {"content-encoding": "gzip"}, PAGE),
    ("a font", "/a.ttf", GZIP, 200, {"content-encoding": "gzip"}, PAGE),
    ("a packed font", "/a.woff2", GZIP, 200, {"content-encoding": ABSENT},
     PAGE),
    ("data", "/a.json", GZIP, 200, {"content-encoding": "gzip"}, PAGE),
    ("an icon", "/a.ico", GZIP, 200, {"content-encoding": "gzip"}, PAGE),
    ("a file beside", "/beside.js", ALL, 200,
     {"content-encoding": "^br$", "content-type": "^text/javascript"}, PAGE),
    ("a range", "/page.html", ("-r", "5-9"), 206,
     {"content-range": "^bytes 5-9/%d$" % len(PAGE), "etag": TAG,
      "vary": "^Accept-Encoding$", "content-length": "^5$"}, PAGE[5:10]),
    ("a range of an encoding", "/page.html", ("-r", "-5") + GZIP, 206,
     {"content-encoding": ABSENT}, PAGE[-5:]),
    ("a range of nothing", "/page.html", ("-r", "999999999-"), 416,
     {"content-range": r"^bytes \*/%d$" % len(PAGE)}, None),
    ("two ranges", "/page.html", ("-r", "0-1,4-5"), 206,
     {"content-type": "^multipart/byteranges; boundary="}, None),
    ("a range that is none", "/page.html", field("Range: lines=1-2"), 200,
     {}, PAGE),
    ("If-Range of another", "/page.html",
     ("-r", "0-1") + field('If-Range: "x"'), 200, {}, PAGE),
    ("since long ago", "/page.html",
     field("If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT"), 200, {},
     PAGE),
    ("since now", "/page.html",
     field("If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"), 304,
     {"etag": TAG, "vary": "^Accept-Encoding$", "content-length": ABSENT},
     b""),
    ("any", "/page.html", field("If-None-Match: *") + GZIP, 304,
     {"etag": '-gzip"$', "content-encoding": ABSENT}, b""),
    ("none of them", "/page.html", field('If-Match: "x"'), 412, {}, None),
    ("an error page with a condition", "/no",
     field("If-None-Match: *") + ("-r", "0-1"), 404,
     {"content-range": ABSENT}, b"<p>not here\n"),
    ("a large file", "/big.bin", ALL, 200, {"content-encoding": ABSENT}, BIG),
    ("fields of the site", "/page.html", GET, 200, {"x-test": "^yes$"}, None),
    ("fields of the site with an error", "/no", GET, 404,
     {"x-test": "^yes$"}, None),
)


class TestCurl(FilesCase):
    version = "--http1.1"

    @classmethod
    def configure(cls):
        conf = super().configure()
        for name in ("pic.svg", "a.wasm", "a.ttf", "a.woff2", "a.json",
                     "a.ico", "beside.js"):
            cls.write(name, PAGE)
        cls.write("beside.js.br", subprocess.run(
            ["brotli", "-c"], input=PAGE, stdout=subprocess.PIPE,
            check=True).stdout)
        cls.write("café 中.txt", b"utf-8\n")
        return conf

    def curl(self, url, *args):
        """(status, fields, body), the body decoded."""
        with tempfile.TemporaryDirectory(prefix="l4mux-curl-") as d:
            r = subprocess.run(
                ["curl", "-sk", self.version, "-m", "60",
                 "--connect-to", "::127.0.0.1:", "-D", d + "/head", "-o",
                 d + "/body", "--compressed", *args, url],
                capture_output=True)
            self.assertEqual(0, r.returncode, (url, r.stderr))
            with open(d + "/head") as f:
                head = f.read().split("\n\n")[0].splitlines()
            body = b""
            if os.path.exists(d + "/body"):
                with open(d + "/body", "rb") as f:
                    body = f.read()
        fields = dict(line.lower().split(": ", 1)[:1] +
                      line.split(": ", 1)[1:] for line in head[1:] if line)
        return int(head[0].split()[1]), fields, body

    def check(self, url, row):
        what, path, args, want, patterns, data = row
        if "-H" not in args or "Accept-Encoding" not in " ".join(args):
            args += ("-H", "Accept-Encoding:")
        status, fields, body = self.curl(url + path, *args)
        self.assertEqual(want, status, what)
        for name, pattern in patterns.items():
            if pattern is ABSENT:
                self.assertNotIn(name, fields, what)
            else:
                self.assertRegex(fields.get(name, "-"), pattern,
                                 "%s: %s" % (what, name))
        if data is not None:
            self.assertEqual(data, body, what)

    def test_CU1_rows(self):
        for row in ROWS:
            self.check("https://blog.example:%d" % self.port, row)

    def test_CU2_rows_from_memory(self):
        """The same when everything is kept and has its best encoding."""
        self.until_kept("/page.html", "gzip")
        for _ in range(3):
            for row in ROWS:
                self.check("https://blog.example:%d" % self.port, row)

    def test_CU3_redirects(self):
        status, fields, _ = self.curl("http://blog.example:%d/a?b=c" %
                                      self.plain)
        self.assertEqual((308, "https://blog.example:%d/a?b=c" % self.port,
                          "close"), (status, fields["location"],
                                     fields["connection"]))
        status, fields, _ = self.curl("https://www.blog.example:%d/a?b=c" %
                                      self.port)
        self.assertEqual((302, "https://blog.example/a?b=c"),
                         (status, fields["location"]))

    def test_CU4_another_host(self):
        status, _, _ = self.curl("https://blog.example:%d/" % self.port,
                                 "-H", "Host: open.example")
        self.assertEqual(421, status)


class TestCurlH2(TestCurl):
    version = "--http2"

    def test_CU0_version(self):
        r = subprocess.run(
            ["curl", "-sk", "--http2", "-o", "/dev/null", "-w",
             "%{http_version}", "--connect-to", "::127.0.0.1:",
             "https://blog.example:%d/" % self.port],
            capture_output=True, text=True)
        self.assertEqual("2", r.stdout)
