"""results.json and results.md."""
import json
import statistics

from .common import WORKLOADS
from .goals import table_goals

HEAD = """# Results

%s

Medians over rounds. `x peer`: this subject against the best other peer of the
row set, median of the per-round ratios (for rates and GiB/s above 1 is better;
for CPU below 1 is better). `x direct` likewise, against the reference named
there. Subjects marked * are references or ours, never counted as "best peer";
nor is a peer that lost more than 1 in 1000. Spread = (max-min)/median over
rounds; noise from other work only ever adds CPU, so the best round is the
sturdiest CPU figure.
"""

MEMORY = (
    ("PSS KiB/conn", "pss_kib"),
    ("RSS KiB/conn", "rss_kib"),
    ("cgroup (user+kernel) KiB/conn", "cg_kib"),
    ("kernel part", "kmem_kib"),
    ("system KiB/conn (all ends)", "sys_kib"),
    ("base PSS KiB", "base_pss_kib"),
    ("processes", "procs"),
    ("setup CPU us/conn", "cpu_per"),
    ("CPU us/s while idle", "idle_cpu_us_s"),
)
LOST = ("fail", "misrouted", "connfail", "early_eof", "count_mismatch")


def med(v):
    return statistics.median(v) if v else None


def fmt(x):
    if x is None:
        return "-"
    if isinstance(x, str):
        return x
    a = abs(x)
    if a >= 1000:
        return "%d" % round(x)
    for least, form in ((100, "%.0f"), (10, "%.1f"), (0.1, "%.2f")):
        if a >= least:
            return form % x
    return "0.00" if a == 0 else "%.3f" % x


def short(x):
    """Five digits are enough for everything."""
    if isinstance(x, dict):
        return {k: short(v) for k, v in x.items()}
    if isinstance(x, list):
        return [short(v) for v in x]
    return float("%.5g" % x) if isinstance(x, float) else x


def write_json(res, meta, path):
    """One record a line."""

    def subject(name, rounds):
        lines = ",\n  ".join(json.dumps(short(r)) for r in rounds)
        return ' "%s": [\n  %s]' % (name, lines)

    def workload(w, rows):
        return '"%s": {\n%s}' % (
            w,
            ",\n".join(subject(n, v) for n, v in rows.items()),
        )

    with open(path, "w") as f:
        f.write('{"meta": %s,\n"results": {\n' % json.dumps(meta))
        f.write(",\n".join(workload(w, rows) for w, rows in res.items()))
        f.write("}}\n")


def row(cells):
    return "| " + " | ".join(cells) + " |"


def rule(n):
    return "|" + "---|" * n


def variant_cell(v):
    if not v:
        return "-"
    if v["ok"] == v["n"]:
        return "ok"
    words = ("ok", "fail", "misrouted", "timeout")
    said = " ".join("%s %d" % (k, v[k]) for k in words if v[k])
    return "%s/%d" % (said, v["n"])


def table_variants(rows):
    names = [v["variant"] for r in rows.values() for v in r[0]["variants"]]
    names = list(dict.fromkeys(names))
    out = [row(["subject", "served right %"] + names), rule(len(names) + 2)]
    for n, r in rows.items():
        by = {v["variant"]: v for v in r[0]["variants"]}
        cells = [variant_cell(by.get(v)) for v in names]
        out.append(row([n, fmt(r[0].get("okpct"))] + cells))
    return out


def table_calls(rows, unit):
    out = [row(["subject", "calls per " + unit, "the calls"]), rule(3)]
    for n in sorted(rows, key=lambda n: rows[n][0].get("calls", 1e9)):
        r = rows[n][0]
        each = ", ".join("%s %.2f" % x for x in r.get("each", {}).items())
        out.append(row([n, fmt(r.get("calls")), r.get("error") or each]))
    return out


def table_memory(rows, mark):
    out = [
        row(["subject", "held"] + [title for title, _ in MEMORY]),
        rule(len(MEMORY) + 2),
    ]
    for n in sorted(rows, key=lambda n: rows[n][0].get("pss_kib", 1e9)):
        r = rows[n][0]
        held = "%s of %s" % (
            r.get("ok", r.get("error", "?")),
            r.get("wanted", "?"),
        )
        cells = [fmt(r.get(k)) for _, k in MEMORY]
        out.append(row([n + mark(n), held] + cells))
    return out


