"""How cost grows with sessions, routes, sites and workers: what is measured.

Every function returns a list of points: {"n": ..., measure: [of each round]}.
"""
import json
import subprocess
import time

from . import daemon
from .common import BIN, SNI_A, log, state
from .daemon import Backends, Daemon
from .host import pin, steal
from .load import call, pin_load, wrk

CONC = 32  # connections at once, as in A1 and B1
ANY = "any." + daemon.NAME  # a relayed name
MANY = 256  # so many that two workers have enough to do
HOLD = 170  # seconds that idle sessions are held, at most


def cost(d, r, before):
    """CPU of the daemon per unit of work, in us; None where work failed."""
    n = r.get("ok") or r.get("n") or 0
    bad = (r.get("fail", 0) + r.get("misrouted", 0) + r.get("connfail", 0))
    if r.get("error") or n == 0 or bad > n / 100:
        log("!! %s: %s" % (d.dir, r))
        return None
    return (d.cg.cpu_us() - before) / n


def connections(d, secs, names, n, conc=CONC):
    before = d.cg.cpu_us()
    r = call(["./lg", "rate", d.port, conc, secs, names, 0, 0, n])
    return cost(d, r, before), r


def handshakes(d, secs, names, n, conc=CONC):
    before = d.cg.cpu_us()
    r = call(["./tlsload", "hs", d.port, conc, secs, names, "full",
              n])
    return cost(d, r, before), r


def requests(d, secs):
    before = d.cg.cpu_us()
    return cost(d, wrk(d, "/1k.bin", CONC, secs), before)


def add(point, **values):
    for k, v in values.items():
        point.setdefault(k, []).append(v)


class Idle:
    """Relayed sessions that are held open by several load programs."""

    def __init__(self, port):
        self.port, self.procs, self.n = port, [], 0

    def grow(self, n):
        while self.n < n:
            some = min(n - self.n, state.nofile - 1000)
            p = subprocess.Popen(
                ["./lg", "idle", str(self.port), str(some), ANY, str(HOLD)],
                cwd=BIN, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                text=True, preexec_fn=pin_load)
            self.procs.append(p)
            r = json.loads(p.stdout.readline() or "{}")
            self.n += r.get("ok", 0)
            if r.get("ok", 0) < some:
                log("!! only %d sessions of %d" % (self.n, n))
                return False
        return True

    def end(self):
        for p in self.procs:
            p.stdin.close()
        for p in self.procs:
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
            p.stdout.close()
        self.procs, self.n = [], 0


def settled(d):
    """When no session is left that it has to end."""
    end = time.monotonic() + 20
    was = None
    while time.monotonic() < end:
        now = d.cg.cpu_us()
        if was is not None and now - was < 500:
            return
        was = now
        time.sleep(0.2)


def sessions_round(a, d, points):
    idle = Idle(d.port)
    # what any number of sessions needs once, is there then
    connections(d, a.secs, ANY, 0)
    settled(d)
    was, n = None, 0
    for p in points:
        if not idle.grow(p["n"]):
            break
        settled(d)
        m = d.cg.memory()
        # of each that has come since; the first ones live on what is there
        for key, what in (("pss", "pss"), ("all", "cg")):
            if was and what in m:
                add(p, **{key: (m[what] - was[what]) / (idle.n - n)})
        was, n = m, idle.n
        us, _ = connections(d, a.secs, ANY, 0)
        add(p, cpu=us)
        log("sessions %6d: %.1f us, KiB %s" % (
            n, us or 0, [p[k][-1] for k in ("pss", "all") if k in p]))
    idle.end()


def sessions(a, sizes):
    """Relayed connections while so many idle sessions are held."""
    proxies = 1 + 2 * sizes[-1] // (state.nofile - 1000)
    b = Backends(sizes[-1])
    points = [{"n": n} for n in sizes]
    for _ in range(a.rounds):
        if a.over():
            break
        # a new one: what has ended leaves room for those that follow
        d = Daemon("sessions", daemon.upstream(b.ports) +
                   daemon.routes([ANY]), proxies=proxies)
        sessions_round(a, d, points)
        d.stop()
    b.cg.drop()
    return {"proxies": proxies, "points": points}


