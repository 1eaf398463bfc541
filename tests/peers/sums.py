#!/usr/bin/env python3
"""Whether the counters of a daemon at rest add up.

usage: sums.py BEFORE AFTER ROUTES LOG

BEFORE and AFTER are the answers of `l4muxctl -j status`, ROUTES that of
`l4muxctl -j routes`, LOG what the daemon wrote.  Prints each sum that does not
fit (see common/stats.h) and exits 1.
"""

import json
import re
import sys

bad = []


def same(what, a, b):
    if a != b:
        bad.append(f"{what}: {a} is not {b}")


def load(name):
    with open(name) as f:
        return json.load(f)


def key(p):
    return p["role"], p["name"], p["instance"]


def total(procs, counter):
    return sum(p["counters"][counter] for p in procs)


before, after, routes = map(load, sys.argv[1:4])
procs = after["processes"]
children = [p for p in procs if p["role"] != "master"]
by = {}
for p in procs:
    by.setdefault(p["role"], []).append(p)
receivers = by.get("proxy", []) + by.get("tlsterm", [])

# The same processes as at the start, none of them restarted.
same("processes", sorted((key(p), p["pid"]) for p in procs),
     sorted((key(p), p["pid"]) for p in before["processes"]))
same("restarts", sum(p["restarts"] for p in procs), 0)
same("state", after["state"], "running")

for p in by["worker"]:
    c = p["counters"]
    name = f"worker {p['instance']}"
    same(f"{name}: accepted", c["accepted"], c["undecided"] + c["queued"] +
         c["handed"] + c["ended"])
    same(f"{name}: undecided", c["undecided"], 0)
    same(f"{name}: queued", c["queued"], 0)
    if c["accepted"] == 0:
        bad.append(f"{name}: accepted nothing")

for p in receivers:
    c = p["counters"]
    name = f"{p['name']} {p['instance']}"
    same(f"{name}: received", c["received"] + c.get("taken_over", 0),
         c["live"] + c["ended"] + c.get("handed_on", 0))
    same(f"{name}: live", c["live"], 0)

same("handed", total(by["worker"], "handed"), total(receivers, "received"))
for what in "ipc_bad", "ipc_lost", "log_dropped", "fd_full":
    same(what, total(children, what), 0)
for what in "shed", "limited", "proxy_bad":
    same(what, total(by["worker"], what), 0)

terms = by["tlsterm"]
same("requests", total(terms, "requests"),
     sum(total(terms, f"responses_{n}xx") for n in "2345"))
same("5xx", total(terms, "responses_5xx"), 0)

# Every connection that was handed on took exactly one rule, name or fallback,
# and arrived where that says.
hits = {}
for r in routes["routes"] + list(routes["fallback"].values()):
    to = r["to"] if r["kind"] == "upstream" else r["kind"]
    hits[to] = hits.get(to, 0) + r["hits"]
for n in routes["names"]:
    hits["site"] = hits.get("site", 0) + n["hits"]
same("hits", sum(hits.values()), total(by["worker"], "handed"))
same("hits of sites", hits["site"], total(terms, "received"))
for name in {p["name"] for p in by["proxy"]}:
    same(f"hits of {name}", hits.get(name, 0),
         total([p for p in by["proxy"] if p["name"] == name], "received"))

# And wrote one line, with its bytes.
lines = in_ = out = 0
with open(sys.argv[4], errors="replace") as f:
    for line in f:
        m = re.search(r"\bconn id=.* in=(\d+) out=(\d+) ", line)
        if m:
            lines += 1
            in_ += int(m[1])
            out += int(m[2])
accepted = total(by["worker"], "accepted")
same("lines of connections", lines, accepted)
same("bytes in, log and counters", in_, total(children, "bytes_in"))
same("bytes out, log and counters", out, total(children, "bytes_out"))

print("\n".join(bad) or f"{accepted} connections, {in_} bytes in, {out} out")
sys.exit(bool(bad))
