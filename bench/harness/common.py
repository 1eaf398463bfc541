"""The workloads, and what the whole run has in common."""
import os
import sys

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.environ.get("BENCH_OUT") or os.path.join(HERE, "out")
SNI_A, SNI_B = "a.example.test", "b.example.test"


class State:
    """Set by the runner before anything is measured."""

    tmp = None  # directory with keys, site and the subjects' folders
    nofile = 0  # descriptors a process may have
    backend = None  # the backend's Group
    backend_ports = ()
    subject_cpus = load_cpus = ()
    groups = []  # those that exist, for the end


state = State()

# name: (part, needs, title, main metric, better, unit of work)
WORKLOADS = {
    "A1": (
        "A",
        "",
        "passthrough: ClientHello 517 B, 64 B reply, close (32 concurrent)",
        "rate",
        "conn",
    ),
    "A1pq": (
        "A",
        "",
        "same with a 1.8 KiB post-quantum ClientHello in one segment",
        "rate",
        "conn",
    ),
    "A1seq": (
        "A",
        "",
        "same as A1, one connection at a time (latency)",
        "rate",
        "conn",
    ),
    "A2": (
        "A",
        "",
        "odd ClientHello deliveries: connections served right",
        "okpct",
        "conn",
    ),
    "A3down1": (
        "A",
        "",
        "bulk backend to client, 1 connection",
        "gibps",
        "GiB",
    ),
    "A3down16": (
        "A",
        "",
        "bulk backend to client, 16 connections",
        "gibps",
        "GiB",
    ),
    "A3up1": ("A", "", "bulk client to backend, 1 connection", "gibps", "GiB"),
    "A3up16": (
        "A",
        "",
        "bulk client to backend, 16 connections",
        "gibps",
        "GiB",
    ),
    "A4": ("A", "", "64 B ping-pong, 1 connection", "rate", "round trip"),
    "A4x64": ("A", "", "64 B ping-pong, 64 connections", "rate", "round trip"),
    "A5": ("A", "", "idle proxied connections: memory", "pss_kib", "conn"),
    "SA": (
        "A",
        "",
        "system calls per proxied connection (strace -c, A1 load)",
        "calls",
        "conn",
    ),
    "B1": (
        "B",
        "",
        "full TLS 1.3 handshakes, ECDSA P-256, X25519 (32 concurrent)",
        "rate",
        "handshake",
    ),
    "B2": (
        "B",
        "tick",
        "resumed TLS 1.3 handshakes (tickets, psk_dhe_ke)",
        "rate",
        "handshake",
    ),
    "B3h1-1k": (
        "B",
        "h1",
        "1 KiB file, HTTP/1.1 TLS keep-alive (wrk -t1 -c32)",
        "rate",
        "request",
    ),
    "B3h1-10k": (
        "B",
        "h1",
        "10 KiB file, HTTP/1.1 TLS keep-alive (wrk -t1 -c32)",
        "rate",
        "request",
    ),
    "B3h2-1k": (
        "B",
        "h2",
        "1 KiB file, HTTP/2 (h2load -c8 -m16)",
        "rate",
        "request",
    ),
    "B3h2-10k": (
        "B",
        "h2",
        "10 KiB file, HTTP/2 (h2load -c8 -m16)",
        "rate",
        "request",
    ),
    "B4h1": (
        "B",
        "h1 big",
        "64 MiB file over HTTP/1.1 TLS (wrk -t1 -c4)",
        "gibps",
        "GiB",
    ),
    "B4h2": (
        "B",
        "h2 big",
        "64 MiB file over HTTP/2 (h2load -c4 -m1, 1 MiB windows)",
        "gibps",
        "GiB",
    ),
    "B5": (
        "B",
        "h1",
        "idle TLS keep-alive connections after one GET: memory",
        "pss_kib",
        "conn",
    ),
    "B6gzip": (
        "B",
        "h1 gz",
        "100 KiB HTML, Accept-Encoding: gzip (precompressed file offered)",
        "rate",
        "request",
    ),
    "B6zstd": (
        "B",
        "h1 gz",
        "100 KiB HTML, Accept-Encoding: zstd, gzip (precompressed offered)",
        "rate",
        "request",
    ),
    "C1": (
        "C",
        "",
        "shared port: full TLS 1.3 handshakes with the site (32 concurrent)",
        "rate",
        "handshake",
    ),
    "C1seq": (
        "C",
        "h1",
        "shared port: connect to first byte of a 1 KiB GET, one at a time",
        "rate",
        "conn",
    ),
    "C2": (
        "C",
        "tick",
        "shared port: resumed TLS 1.3 handshakes with the local site",
        "rate",
        "handshake",
    ),
    "C3h1-1k": (
        "C",
        "h1",
        "shared port: 1 KiB file, HTTP/1.1 TLS keep-alive (wrk -t1 -c32)",
        "rate",
        "request",
    ),
    "C3h1-10k": (
        "C",
        "h1",
        "shared port: 10 KiB file, HTTP/1.1 TLS keep-alive (wrk -t1 -c32)",
        "rate",
        "request",
    ),
    "C3h2-1k": (
        "C",
        "h2",
        "shared port: 1 KiB file, HTTP/2 (h2load -c8 -m16)",
        "rate",
        "request",
    ),
    "C4h1": (
        "C",
        "h1 big",
        "shared port: 64 MiB file over HTTP/1.1 TLS (wrk -t1 -c4)",
        "gibps",
        "GiB",
    ),
    "C5": (
        "C",
        "h1",
        "shared port: idle TLS connections after one GET: memory of all hops",
        "pss_kib",
        "conn",
    ),
    "SB": (
        "B",
        "h1",
        "system calls per 1 KiB HTTP/1.1 TLS request (strace -c)",
        "calls",
        "request",
    ),
}


def log(*a):
    print(*a, file=sys.stderr, flush=True)