def in_turn(a, up, measure):
    """A B C, B C A, C A B: none always runs first."""
    for k in range(a.rounds):
        if a.over():
            return log("time is up")
        for p, d in up[k % len(up):] + up[:k % len(up)]:
            measure(p, d)


def routes_of(a, sizes, kind, b):
    pattern = ("h#." if kind == "exact" else "*.h#.") + daemon.NAME
    asked = pattern.replace("*", "w")
    up = []
    for n in sizes:
        d = Daemon("%s-%d" % (kind, n), daemon.upstream(b.ports) +
                   daemon.routes(daemon.numbered(pattern, n)))
        up.append(({"n": n, "start": [d.started],
                    "pss": [d.cg.memory()["pss"]]}, d))

    def measure(p, d):
        us, _ = connections(d, a.secs, asked, p["n"])
        add(p, cpu=us)
        log("routes %s %6d: %.1f us" % (kind, p["n"], us or 0))

    return up, measure


def routes(a, sizes):
    """Relayed connections, each to one of so many names."""
    b = Backends(1)
    res = {}
    for kind in ("exact", "wildcard"):
        up, measure = routes_of(a, sizes, kind, b)
        in_turn(a, up, measure)
        for _, d in up:
            d.stop()
        res[kind] = [p for p, _ in up]
    b.cg.drop()
    return res


def sites(a, sizes):
    """TLS handshakes with one of so many sites, and requests of one."""
    pattern = "s#." + daemon.NAME
    up = []
    for n in sizes:
        # wrk asks for a name that the namespace knows
        d = Daemon("sites-%d" % n, daemon.sites(
            daemon.numbered(pattern, n - 1) + [SNI_A]))
        up.append(({"n": n, "start": [d.started],
                    "pss": [d.cg.memory()["pss"]]}, d))
        log("sites %6d: %.2f s, %d KiB" % (
            n, d.started, up[-1][0]["pss"][0]))

    def measure(p, d):
        hs, _ = handshakes(d, a.secs, pattern, p["n"] - 1)
        add(p, handshake=hs, request=requests(d, 1))
        log("sites %6d: %.1f us, %.2f us" % (
            p["n"], hs or 0, p["request"][-1] or 0))

    in_turn(a, up, measure)
    for p, d in up:
        p["reload"] = [d.reload()]
        d.stop()
    return up and [p for p, _ in up]


def loading(a, sizes):
    """Seconds until so many routes are checked, served, reloaded."""
    n = sizes[-1]
    b = Backends(1)
    text = daemon.upstream(b.ports) + daemon.routes(
        daemon.numbered("h#." + daemon.NAME, n))
    p = {"n": n}
    for _ in range(min(a.rounds, 5)):
        d = Daemon("loading", text)
        m = d.cg.memory()
        add(p, check=d.check(), start=d.started, reload=d.reload(),
            pss=m["pss"])
        d.stop()
    b.cg.drop()
    log("loading", p)
    return p


def workers(a, counts):
    """One and several of each process, on all CPUs, as is the load."""
    pin("none")
    b = Backends(1)
    body = daemon.upstream(b.ports) + daemon.routes([ANY]) + daemon.sites(
        [SNI_A])
    up = []
    for n in counts:
        up.append(({"n": n}, Daemon("workers-%d" % n, body, n, n)))

    def measure(p, d):
        for what, fn, name in (("A1", connections, ANY),
                               ("B1", handshakes, SNI_A)):
            t0, c0, s0 = time.monotonic(), d.cg.cpu_us(), steal()
            us, r = fn(d, a.secs, name, 0, MANY)
            share = (d.cg.cpu_us() - c0) / 1e6 / (time.monotonic() - t0)
            add(p, **{what + "_cpu": us, what + "_rate": r.get("rate"),
                      what + "_used": share, "steal": steal() - s0})
            log("workers %d %s: %.1f us, %.0f/s, %.2f CPUs" % (
                p["n"], what, us or 0, r.get("rate", 0), share))

    in_turn(a, up, measure)
    for _, d in up:
        d.stop()
    b.cg.drop()
    pin("split")
    return [p for p, _ in up]
