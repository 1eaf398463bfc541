"""Asks the metrics listener, and knows the file of its last hour."""

import os
import re
import socket
import struct
import time

import net
from harness import Case, free_port

CRLF = b"\r\n"
SLOTS, SERIES = 360, 8          # metrics/history.h
SAMPLE = "<Q%df" % SERIES


def get(port, path="/metrics", accept=None, method="GET", **kwargs):
    """Status, fields (names in lower case), body."""
    text = "%s %s HTTP/1.1\r\nHost: x\r\n" % (method, path)
    if accept:
        text += "Accept: %s\r\n" % accept
    return raw(port, text.encode() + CRLF, **kwargs)


def raw(port, data, **kwargs):
    with net.tcp(port, **kwargs) as s:
        try:
            s.sendall(data)
        except OSError:
            pass                # it may have been refused already
        return parse(net.read_end(s)[0])


def parse(got):
    head, _, body = got.partition(CRLF + CRLF)
    lines = head.decode("ascii").split("\r\n")
    fields = dict((k.lower(), v.strip()) for k, v in
                  (s.split(":", 1) for s in lines[1:]))
    return int(lines[0].split()[1]), fields, body.decode("utf-8")


def samples(text):
    """Name and labels to value."""
    return {k: float(v) for k, v in (s.rsplit(" ", 1) for s in
            text.splitlines() if s and s[0] != "#")}


class MetricsCase(Case):
    """Two upstreams, one that is gone, a site, and the listener."""

    @classmethod
    def configure(cls):
        cls.port, cls.scrape = free_port(), free_port()
        _, ups = cls.backends("one", "two")
        cls.dead, address = net.dead_address()
        ups["gone"] = {"address": address}
        return {
            "listen": ("127.0.0.1:%d" % cls.port,),
            "metrics": "127.0.0.1:%d" % cls.scrape,
            "upstreams": ups,
            "sites": {"blog": {"names": ["blog.example"], "root": "/usr",
                               "certificate": "self-signed"}},
            "routes": ({"sni": "a.example", "to": "one"},
                       {"sni": "b.example", "to": "two"},
                       {"sni": "c.example", "to": "gone"}),
            "fallback": "close",
        }

    @classmethod
    def tearDownClass(cls):
        cls.dead.close()
        super().tearDownClass()

    def get(self, *args, **kwargs):
        return get(self.scrape, *args, **kwargs)

    def pid(self):
        return self.daemon.pids("metrics")[0]


def history_path(daemon):
    """Master keeps it; who may look into master may read it there."""
    dir = "/proc/%d/fd" % daemon.pid
    for fd in os.listdir(dir):
        if "l4mux-history" in os.readlink(os.path.join(dir, fd)):
            return os.path.join(dir, fd)
    raise AssertionError("master has no history")


def history_read(daemon):
    with open(history_path(daemon), "rb") as f:
        f.seek(8)
        data = f.read(SLOTS * struct.calcsize(SAMPLE))
    return [s for s in struct.iter_unpack(SAMPLE, data) if s[0]]


def history_write(daemon, values):
    """The last sample is of now; values are lists of eight numbers.  There
    are none from before the machine was started."""
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    values = values[-min(SLOTS, now // (10 * 10 ** 9)):]
    data = struct.pack("<II", len(values) % SLOTS, 0)
    for i, v in enumerate(values):
        at = now - (len(values) - 1 - i) * 10 * 10 ** 9
        data += struct.pack(SAMPLE, at, *v)
    with open(history_path(daemon), "r+b") as f:
        f.write(data)