class Rounds:
    """What the rounds of one workload say, subject by subject."""

    KEYS = ("cpu_per", "p50_us", "p99_us", "backend_cpu_per")

    def __init__(self, rows, kinds, main):
        self.rows, self.main = rows, main
        self.median = {
            n: {k: med(self.values(n, k)) for k in (main,) + self.KEYS}
            for n in rows
        }
        # who loses more than 1 in 1000 is not a yardstick
        self.peers = [
            n
            for n in rows
            if kinds[n]["kind"] == "peer"
            and self.median[n][main]
            and self.lost(n) <= self.done(n) / 1000
        ]

    def good(self, n):
        return [r for r in self.rows[n] if not r.get("error")]

    def values(self, n, key):
        return [
            r[key]
            for r in self.good(n)
            if r.get(key) is not None and r.get(self.main) is not None
        ]

    def lost(self, n):
        return sum(r.get(k, 0) for r in self.good(n) for k in LOST)

    def done(self, n):
        return sum(r.get("ok", r.get("n", 0)) or 0 for r in self.good(n))

    def ratio(self, n, ref, key):
        """The median of what the same rounds say of both."""
        return med(
            [
                a[key] / b[key]
                for a, b in zip(self.rows[n], self.rows[ref])
                if a.get(key)
                and b.get(key)
                and not (a.get("error") or b.get("error"))
            ]
        )

    def best(self, n, key, high=False):
        others = [x for x in self.peers if x != n and self.median[x][key]]
        if not others:
            return None
        pick = max if high else min
        return pick(others, key=lambda x: self.median[x][key])

    def against(self, n, ref, key, name=True):
        if ref is None or ref not in self.rows or ref == n:
            return "-"
        text = fmt(self.ratio(n, ref, key))
        return "%s %s" % (text, ref) if name else text

    def spread(self, n, key):
        v = [x for x in self.values(n, key) if x]
        if len(v) < 2 or not med(v):
            return "-"
        return "%.0f%%" % ((max(v) - min(v)) / med(v) * 100)


def reference(part, rows):
    if part != "C":
        return "direct"
    return "mini-handoff" if "mini-handoff" in rows else "nginx-site"


def table_rates(w, rows, kinds, mark):
    part, _, _, main, unit = WORKLOADS[w]
    x = Rounds(rows, kinds, main)
    ref = reference(part, rows)
    latency = w == "C1seq"
    resumed = w in ("B2", "C2")
    head = [
        "subject",
        {"rate": unit + "/s", "gibps": "GiB/s"}[main],
        "spread",
        "p50 us",
        "p99 us",
        "CPU " + ("s/GiB" if unit == "GiB" else "us/" + unit),
        "spread",
        "best round",
        "x peer (%s)" % main,
        "x peer (CPU)",
        "x %s (%s)" % (ref, main),
        "x %s (CPU)" % ref,
        (
            "x peer (p50)"
            if latency
            else "new tickets" if resumed else "other side CPU"
        ),
        "errors",
    ]
    out = [row(head), rule(len(head))]
    for n in sorted(rows, key=lambda n: x.median[n]["cpu_per"] or 1e9):
        m = x.median[n]
        if part == "A":
            last = fmt(m["backend_cpu_per"])
        elif latency:
            last = x.against(n, x.best(n, "p50_us"), "p50_us")
        elif resumed:
            last = fmt(med(x.values(n, "tickets")))
        else:
            last = "-"
        cells = [
            n + mark(n),
            fmt(m[main]),
            x.spread(n, main),
            fmt(m["p50_us"]),
            fmt(m["p99_us"]),
            fmt(m["cpu_per"]),
            x.spread(n, "cpu_per"),
            fmt(min(x.values(n, "cpu_per"), default=None)),
            x.against(n, x.best(n, main, True), main),
            x.against(n, x.best(n, "cpu_per"), "cpu_per"),
            x.against(n, ref, main, False),
            x.against(n, ref, "cpu_per", False),
            last,
        ]
        said = [r["error"] for r in rows[n] if r.get("error")]
        cells.append(" ".join([str(x.lost(n))] + [e[:60] for e in said[:1]]))
        out.append(row(cells))
    return out


def report(res, meta, path):
    """path.json and path.md."""
    kinds = meta["subjects"]
    said = " ".join("%s=%s" % x for x in meta.items() if x[0] != "subjects")

    def mark(n):
        return "" if kinds[n]["kind"] == "peer" else "*"

    write_json(res, meta, path + ".json")
    out = [HEAD % said]
    goals = table_goals(res)
    if goals:
        out += ["## Goals", ""] + goals + [""]
    for w in WORKLOADS:
        if w not in res:
            continue
        _, _, title, _, unit = WORKLOADS[w]
        out += ["## %s: %s" % (w, title), ""]
        if w == "A2":
            out += table_variants(res[w])
        elif w in ("SA", "SB"):
            out += table_calls(res[w], unit)
        elif w in ("A5", "B5", "C5"):
            out += table_memory(res[w], mark)
        else:
            out += table_rates(w, res[w], kinds, mark)
        out.append("")
    with open(path + ".md", "w") as f:
        f.write("\n".join(out) + "\n")
