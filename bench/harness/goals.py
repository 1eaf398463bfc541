"""What l4mux wants to be, and is: ratios to the best peer of each row."""
import statistics

CPU, P50, USER, ALL = "cpu_per", "p50_us", "pss_kib", "cg_kib"
NAMES = {CPU: "CPU", P50: "p50", USER: "user memory", ALL: "all memory"}

# workload, measure, peer, at most
GOALS = (
    ("A1", CPU, "nginx", 0.95),
    ("A1pq", CPU, "nginx", 0.95),
    ("A1seq", CPU, "haproxy", 0.85),
    ("A1seq", P50, "haproxy", 1.00),
    ("A3down1", CPU, "haproxy-splice", 0.85),
    ("A3down16", CPU, "haproxy-splice", 0.85),
    ("A3up1", CPU, "haproxy-splice", 0.85),
    ("A3up16", CPU, "haproxy-splice", 0.85),
    ("A4", CPU, "sslh-fork", 0.95),
    ("A4", P50, "sslh-fork", 1.00),
    ("A4x64", CPU, "nginx", 0.95),
    ("A5", USER, "haproxy", 0.10),
    ("A5", ALL, "haproxy", 0.66),
    ("B1", CPU, "nginx", 1.05),
    ("B2", CPU, "lighttpd", 0.95),
    ("B3h1-1k", CPU, "h2o", 0.80),
    ("B3h1-10k", CPU, "h2o", 0.88),
    ("B3h2-1k", CPU, "h2o", 0.95),
    ("B3h2-10k", CPU, "h2o", 0.88),
    ("B4h1", CPU, "h2o", 0.70),
    ("B4h2", CPU, "h2o", 0.60),
    ("B5", ALL, "nginx", 0.85),
    ("B6gzip", CPU, "h2o", 0.85),
    ("B6zstd", CPU, "lighttpd", 0.85),
    ("C1", CPU, "nginx-mux", 0.90),
    ("C1seq", CPU, "nginx-mux", 0.82),
    ("C1seq", P50, "nginx-mux", 0.93),
    ("C2", CPU, "nginx-mux", 0.92),
    ("C3h1-1k", CPU, "nginx-mux", 0.58),
    ("C3h1-10k", CPU, "haproxy-mux", 0.66),
    ("C3h2-1k", CPU, "haproxy-h2o", 0.75),
    ("C4h1", CPU, "haproxy-h2o", 0.55),
    ("C5", ALL, "haproxy-nginx", 0.58),
)
TIE = 1.05  # what the machine cannot tell apart

# What does the least that can be done for the part's work, by its first letter:
# a goal below its ratio asks for more than l4mux could save. One at a time, no
# batch hides what a further process costs: there it has l4mux's processes.
FLOOR = {
    "A": "floor-auto",
    "A1seq": "floor-handoff",
    "B": "direct",
    "C": "mini-handoff",
    "C1seq": "mini-keys",
}


def ratio(ours, theirs, key):
    v = [
        a[key] / b[key]
        for a, b in zip(ours, theirs)
        if a.get(key)
        and b.get(key)
        and not (a.get("error") or b.get("error"))
    ]
    return statistics.median(v) if v else None


def verdict(r, goal):
    if r <= goal:
        return "met"
    return "tie" if r <= goal * TIE else "missed"


def table_goals(res):
    """The lines of the table; none where l4mux did not run. Floor is the ratio
    of what does the least."""
    out = []
    for w, key, peer, goal in GOALS:
        rows = res.get(w, {})
        if "l4mux" not in rows or peer not in rows:
            continue
        r = ratio(rows["l4mux"], rows[peer], key)
        if r is None:
            continue
        floor = FLOOR.get(w, FLOOR[w[0]])
        floor = ratio(rows.get(floor, []), rows[peer], key)
        out.append(
            "| %s | %s | %s | %s | %.2f | %.2f | %s |"
            % (
                w,
                NAMES[key],
                peer,
                "-" if floor is None else "%.2f" % floor,
                goal,
                r,
                verdict(r, goal),
            )
        )
    if out:
        out[:0] = [
            "| work | measure | peer | floor | goal | ratio | |",
            "|---|---|---|---|---|---|---|",
        ]
    return out
