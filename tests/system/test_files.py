"""FS*: what a site makes of its files: encodings, cache, lists, and files that
change while they are served."""

import gzip
import os
import random
import re
import subprocess
import threading
import time

import net
import proc
from harness import poll
from site_case import SiteCase

ENCODINGS = ("zstd", "br", "gzip")
SUFFIX = {"zstd": ".zst", "br": ".br", "gzip": ".gz"}
WORDS = ("the socket is handed over and no byte of it replayed what was not "
         "served stays closed <p> </p> <li> href= of 443").split()
PAGE = " ".join(random.Random(1).choices(WORDS, k=18_000)).encode()
NOISE = os.urandom(20_000)
OLD = time.time() - 100         # files that are written now are too young


def decode(encoding, data):
    if encoding == "gzip":
        return gzip.decompress(data)
    tool = {"br": "brotli", "zstd": "zstd"}[encoding]
    return subprocess.run([tool, "-dc"], input=data, check=True,
                          stdout=subprocess.PIPE).stdout


def encode(encoding, data):
    tool = {"br": "brotli", "zstd": "zstd", "gzip": "gzip"}[encoding]
    return subprocess.run([tool, "-c"], input=data, check=True,
                          stdout=subprocess.PIPE).stdout


class FilesCase(SiteCase):
    more = {"processes": {"worker": 1, "tlsterm": 1, "keys": 1}}
    sites = {}

    @classmethod
    def configure(cls):
        conf = super().configure()
        for name, data in (
                ("page.html", PAGE), ("noise.html", NOISE),
                ("noise.png", NOISE), ("text.txt", PAGE),
                ("511.txt", PAGE[:511]), ("512.txt", PAGE[:512]),
                ("large.txt", PAGE * 8), ("none", PAGE)):
            cls.write(name, data)
        for name, site in cls.sites.items():
            conf["sites"][name] = {"names": [name + ".example"],
                                   "root": cls.root, "http": "serve", **site}
        return conf

    @classmethod
    def write(cls, name, data, when=None):
        path = os.path.join(cls.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
        if when:
            os.utime(path, (when, when))
        return path

    def ask(self, path, accept=None, *headers, **kwargs):
        if accept is not None:
            headers += ("Accept-Encoding: " + accept,)
        return self.get(path, headers=headers, **kwargs)

    def until_kept(self, path, accept=None, **kwargs):
        """It is not, before its times are old enough to be trusted."""
        def hit():
            before = self.daemon.counter("tlsterm", "cache_hits")
            self.ask(path, accept, **kwargs)
            return self.daemon.counter("tlsterm", "cache_hits") > before
        poll(hit, why="%s is not kept" % path)


class TestEncodings(FilesCase):
    sites = {"off": {"encode": []}, "order": {"encode": ["gzip", "br"]},
             "keep": {"headers": ["Cache-Control: max-age=5, No-Transform"]},
             "typed": {"headers": ["Content-Type: image/png"]}}

    def test_EN1_each_and_plain(self):
        plain = self.ask("/page.html")
        self.assertEqual(PAGE, plain[2])
        self.assertNotIn("content-encoding", plain[1])
        self.assertEqual("bytes", plain[1]["accept-ranges"])
        for e in ENCODINGS:
            for _ in range(3):
                status, fields, body = self.ask("/page.html", e)
                self.assertEqual((200, e), (status,
                                            fields["content-encoding"]))
                self.assertEqual(PAGE, decode(e, body))
                self.assertLess(len(body), len(PAGE) / 2)
                self.assertEqual("Accept-Encoding", fields["vary"])
                self.assertNotIn("accept-ranges", fields)
                self.assertEqual(plain[1]["etag"][:-1] + "-%s\"" % e,
                                 fields["etag"])
                head = self.ask("/page.html", e, method="HEAD")[1]
                for name in ("etag", "content-encoding", "content-type",
                             "vary", "last-modified"):
                    self.assertEqual(fields[name], head[name])
                self.assertIn("content-length", head)

    def test_EN2_choice(self):
        for accept, want in (
                ("gzip, br, zstd", "zstd"), ("gzip, deflate, br", "br"),
                ("gzip;q=1.0, br;q=0.5", "gzip"), ("*", "zstd"),
                ("identity, *;q=0.5", None), ("zstd;q=0", None),
                ("identity;q=0.1, gzip;q=0.2", "gzip"), ("", None)):
            fields = self.ask("/page.html", accept)[1]
            self.assertEqual(want, fields.get("content-encoding"), accept)
        for host, want in (("off", None), ("order", "gzip"), ("keep", None),
                           ("typed", None)):
            status, fields, _ = self.ask("/page.html", "zstd, br, gzip",
                                         host=host + ".example")
            self.assertEqual((200, want, "Accept-Encoding"),
                             (status, fields.get("content-encoding"),
                              fields["vary"]), host)

    def test_EN3_what_is_not_encoded(self):
        for path in ("/511.txt", "/noise.png", "/none", "/noise.html"):
            status, fields, body = self.ask(path, "gzip")
            self.assertEqual(200, status)
            self.assertNotIn("content-encoding", fields, path)
            self.assertEqual("Accept-Encoding", fields["vary"])
            with open(self.root + path, "rb") as f:
                self.assertEqual(f.read(), body)
        self.assertEqual("gzip", self.ask("/512.txt", "gzip")[1]
                         ["content-encoding"])
        status, fields, _ = self.ask("/page.html", "gzip",
                                     "Cache-Control: no-transform")
        self.assertNotIn("content-encoding", fields)

    def test_EN4_plain_is_refused(self):
        for path, data in (("/511.txt", PAGE[:511]), ("/noise.png", NOISE),
                           ("/noise.html", NOISE), ("/page.html", PAGE)):
            for accept in ("identity;q=0, gzip;q=0.1", "*;q=0, br"):
                status, fields, body = self.ask(path, accept)
                self.assertEqual(200, status, path)
                self.assertEqual(data, decode(fields["content-encoding"],
                                              body))
        status, fields, _ = self.ask("/page.html", "identity;q=0")
        self.assertEqual((406, "Accept-Encoding"), (status, fields["vary"]))
        self.assertEqual(406, self.ask("/page.html", "*;q=0")[0])

    def test_EN5_conditions(self):
        base = self.ask("/page.html")[1]["etag"]
        for e in ENCODINGS:
            tag = self.ask("/page.html", e)[1]["etag"]
            for mine in (tag, base, "W/" + tag, '"x", ' + tag, "*"):
                status, fields, _ = self.ask("/page.html", e,
                                             "If-None-Match: " + mine)
                self.assertEqual((304, tag, "Accept-Encoding"),
                                 (status, fields["etag"], fields["vary"]))
                self.assertNotIn("content-encoding", fields)
            self.assertEqual(200, self.ask("/page.html", None,
                                           "If-None-Match: " + tag)[0])
            self.assertEqual(412, self.ask("/page.html", e,
                                           'If-Match: "x"')[0])
            self.assertEqual(200, self.ask("/page.html", e,
                                           "If-Match: " + tag)[0])

    def test_EN6_ranges_are_plain(self):
        tag = self.ask("/page.html")[1]["etag"]
        encoded = self.ask("/page.html", "gzip")[1]["etag"]
        for more in ((), ("If-Range: " + tag,)):
            status, fields, body = self.ask("/page.html", "gzip",
                                            "Range: bytes=10-19", *more)
            self.assertEqual((206, PAGE[10:20]), (status, body))
            self.assertNotIn("content-encoding", fields)
            self.assertEqual((tag, "Accept-Encoding"),
                             (fields["etag"], fields["vary"]))
        # A part of something else: all of it, in the encoding it may have.
        status, fields, body = self.ask("/page.html", "gzip",
                                        "Range: bytes=10-19",
                                        "If-Range: " + encoded)
        self.assertEqual((200, PAGE), (status, decode("gzip", body)))
        # One that takes nothing plain cannot have a part.
        status, fields, body = self.ask("/page.html", "gzip, identity;q=0",
                                        "Range: bytes=10-19")
        self.assertEqual((200, PAGE), (status, decode("gzip", body)))

    def test_EN7_files_beside(self):
        data = {}
        for e in ENCODINGS:
            self.write("beside/%s.bin" % e, NOISE, OLD)
            data[e] = encode(e, NOISE)
            self.write("beside/%s.bin%s" % (e, SUFFIX[e]), data[e], OLD)
        for e in ENCODINGS:
            status, fields, body = self.ask("/beside/%s.bin" % e,
                                            ", ".join(ENCODINGS))
            self.assertEqual((200, e, data[e]),
                             (status, fields["content-encoding"], body))
            self.assertNotEqual("application/gzip",
                                fields.get("content-type"))
            tag = fields["etag"]
            self.assertTrue(tag.endswith("-%s\"" % e))
            self.assertEqual(304, self.ask("/beside/%s.bin" % e, e,
                                           "If-None-Match: " + tag)[0])
            # By itself it is what it is.
            own = self.ask("/beside/%s.bin%s" % (e, SUFFIX[e]))
            self.assertEqual(data[e], own[2])
            self.assertNotIn("content-encoding", own[1])
        # It is the one that is better, if it is no less welcome.
        self.write("beside/page.html", PAGE, OLD)
        self.write("beside/page.html.gz", gzip.compress(PAGE, 1), OLD)
        self.assertEqual("gzip", self.ask("/beside/page.html", "zstd, gzip")
                         [1]["content-encoding"])
        self.assertEqual("zstd", self.ask("/beside/page.html",
                                          "zstd, gzip;q=0.5")
                         [1]["content-encoding"])
        self.assertEqual(PAGE, self.ask("/beside/page.html")[2])

    def test_EN8_files_beside_that_are_not_used(self):
        self.write("stale.txt", PAGE)
        self.write("stale.txt.gz", gzip.compress(b"old"), OLD)
        os.mkdir(self.root + "/dir.bin.gz")
        self.write("dir.bin", NOISE, OLD)
        self.write("fifo.bin", NOISE, OLD)
        os.mkfifo(self.root + "/fifo.bin.gz")
        self.write("out.bin", NOISE, OLD)
        os.symlink("../outside.txt", self.root + "/out.bin.gz")
        self.write("empty.bin", NOISE, OLD)
        self.write("empty.bin.gz", b"")
        for path in ("/dir.bin", "/fifo.bin", "/out.bin", "/empty.bin"):
            status, fields, body = self.ask(path, "gzip")
            self.assertEqual((200, NOISE, None), (
                status, body, fields.get("content-encoding")), path)
        self.assertEqual(PAGE, decode("gzip", self.ask("/stale.txt",
                                                       "gzip")[2]))

    def test_EN9_a_file_beside_comes_and_goes(self):
        self.write("late.bin", NOISE, OLD)
        self.until_kept("/late.bin", "gzip")
        path = self.write("late.bin.gz", gzip.compress(NOISE), OLD + 1)

        def encoded():
            return "content-encoding" in self.ask("/late.bin", "gzip")[1]
        poll(encoded, why="the file beside is not used")
        os.unlink(path)
        poll(lambda: not encoded(), why="the file beside is still used")
        self.assertEqual(NOISE, self.ask("/late.bin", "gzip")[2])

    def test_EN10_a_better_one_follows(self):
        for e in ENCODINGS:
            first = self.ask("/page.html", e)
            self.until_kept("/page.html", e)
            poll(lambda: len(self.ask("/page.html", e)[2]) < len(first[2]),
                 why="no better " + e)
            status, fields, body = self.ask("/page.html", e)
            self.assertEqual(PAGE, decode(e, body))
            self.assertEqual(first[1]["etag"], fields["etag"])

    def test_EN11_large_ones_follow_later(self):
        self.assertNotIn("content-encoding",
                         self.ask("/large.txt", "br")[1])
        poll(lambda: "content-encoding" in self.ask("/large.txt", "br")[1],
             why="it is never encoded")
        self.assertEqual(PAGE * 8, decode("br", self.ask("/large.txt",
                                                         "br")[2]))
        # Too large to be kept, but not to be encoded.
        huge = b"<p>a line like all others</p>\n" * 200_000
        self.write("huge.txt", huge)
        self.assertEqual(huge, self.ask("/huge.txt", "gzip")[2])
        poll(lambda: "content-encoding" in self.ask("/huge.txt", "gzip")[1],
             why="it is never encoded")
        self.assertEqual(huge, decode("gzip", self.ask("/huge.txt",
                                                       "gzip")[2]))


class TestCache(FilesCase):
    def counters(self):
        return [self.daemon.counter("tlsterm", "cache_" + k)
                for k in ("hits", "misses", "bytes")]

    def test_CA1_kept(self):
        self.until_kept("/text.txt")
        before = self.counters()
        for _ in range(200):
            self.assertEqual(PAGE, self.ask("/text.txt")[2])
        after = self.counters()
        # It is looked at anew when the second ends.
        self.assertGreater(after[0] - before[0], 100)
        self.assertGreater(after[2], len(PAGE))

    def test_CA2_change_is_noticed(self):
        one, two = b"1" * 5000, b"2" * 5000
        for change in (lambda p: self.write("change.txt", two),
                       self.replace, os.unlink,
                       lambda p: os.chmod(p, 0)):
            path = self.write("change.txt", one)
            self.until_kept("/change.txt", "gzip")
            tag = self.ask("/change.txt")[1]["etag"]
            change(path)
            poll(lambda: self.ask("/change.txt", "gzip")[:1] +
                 self.ask("/change.txt")[2:] != (200, one),
                 why="the change is not noticed")
            status, fields, body = self.ask("/change.txt")
            if status == 200:
                self.assertEqual(two, body)
                self.assertNotEqual(tag, fields["etag"])
                self.assertEqual(two, decode("gzip", self.ask(
                    "/change.txt", "gzip")[2]))
            else:
                self.assertIn(status, (403, 404))
                if os.path.exists(path):
                    os.unlink(path)

    def replace(self, path):
        self.write("change.new", b"2" * 5000, OLD)
        os.utime(self.root + "/change.new", ns=(0, os.stat(path).st_mtime_ns))
        os.rename(self.root + "/change.new", path)

    def test_CA3_young_files_are_read_each_time(self):
        """Two changes may be too close for the times of the file to differ."""
        for i in range(50):
            data = b"%05d" % i * 200
            self.write("young.txt", data)
            self.assertEqual(data, self.ask("/young.txt")[2])

    def test_CA4_index_and_error_pages(self):
        path = self.write("idx/index.html", b"one")
        self.until_kept("/idx/")
        self.assertEqual(b"one", self.ask("/idx/")[2])
        os.rename(path, self.root + "/idx/other.html")
        poll(lambda: self.ask("/idx/")[0] == 404, why="it is still there")
        self.write("idx/index.html", b"two")
        self.assertEqual(b"two", self.ask("/idx/")[2])

    def test_CA5_tag_is_of_the_content(self):
        self.write("t/1.txt", b"same" * 200, OLD)
        self.write("t/2.txt", b"same" * 200)
        self.write("t/3.txt", b"else" * 200, OLD)
        one, two, three = (self.ask("/t/%d.txt" % i)[1]["etag"]
                           for i in (1, 2, 3))
        self.assertEqual(one, two)
        self.assertNotEqual(one, three)
        self.assertRegex(one, r'^"[0-9a-f]{24}"$')


class TestCacheSmall(FilesCase):
    limits = {"cache": 300_000}

    def test_CA6_bounded(self):
        pages = {}
        for i in range(40):
            pages[i] = b"%d" % i + PAGE[:30_000]
            self.write("many/%d.html" % i, pages[i])
        self.until_kept("/many/0.html")
        for _ in range(2):
            for i, data in pages.items():
                for e in (None,) + ENCODINGS:
                    status, fields, body = self.ask("/many/%d.html" % i, e)
                    self.assertEqual(200, status)
                    self.assertEqual(data, decode(e, body) if e else body)
                self.assertLessEqual(self.daemon.counter(
                    "tlsterm", "cache_bytes"), 300_000)
        # Larger than all of it.
        self.assertEqual(PAGE * 8, self.ask("/large.txt", "gzip")[2])

    def test_CA7_slow_readers_are_counted(self):
        """What they hold is not given out twice, and others still get all."""
        self.write("slow.html", PAGE)
        self.until_kept("/slow.html")
        socks = []
        for _ in range(5):
            s = net.tcp(self.plain, rcvbuf=4096)
            self.addCleanup(s.close)
            s.sendall(b"GET /slow.html HTTP/1.1\r\nHost: open.example\r\n"
                      b"\r\n" * 20)
            socks.append(s)
        for i in range(20):
            data = b"%d" % i + PAGE
            self.write("other%d.html" % i, data)
            self.assertEqual(data, self.ask("/other%d.html" % i)[2])
        for s in socks:
            for _ in range(20):
                self.assertEqual(PAGE, self.response(s)[2])


class TestCacheOff(FilesCase):
    limits = {"cache": 0}

    def test_CA8_nothing_is_kept(self):
        for _ in range(3):
            for e in ENCODINGS:
                status, fields, body = self.ask("/page.html", e)
                self.assertEqual((200, e), (status,
                                            fields["content-encoding"]))
                self.assertEqual(PAGE, decode(e, body))
            self.assertEqual(PAGE, self.ask("/page.html")[2])
        self.assertEqual(0, self.daemon.counter("tlsterm", "cache_hits"))
        self.assertEqual(0, self.daemon.counter("tlsterm", "cache_bytes"))


class TestMoving(FilesCase):
    """FS6 and files that change while they are sent."""

    def begin(self, path):
        s = net.tcp(self.plain, rcvbuf=4096)
        self.addCleanup(s.close)
        s.sendall(("GET %s HTTP/1.1\r\nHost: open.example\r\n\r\n" %
                   path).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += net.read_exactly(s, 1)
        return s, int(re.search(rb"Content-Length: (\d+)", head)[1])

    def test_FS6_beyond_4_gib(self):
        path = self.root + "/sparse.bin"
        with open(path, "wb") as f:
            f.truncate(5 << 30)
            for at in (0, (4 << 30) - 3, (5 << 30) - 6):
                f.seek(at)
                f.write(b"marked")
        self.addCleanup(os.unlink, path)
        fields = self.ask("/sparse.bin", "gzip", method="HEAD")[1]
        self.assertEqual(str(5 << 30), fields["content-length"])
        for span, want in (("0-5", b"marked"),
                           ("%d-%d" % ((4 << 30) - 3, (4 << 30) + 2),
                            b"marked"), ("-6", b"marked"),
                           ("%d-" % ((5 << 30) - 3), b"ked")):
            status, fields, body = self.ask("/sparse.bin", None,
                                            "Range: bytes=" + span)
            self.assertEqual((206, want), (status, body), span)
            self.assertTrue(fields["content-range"].endswith(
                "/%d" % (5 << 30)))
        self.assertEqual(416, self.ask("/sparse.bin", None, "Range: bytes=%d-"
                                       % (5 << 30))[0])

    def test_FS6_empty(self):
        for accept in (None, "gzip", "gzip, identity;q=0"):
            status, fields, body = self.ask("/empty.txt", accept)
            self.assertEqual(200, status)
            self.assertEqual(b"", decode(fields["content-encoding"], body)
                             if "content-encoding" in fields else body)

    def test_FS9_truncated_while_sent(self):
        """Not a byte more or less is made up: the connection is cut."""
        path = self.write("cut.bin", os.urandom(1) * 30_000_000)
        pids = self.daemon.pids("tlsterm")
        s, length = self.begin("/cut.bin")
        self.assertEqual(30_000_000, length)
        os.truncate(path, 1000)
        got, _ = net.read_end(s)
        self.assertLess(len(got), length)
        self.assertEqual(pids, self.daemon.pids("tlsterm"))
        self.assertEqual(1000, len(self.ask("/cut.bin")[2]))

    def test_FS9_replaced_while_sent(self):
        data = os.urandom(1_000_000) * 30
        path = self.write("swap.bin", data)
        s, length = self.begin("/swap.bin")
        self.write("swap.new", b"new")
        os.rename(self.root + "/swap.new", path)
        self.assertEqual(data, net.read_exactly(s, length))
        poll(lambda: self.ask("/swap.bin")[2] == b"new", why="still the old")

    def test_FS9_grown_while_sent(self):
        data = os.urandom(1_000_000) * 30
        path = self.write("grow.bin", data)
        s, length = self.begin("/grow.bin")
        with open(path, "ab") as f:
            f.write(b"x" * 1000)
        self.assertEqual(data, net.read_exactly(s, length))
        # The next answer begins where this one ends.
        self.assertEqual(200, self.ask("/512.txt", sock=s)[0])

    def test_FS9_changing_all_the_time(self):
        """Each answer is as long as it says, whatever happens meanwhile."""
        path = self.root + "/busy.txt"
        over = threading.Event()

        def change():
            n = 0
            while not over.is_set():
                n += 1
                with open(path, "wb") as f:
                    f.write(b"%d" % (n % 10) * (1000 + n * 7919 % 300_000))
        t = threading.Thread(target=change)
        t.start()
        try:
            poll(lambda: os.path.exists(path))
            for i in range(300):
                try:
                    status = self.ask("/busy.txt", (None, "gzip", "br",
                                                    "zstd")[i % 4])[0]
                except (AssertionError, ConnectionError):
                    continue            # cut off
                self.assertIn(status, (200, 304))
        finally:
            over.set()
            t.join()
        self.assertEqual(1, len(self.daemon.pids("tlsterm")))

    def test_RE1_no_descriptor_left(self):
        self.write("later.bin", NOISE)
        pid, = self.daemon.pids("tlsterm")
        was = proc.nofile(pid)
        with net.tcp(self.plain) as s:
            self.assertEqual(200, self.ask("/512.txt", sock=s)[0])
            proc.limit_nofile(pid, 3)
            try:
                status, fields, _ = self.ask("/later.bin", sock=s)
            finally:
                proc.limit_nofile(pid, was)
            self.assertEqual((503, "1"), (status, fields["retry-after"]))
            self.assertEqual(NOISE, self.ask("/later.bin", sock=s)[2])


class TestBrowse(FilesCase):
    sites = {"list": {"browse": True, "hide": [".*", "*.secret"]}}

    def list(self, path, *headers, **kwargs):
        return self.get(path, "list.example", headers=headers, **kwargs)

    def names(self, page):
        return re.findall(r'<tr><td><a href="\./[^"]*">([^<]*)</a>',
                          page.decode())

    def test_BR1_list(self):
        for name in ("b.txt", "a.html", "Sub/x", ".hidden", "y.secret",
                     "ü 中.txt", "<i>.txt"):
            self.write("br/" + name, b"x" * len(name))
        os.symlink("b.txt", self.root + "/br/link")
        os.symlink("../sub", self.root + "/br/linkdir")
        os.symlink("/etc/passwd", self.root + "/br/out")
        os.symlink("nowhere", self.root + "/br/dangling")
        os.mkfifo(self.root + "/br/fifo")
        status, fields, page = self.list("/br/")
        self.assertEqual((200, "text/html; charset=utf-8"),
                         (status, fields["content-type"]))
        self.assertEqual(
            ["linkdir/", "Sub/", "&lt;i&gt;.txt", "a.html", "b.txt", "link",
             "ü 中.txt"], self.names(page))
        self.assertIn(b'href="./%C3%BC%20%E4%B8%AD.txt"', page)
        self.assertIn(b'<a href="../">Parent folder</a>', page)
        for href in re.findall(rb'<tr><td><a href="\./([^"]*)"', page):
            self.assertEqual(200, self.list("/br/" + href.decode())[0] if
                             b"/" not in href else 200)
        # Who asks for the order, gets it.
        self.write("br/big", b"x" * 5000)
        page = self.list("/br/?sort=size&order=desc")[2]
        self.assertEqual(["Sub/", "linkdir/", "big"],
                         sorted(self.names(page)[:2]) + self.names(page)[2:3])

    def test_BR2_like_any_file(self):
        self.write("br2/x", b"")
        self.assertEqual((308, "/br2/"), (self.list("/br2")[0],
                                          self.list("/br2")[1]["location"]))
        status, fields, page = self.list("/br2/", "Accept-Encoding: gzip")
        self.assertEqual("gzip", fields["content-encoding"])
        self.assertIn(b">x</a>", gzip.decompress(page))
        tag = fields["etag"]
        self.assertEqual(304, self.list("/br2/", "Accept-Encoding: gzip",
                                        "If-None-Match: " + tag)[0])
        head = self.list("/br2/", method="HEAD")
        self.assertEqual((200, b""), (head[0], head[2]))
        self.assertEqual(405, self.list("/br2/", method="POST")[0])
        # The index file is first, and other sites have no lists.
        self.assertEqual(b"sub\n", self.list("/sub/")[2])
        self.assertEqual(404, self.get("/br2/")[0])
        self.write("br2/y", b"")
        poll(lambda: b">y</a>" in self.list("/br2/")[2], why="no y")

    def test_BR3_nothing_hidden(self):
        self.assertEqual(404, self.list("/.git/")[0])
        self.assertNotIn(b".git", self.list("/noindex/../")[2])
        page = self.list("/noindex/")[2]
        self.assertEqual(["file.txt"], self.names(page))

    def test_FS6_links_to_nowhere(self):
        """None of them is shown, but each is looked up."""
        d = self.root + "/nowhere"
        os.mkdir(d)
        for n, more in ((9_000, False), (2_000, True)):
            for i in range(n):
                os.symlink("a/b/nothing", "%s/%d-%d" % (d, n, i))
            # Another order: what the cache has is of an earlier state.
            page = self.list("/nowhere/?sort=size&order=" + (
                "desc" if more else "asc"))[2]
            self.assertEqual([], self.names(page))
            self.assertEqual(more, b"there are more" in page)

    def test_FS6_100k_files(self):
        d = self.root + "/100k"
        os.mkdir(d)
        for i in range(100_000):
            os.close(os.open("%s/%d" % (d, i), os.O_CREAT | os.O_WRONLY))
        self.assertEqual(200, self.list("/100k/77777")[0])
        status, fields, page = self.list("/100k/")
        self.assertEqual(200, status)
        self.assertEqual(10_000, len(self.names(page)))
        self.assertIn(b"there are more", page)
