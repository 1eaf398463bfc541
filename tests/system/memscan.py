#!/usr/bin/env python3
"""memscan.py PID KEYFILE...: how often private key material is in a process.

Looks in all readable memory for each secret number of the keys as files have
it (big-endian) and as OpenSSL computes with it (little-endian limbs), by
windows of 16 bytes at both ends, and for the text of the PEM.  Needs to be
root.  Transformed copies are not found."""

import re
import subprocess
import sys

WINDOW = 16
SECRETS = ("priv", "privateExponent", "prime1", "prime2", "exponent1",
           "exponent2", "coefficient")
UNREADABLE = ("[vvar]", "[vsyscall]", "[vvar_vclock]")


def numbers(path):
    """The secret numbers of a key, big-endian."""
    text = subprocess.run(
        ["openssl", "pkey", "-in", path, "-noout", "-text"],
        capture_output=True, text=True, check=True).stdout
    for m in re.finditer(r"^(\w+):\n((?: +[0-9a-f:]+\n)+)", text, re.M):
        if m[1] in SECRETS:
            yield bytes.fromhex(re.sub(r"[\s:]", "", m[2])).lstrip(b"\0")


def needles(paths):
    """What gives a key away."""
    found = set()
    for path in paths:
        for number in numbers(path):
            for n in (number, number[::-1]):
                found |= {n[:WINDOW], n[-WINDOW:]}
        with open(path, "rb") as f:
            lines = f.read().split(b"-----")[2].split()
        found |= set(x[:32] for x in lines if len(x) >= 32)
    return found


def regions(pid):
    """(start, length) of what can be read."""
    with open("/proc/%d/maps" % pid) as maps:
        for line in maps:
            f = line.split()
            if "r" in f[1] and f[-1] not in UNREADABLE:
                a, b = (int(x, 16) for x in f[0].split("-"))
                yield a, b - a


def scan(pid, wanted):
    """(hits, bytes that were looked at)"""
    hits = size = 0
    with open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for start, length in regions(pid):
            try:
                mem.seek(start)
                data = mem.read(length)
            except OSError:
                continue
            size += len(data)
            hits += sum(data.count(n) for n in wanted)
    return hits, size


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    print("%d hits in %d bytes" % scan(int(sys.argv[1]),
                                       needles(sys.argv[2:])))
