#!/usr/bin/env python3
"""Many different clients at once, for a while; every answer is compared.

usage: load.py ADDRESS DIR SECONDS

DIR is the test's folder: ca.crt, www/, other/, masq/ and far/ are what the
servers there serve.  Prints a JSON object of what was done, and each kind of
error with its number.  Exits 1 if there was one.
"""

import asyncio
import collections
import json
import os
import random
import socket
import ssl
import struct
import sys
import time

ADDRESS, DIR, SECONDS = sys.argv[1], sys.argv[2], float(sys.argv[3])
END = time.monotonic() + SECONDS
LIMIT = 30			# seconds that any one step may take

done = collections.Counter()
errors = collections.Counter()
rng = random.Random(1)


def read(name):
    with open(os.path.join(DIR, name), "rb") as f:
        return f.read()


PAGES = {
    "blog.test": [
        ("/", 200, read("www/index.html")),
        ("/posts/one/", 200, read("www/posts/one/index.html")),
        ("/img/dot.png", 200, read("www/img/dot.png")),
        ("/no/such/page", 404, read("www/404.html")),
        ("/probe.html", 200, read("www/probe.html")),
    ],
    "other.test": [("/", 200, read("other/index.html"))],
    "apple.masq.test": [("/", 200, read("masq/index.html")),
                        ("/file", 200, read("masq/file"))],
    "pear.masq.test": [("/", 200, read("masq/index.html")),
                       ("/file", 200, read("masq/file"))],
}
BIG = ("/img/big.bin", 200, read("www/img/big.bin"))
FAR = read("far/small")


def context(version):
    c = ssl.create_default_context(cafile=os.path.join(DIR, "ca.crt"))
    c.minimum_version = c.maximum_version = version
    c.set_alpn_protocols(["http/1.1"])
    return c


CONTEXTS = [context(ssl.TLSVersion.TLSv1_2), context(ssl.TLSVersion.TLSv1_3)]


class Wrong(Exception):
    pass


async def answer(r):
    """One response: status, headers, body by its Content-Length."""
    head = await r.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ")[1])
    fields = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    body = await r.readexactly(int(fields.get("content-length", "0")))
    return status, fields, body


async def get(r, w, host, page):
    path, status, body = page
    w.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    await w.drain()
    got, _, have = await answer(r)
    if got != status or have != body:
        raise Wrong(f"{host}{path}: {got}, {len(have)} bytes")


def reset(w):
    """Ends a connection with RST."""
    sock = w.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))
    w.transport.abort()


async def part(w, how):
    if how == "reset":
        reset(w)
    elif how == "abort":
        w.transport.abort()
    else:
        w.close()
        try:
            await w.wait_closed()
        except (ConnectionError, ssl.SSLError):
            pass


async def visitor(hosts):
    """A client that keeps its connection for some requests."""
    host = rng.choice(hosts)
    r, w = await asyncio.open_connection(
        ADDRESS, 443, ssl=rng.choice(CONTEXTS), server_hostname=host)
    how = rng.choice(["close", "close", "abort", "reset"])
    try:
        for _ in range(rng.randint(1, 12)):
            page = rng.choice(PAGES[host])
            if host == "blog.test" and rng.random() < 0.01:
                page = BIG
            await get(r, w, host, page)
            done["request"] += 1
            await asyncio.sleep(rng.random() * 1.2)
            if time.monotonic() > END:
                break
        if how == "reset" and host == "blog.test":
            # While an answer is on its way.
            w.write(f"GET {BIG[0]} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            await r.readexactly(1000)
    finally:
        await part(w, how)


async def plain():
    r, w = await asyncio.open_connection(ADDRESS, 80)
    try:
        w.write(b"GET /a?b=c HTTP/1.1\r\nHost: blog.test\r\n\r\n")
        status, fields, _ = await answer(r)
        if (status, fields["location"]) != (308, "https://blog.test/a?b=c"):
            raise Wrong(f"plain: {status} {fields['location']}")
        done["redirect"] += 1
        await asyncio.sleep(rng.random())
    finally:
        await part(w, "close")


async def tunnelled():
    """Through the Xray client, to a server beyond."""
    port = rng.choice([11080, 11081])
    r, w = await asyncio.open_connection("127.0.0.1", port)
    try:
        w.write(b"\5\1\0")
        if await r.readexactly(2) != b"\5\0":
            raise Wrong("socks")
        w.write(b"\5\1\0\1\x7f\0\0\1" + struct.pack(">H", 18081))
        if (await r.readexactly(10))[1] != 0:
            raise Wrong("socks connect")
        w.write(b"GET /small HTTP/1.0\r\nHost: far\r\n\r\n")
        status, _, body = await answer(r)
        if status != 200 or body != FAR:
            raise Wrong(f"tunnel: {status}, {len(body)} bytes")
        done["tunnelled"] += 1
        await asyncio.sleep(rng.random() * 2)
    finally:
        await part(w, "close")


async def odd():
    """Clients that say nothing, half of it, or what nobody knows."""
    r, w = await asyncio.open_connection(ADDRESS, 443)
    try:
        what = rng.choice([b"", b"\x16\x03\x01\x02\x00\x01\x00", b"\x16",
                           b"HELO there\r\n", b"GET / HTTP/1.1\r\nHost: x"])
        w.write(what)
        # Some for longer than the daemon waits.
        await asyncio.sleep(rng.random() * 14)
        done["odd"] += 1
    finally:
        await part(w, rng.choice(["close", "reset"]))


async def over_and_over(kind, *args):
    while time.monotonic() < END:
        try:
            await asyncio.wait_for(kind(*args), LIMIT * 4)
        except (OSError, EOFError, Wrong, asyncio.TimeoutError,
                ValueError, KeyError) as e:
            errors[f"{kind.__name__}: {type(e).__name__}: {e}"] += 1
            await asyncio.sleep(0.2)


async def main():
    jobs = []
    for n, kind, *args in (
            (190, visitor, ["blog.test", "blog.test", "other.test"]),
            (50, visitor, ["apple.masq.test", "pear.masq.test"]),
            (20, tunnelled), (20, plain), (20, odd)):
        jobs += [over_and_over(kind, *args) for _ in range(n)]
    await asyncio.gather(*jobs)
    json.dump({"done": done, "errors": errors}, sys.stdout, indent=1)
    print()
    return 1 if errors else 0

sys.exit(asyncio.run(main()))
