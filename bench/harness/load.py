"""The load programs."""
import json
import os
import re
import subprocess

from .common import BIN, HERE, SNI_A, state


def pin_load():
    os.sched_setaffinity(0, state.load_cpus)


def call(args, timeout=40, env=None):
    args = [str(a) for a in args]
    try:
        o = subprocess.run(
            args,
            cwd=BIN,
            capture_output=True,
            text=True,
            timeout=timeout,
            preexec_fn=pin_load,
            env=env,
        )
    except subprocess.TimeoutExpired:
        return {"error": "timeout"}
    try:
        return json.loads(o.stdout.strip().split("\n")[-1])
    except Exception:
        return {
            "error": (o.stderr or o.stdout).strip()[-200:]
            or "rc %d" % o.returncode,
            "raw": o.stdout[-3000:],
        }


def cenv():
    return dict(os.environ, OPENSSL_CONF=HERE + "/lib/client-openssl.cnf")


def wrk(s, path, conns, secs, enc=""):
    h = ["-H", "Accept-Encoding: " + enc] if enc else []
    r = call(
        [
            "wrk",
            "-t1",
            "-c%d" % conns,
            "-d%ds" % max(1, round(secs)),
            "--latency",
            "-s",
            HERE + "/lib/wrk.lua",
            "-H",
            "Host: " + SNI_A,
        ]
        + h
        + [
            "https://%s:%d%s"
            % (
                SNI_A if os.environ.get("L4B_HOSTS") else "127.0.0.1",
                s.port,
                path,
            )
        ],
        env=cenv(),
        timeout=secs + 25,
    )
    if "requests" in r:
        r.update(
            n=r["requests"],
            rate=r["requests"] / r["secs"],
            gib=r["bytes"] / 2**30,
            gibps=r["bytes"] / 2**30 / r["secs"],
            fail=r["errors"],
        )
    return r


def h2load(s, path, c, m, secs, wbits=20):
    a = [
        "h2load",
        "-c%d" % c,
        "-m%d" % m,
        "-D%d" % max(1, round(secs)),
        "-t1",
        "--tls13-ciphers=TLS_AES_128_GCM_SHA256",
        "-w%d" % wbits,
        "-W%d" % (wbits + 2),
        "--connect-to=127.0.0.1:%d" % s.port,
        "https://%s:%d%s" % (SNI_A, s.port, path),
    ]
    o = call(a, timeout=secs + 25, env=cenv()).get("raw", "")
    a, b = re.search(r"finished in ([\d.]+)s, ([\d.]+) req/s", o), re.search(
        r"(\d+) succeeded, (\d+) failed, (\d+) errored", o
    )
    t = re.search(r"traffic: .*?\((\d+)\) total", o)
    if not a or not b:
        return {"error": "h2load: " + o[-200:]}
    if "Application protocol: h2" not in o:
        return {"error": "answered by HTTP/1.1"}
    return dict(
        n=int(b.group(1)),
        rate=float(a.group(2)),
        fail=int(b.group(2)) + int(b.group(3)),
        secs=float(a.group(1)),
        gib=int(t.group(1)) / 2**30,
        gibps=int(t.group(1)) / 2**30 / float(a.group(1)),
    )


def load(w, s, secs):
    p = s.port
    if w == "C1seq":
        return call(["./tlsload", "first", p, secs, SNI_A, "/1k.bin"])
    if w[0] == "C":
        w = "B" + w[1:]  # the same load as part B, another subject
    if w == "A1":
        r = call(["./lg", "rate", p, 32, secs, SNI_A, 0, 0])
    elif w == "A1pq":
        r = call(["./lg", "rate", p, 32, secs, SNI_A, 0, 1])
    elif w == "A1seq":
        r = call(["./lg", "rate", p, 1, secs, SNI_A, 0, 0])
    elif w.startswith("A3"):
        r = call(
            [
                "./lg",
                "bulk",
                p,
                int(re.search(r"\d+$", w).group()),
                secs,
                SNI_A,
                "up" if "up" in w else "down",
            ]
        )
    elif w.startswith("A4"):
        r = call(["./lg", "ping", p, 64 if "x64" in w else 1, secs, SNI_A])
    elif w == "B1":
        r = call(["./tlsload", "hs", p, 32, secs, SNI_A, "full"])
    elif w == "B2":
        r = call(["./tlsload", "hs", p, 32, secs, SNI_A, "resume"])
    elif w.startswith("B3h1") or w == "SB":
        r = wrk(
            s, "/1k.bin" if w in ("SB", "B3h1-1k") else "/10k.bin", 32, secs
        )
    elif w.startswith("B3h2"):
        r = h2load(
            s, "/1k.bin" if w.endswith("-1k") else "/10k.bin", 8, 16, secs
        )
    elif w == "B4h1":
        r = wrk(s, "/64m.bin", 4, secs)
    elif w == "B4h2":
        r = h2load(s, "/64m.bin", 4, 1, secs)
    elif w == "B6gzip":
        r = wrk(s, "/page.html", 32, secs, "gzip")
    elif w == "B6zstd":
        r = wrk(s, "/page.html", 32, secs, "zstd, gzip")
    if w.startswith("B6") and r.get("bytes", 0) > 60000 * r.get("requests", 0):
        r["error"] = "answer not compressed"
    return r
