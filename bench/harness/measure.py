"""One measurement: a round of a workload, system calls, idle memory."""
import json
import os
import re
import signal
import subprocess
import time

from .common import BIN, SNI_A, WORKLOADS, state
from .host import busy, steal, sys_mem
from .load import load, pin_load


def measure(w, s, secs):
    c0, b0, st0, t0, bu0 = (
        s.cg.cpu_us(),
        state.backend.cpu_us(),
        steal(),
        time.time(),
        busy(),
    )
    r = load(w, s, secs)
    c, b = s.cg.cpu_us() - c0, state.backend.cpu_us() - b0
    if s.direct:
        c = b  # direct: the backend is the served side
    r.pop("raw", None)
    n = r.get("gib") if WORKLOADS[w][4] == "GiB" else r.get("n", r.get("ok"))
    r.update(
        cpu_us=round(c),
        backend_cpu_us=round(b),
        steal=steal() - st0,
        wall=round(time.time() - t0, 3),
        machine_cpus=round((busy() - bu0) / 1e6 / (time.time() - t0), 2),
    )
    if n:
        r["cpu_per"] = c / n / (1e6 if WORKLOADS[w][4] == "GiB" else 1)
        r["backend_cpu_per"] = b / n / (1e6 if WORKLOADS[w][4] == "GiB" else 1)
    return r


def strace_count(w, s, secs):
    pids = sorted(s.cg.pids())
    if not pids:
        return {"error": "no own process"}
    f = s.rundir + "/strace.out"
    st = subprocess.Popen(
        ["strace", "-c", "-f", "-o", f]
        + [x for p in pids for x in ("-p", str(p))],
        stderr=subprocess.DEVNULL,
    )
    time.sleep(0.6)
    r = load("A1" if w == "SA" else "SB", s, secs)
    st.send_signal(signal.SIGINT)
    try:
        st.wait(10)
    except subprocess.TimeoutExpired:
        st.kill()
    n = r.get("ok") or r.get("n")
    if not n or not os.path.exists(f):
        return {"error": "strace or load failed: %s" % r}
    calls = {}
    for l in open(f):
        m = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(\d+\s+)?(\S+)$", l)
        if m and m.group(3) != "total":
            calls[m.group(3)] = int(m.group(1)) / n
    return {
        "calls": sum(calls.values()),
        "n": n,
        "each": {
            k: round(v, 2)
            for k, v in sorted(calls.items(), key=lambda x: -x[1])
            if v >= 0.02
        },
    }


def idle(w, s, n):
    time.sleep(0.3)
    m0, y0, c0 = s.cg.memory(), sys_mem(), s.cg.cpu_us()
    n = min([n] + [int(c[5:]) for c in s.caps if c.startswith("idle=")])
    a = (
        ["./lg", "idle", s.port, n, SNI_A]
        if w == "A5"
        else ["./tlsload", "idle", s.port, n, SNI_A, "/1k.bin"]
    )
    p = subprocess.Popen(
        [str(x) for x in a],
        cwd=BIN,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=pin_load,
    )
    try:
        r = json.loads(p.stdout.readline())
        c1 = s.cg.cpu_us()
        time.sleep(1.0)
        m1, y1 = s.cg.memory(), sys_mem()
        c2 = s.cg.cpu_us()
    except Exception as e:
        r = {"error": str(e)}
        m1 = None
    finally:
        try:
            p.stdin.write("\n")
            p.stdin.close()
        except OSError:
            pass
        try:
            p.wait(10)
        except subprocess.TimeoutExpired:
            p.kill()
    k = r.get("ok")
    if m1 and k:
        r.update(
            base_pss_kib=m0["pss"],
            procs=m1["procs"],
            pss_kib=(m1["pss"] - m0["pss"]) / k,
            rss_kib=(m1["rss"] - m0["rss"]) / k,
            sys_kib=(y0["avail"] - y1["avail"]) / k,
            slab_kib=(y1["slab"] - y0["slab"]) / k,
            cpu_per=(c1 - c0) / k,
            idle_cpu_us_s=(c2 - c1),
        )
        if "cg" in m1:
            r["cg_kib"] = (m1["cg"] - m0["cg"]) / k
        if "kmem" in m1:
            r["kmem_kib"] = (m1["kmem"] - m0["kmem"]) / k
    return r
