"""Tables and pictures of what bench/growth has measured."""
import statistics

from .svg import Panel, picture


def clean(values):
    return [v for v in values or () if v is not None]


def mid(p, key):
    v = clean(p.get(key))
    return statistics.median(v) if v else None


def curve(points, key, scale=1):
    """[(n, median, least, most)] of those that were measured."""
    return [(p["n"], mid(p, key) * scale, min(clean(p[key])) * scale,
             max(clean(p[key])) * scale)
            for p in points if clean(p.get(key))]


def ratio(points, p, key):
    """To the first point: the median of the ratios of single rounds."""
    both = [v / f for v, f in zip(p.get(key, ()), points[0].get(key, ()))
            if v is not None and f]
    return statistics.median(both) if both else None


def show(v, digits=1):
    return "-" if v is None else "{:,.{}f}".format(v, digits)


def table(heads, rows):
    return "\n".join(
        ["| %s |" % " | ".join(heads), "|" + "---|" * len(heads)]
        + ["| %s |" % " | ".join(r) for r in rows])


def size(p):
    return "{:,}".format(p["n"])


def table_sessions(res):
    pts = [p for p in res["points"] if clean(p.get("cpu"))]
    later = pts[1:]
    return table(
        ["idle sessions", "CPU of a new connection, us", "of the first",
         "memory of each further session, KiB", "with the kernel's, KiB",
         "of the first"],
        [[size(p), show(mid(p, "cpu")), show(ratio(pts, p, "cpu"), 2),
          show(mid(p, "pss"), 2), show(mid(p, "all"), 2),
          show(ratio(later, p, "all") if later else None, 2)]
         for p in pts])


def table_routes(res):
    rows = []
    for e, w in zip(res["exact"], res["wildcard"]):
        rows.append([
            size(e), show(mid(e, "cpu")), show(ratio(res["exact"], e, "cpu"),
                                               2),
            show(mid(w, "cpu")), show(ratio(res["wildcard"], w, "cpu"), 2),
            show(mid(e, "start"), 2)])
    return table(
        ["routes", "CPU of a connection, us", "of the first",
         "with wildcards, us", "of the first", "start, s"], rows)


def further(first, p):
    """Memory of each site beyond those of the first point."""
    if p is first:
        return None
    return (mid(p, "pss") - mid(first, "pss")) / (p["n"] - first["n"])


def table_sites(pts):
    return table(
        ["sites", "CPU of a full handshake, us", "of the first",
         "of a 1 KiB request, us", "of the first", "memory, MiB",
         "of each further site, KiB", "start, s", "reload, s"],
        [[size(p), show(mid(p, "handshake")),
          show(ratio(pts, p, "handshake"), 2), show(mid(p, "request")),
          show(ratio(pts, p, "request"), 2), show(mid(p, "pss") / 1024),
          show(further(pts[0], p)),
          show(mid(p, "start"), 2), show(mid(p, "reload"), 2)] for p in pts])


def table_loading(p):
    return table(
        ["%s routes" % size(p), "s"],
        [["checked: l4muxd -n", show(mid(p, "check"), 2)],
         ["started, until it is ready", show(mid(p, "start"), 2)],
         ["reloaded, until the new processes have taken over",
          show(mid(p, "reload"), 2)]])


def table_workers(pts):
    rows = []
    for w, what in (("A1", "relayed connections"),
                    ("B1", "full TLS handshakes")):
        for p in pts:
            rows.append([
                what, size(p), show(mid(p, w + "_rate"), 0),
                show(ratio(pts, p, w + "_rate"), 2),
                show(mid(p, w + "_cpu")), show(ratio(pts, p, w + "_cpu"), 2),
                show(mid(p, w + "_used"), 2)])
    return table(["work", "of each process", "a second", "of one",
                  "CPU, us", "of one", "CPUs used"], rows)


TABLES = (("sessions", table_sessions), ("routes", table_routes),
          ("sites", table_sites), ("loading", table_loading),
          ("workers", table_workers))


def tables(res):
    m = res["meta"]
    said = ("%s, Linux %s, %d CPUs; medians of %d rounds of %s s, whiskers "
            "from the least to the most." % (
                m["date"], m["kernel"], m["cpus"], m["rounds"], m["secs"]))
    return "\n\n".join([said] + [fn(res[part]) for part, fn in TABLES
                                 if res.get(part)]) + "\n"


CONN = "CPU of a new connection"


def panels_sessions(res):
    pts = res["points"]
    return [Panel(CONN, "us", "idle sessions held",
                  [("relayed", curve(pts, "cpu"))]),
            Panel("Memory of each further session", "KiB", "idle sessions held",
                  [("processes", curve(pts, "pss")),
                   ("with the kernel's", curve(pts, "all"))])]


def panels_routes(res):
    return [Panel(CONN, "us", "routes",
                  [("exact names", curve(res["exact"], "cpu")),
                   ("wildcards", curve(res["wildcard"], "cpu"))])]


def panels_sites(pts):
    return [Panel("CPU of a full TLS handshake", "us", "sites",
                  [("with a random site", curve(pts, "handshake"))]),
            Panel("CPU of a 1 KiB request", "us", "sites",
                  [("HTTP/1.1, kept alive", curve(pts, "request"))])]


PICTURES = (("sessions", panels_sessions), ("routes", panels_routes),
            ("sites", panels_sites))


def pictures(res):
    """(name of the file, text) of each."""
    return [("growth-%s.svg" % part, picture(fn(res[part])))
            for part, fn in PICTURES if res.get(part)]
