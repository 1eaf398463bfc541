"""A daemon that serves sites, and a client for them."""

import os
import re
import shutil
import tempfile

import net
from harness import Case, free_port

INDEX = b"<!doctype html><title>blog</title>\n"
BIG = os.urandom(6_000_000)     # more than a socket ever buffers


def fill(root):
    """A document root with what a request may try to reach."""
    files = {"index.html": INDEX, "404.html": b"<p>not here\n",
             "style.css": b"body { margin: 0 }\n", "big.bin": BIG,
             "empty.txt": b"", "sub/index.html": b"sub\n",
             "sub/page.txt": b"page\n", ".git/config": b"secret\n",
             ".well-known/security.txt": b"Contact: x\n",
             "a b%.txt": b"odd name\n", "noindex/file.txt": b"f\n"}
    for name, data in files.items():
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
    with open(os.path.join(os.path.dirname(root), "outside.txt"), "w") as f:
        f.write("OUTSIDE\n")
    os.symlink("/etc/passwd", root + "/passwd")
    os.symlink("../outside.txt", root + "/outside")
    os.symlink("/proc/self/fd/3", root + "/magic")
    os.symlink("/etc", root + "/etc")
    os.symlink("sub/page.txt", root + "/inner")
    os.mkfifo(root + "/fifo")
    with open(root + "/unreadable", "w") as f:
        f.write("x")
    os.chmod(root + "/unreadable", 0)


class SiteCase(Case):
    limits = {}
    more = {}

    @classmethod
    def configure(cls):
        cls.tmp = tempfile.mkdtemp(prefix="l4mux-site-")
        os.chmod(cls.tmp, 0o755)
        cls.keep(type("Tmp", (), {
            "stop": lambda: shutil.rmtree(cls.tmp, ignore_errors=True)}))
        cls.root = cls.tmp + "/root"
        os.mkdir(cls.root)
        fill(cls.root)
        cls.port, cls.plain = free_port(), free_port()
        return {
            "listen": ("127.0.0.1:%d" % cls.port,
                       "127.0.0.1:%d" % cls.plain),
            "sites": {
                "blog": {"names": ["blog.example"], "root": cls.root,
                         "error_pages": ({"status": 404,
                                          "file": "/404.html"},),
                         "headers": ["X-Test: yes"]},
                "www": {"names": ["www.blog.example"],
                        "redirect": "https://blog.example{uri}"},
                "open": {"names": ["open.example", "*.open.example"],
                         "root": cls.root, "http": "serve"},
                "off": {"names": ["off.example"], "root": cls.root,
                        "http": "off"},
            },
            "fallback": "blog",
            "limits": {"hello_timeout": 10.0, **cls.limits},
            "processes": {"worker": 1, "tlsterm": 2, "keys": 2},
            **cls.more,
        }

    # talking

    def plain_talk(self, data, fin=False):
        """Bytes to the plain port; all that comes until the end."""
        return net.exchange(self.plain, data, fin=fin)[0]

    def tls(self, name="blog.example", **kwargs):
        s = net.tls(self.port, name, **kwargs)
        self.addCleanup(s.close)
        return s

    def get(self, path, host="open.example", method="GET", headers=(),
            sock=None):
        """(status, {header: value}, body) over plain HTTP or a socket."""
        own = sock is None
        s = sock or net.tcp(self.plain)
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: " + host,
                 *headers]
        s.sendall("".join(x + "\r\n" for x in lines).encode("latin-1") +
                  b"\r\n")
        try:
            return self.response(s, method)
        finally:
            if own:
                s.close()

    def response(self, s, method="GET"):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            c = s.recv(1)
            if not c:
                raise AssertionError("end in the head: %r" % head)
            head += c
        first, *rest = head.decode("latin-1").split("\r\n")[:-2]
        self.assertRegex(first, r"^HTTP/1\.1 \d{3} ")
        status = int(first.split()[1])
        fields = {}
        for line in rest:
            k, _, v = line.partition(": ")
            self.assertNotIn(k.lower(), fields)
            fields[k.lower()] = v
        body = b""
        if method != "HEAD" and status not in (204, 304):
            body = net.read_exactly(s, int(fields["content-length"]))
            self.assertEqual(len(body), int(fields["content-length"]))
        return status, fields, body

    def raw_status(self, data, port=None):
        """The status that the bytes are answered with; the connection has
        to end after it.  0: closed without an answer."""
        got, _ = net.exchange(port or self.plain, data, fin=False)
        m = re.match(rb"HTTP/1\.1 (\d{3}) ", got)
        return int(m[1]) if m else 0
