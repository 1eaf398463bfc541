"""Processes and the machine: groups of them, CPU, memory, ports."""
import os
import re
import resource
import signal
import socket
import time

from .common import state


def raise_nofile():
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200000, 200000))
    except (ValueError, OSError):
        pass
    n = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))
    state.nofile = n


def pin(how):
    n = os.cpu_count()
    state.subject_cpus = state.load_cpus = list(range(n))
    if how == "split" and n > 1:
        state.subject_cpus, state.load_cpus = [n - 1], [0]


def free_port():
    for _ in range(200):
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        p = s.getsockname()[1]
        s.close()
        if p not in free_port.used:
            free_port.used.add(p)
            return p
    raise SystemExit("no free port")


free_port.used = set()


class Group:
    """Processes in a cgroup; without, those with a mark in /proc/environ."""

    V1 = "/sys/fs/cgroup/cpuacct"

    def __init__(self, name):
        self.id = "l4b%d-%s" % (os.getpid(), name)
        self.dirs = []
        self.cpu = self.mem = None
        for base in (
            self.V1,
            "/sys/fs/cgroup/memory",
            "/sys/fs/cgroup/unified",
            "/sys/fs/cgroup",
        ):
            if os.path.exists(base + "/cgroup.procs"):
                d = base + "/" + self.id
                try:
                    os.mkdir(d)
                    self.dirs.append(d)
                    if os.path.exists(d + "/cpuacct.usage"):
                        self.cpu = d + "/cpuacct.usage"
                    elif os.path.exists(d + "/cpu.stat") and not self.cpu:
                        self.cpu = d + "/cpu.stat"
                    if os.path.exists(d + "/memory.usage_in_bytes"):
                        self.mem = d + "/memory.usage_in_bytes"
                    elif (
                        os.path.exists(d + "/memory.current") and not self.mem
                    ):
                        self.mem = d + "/memory.current"
                except OSError:
                    pass
        state.groups.append(self)

    def prefix(self):
        return (
            "".join("echo $$ > %s/cgroup.procs; " % d for d in self.dirs)
            + "export L4B_ID=%s; " % self.id
        )

    def pids(self):
        s = set()
        for d in self.dirs:
            try:
                s.update(
                    int(x) for x in open(d + "/cgroup.procs").read().split()
                )
            except OSError:
                pass
        if not self.dirs:
            for p in os.listdir("/proc"):
                if p.isdigit():
                    try:
                        if ("L4B_ID=" + self.id).encode() in open(
                            "/proc/%s/environ" % p, "rb"
                        ).read():
                            s.add(int(p))
                    except OSError:
                        pass
        s.discard(0)
        return s

    def cpu_us(self):
        if self.cpu:
            t = open(self.cpu).read()
            return (
                int(t) / 1e3
                if self.cpu.endswith("usage")
                else float(re.search(r"usage_usec (\d+)", t).group(1))
            )
        tot = 0  # utime+stime+cutime+cstime, 10 ms ticks
        for p in self.pids():
            try:
                f = open("/proc/%d/stat" % p).read().rsplit(")", 1)[1].split()
                tot += sum(int(x) for x in f[11:15])
            except OSError:
                pass
        return tot * 1e6 / os.sysconf("SC_CLK_TCK")

    def memory(self):
        m = {"rss": 0, "pss": 0, "procs": 0}
        for p in self.pids():
            try:
                t = open("/proc/%d/smaps_rollup" % p).read()
            except OSError:
                continue
            m["procs"] += 1
            for k in ("Rss", "Pss"):
                m[k.lower()] += int(
                    re.search(r"^%s:\s+(\d+)" % k, t, re.M).group(1)
                )
        if self.mem:
            m["cg"] = int(open(self.mem).read()) // 1024
        for k, f in (
            ("tcp", "memory.kmem.tcp.usage_in_bytes"),
            ("kmem", "memory.kmem.usage_in_bytes"),
        ):
            if self.mem and os.path.exists(
                os.path.dirname(self.mem) + "/" + f
            ):
                m[k] = (
                    int(open(os.path.dirname(self.mem) + "/" + f).read())
                    // 1024
                )
        return m

    def kill(self):
        for sig, t in ((signal.SIGTERM, 1.5), (signal.SIGKILL, 3)):
            if not self.pids():
                break
            for p in self.pids():
                try:
                    os.kill(p, sig)
                except OSError:
                    pass
            end = time.time() + t
            while self.pids() and time.time() < end:
                reap()
                time.sleep(0.02)

    def drop(self):
        self.kill()
        for d in self.dirs:
            for _ in range(20):
                try:
                    os.rmdir(d)
                    break
                except OSError:
                    time.sleep(0.05)
        if self in state.groups:
            state.groups.remove(self)


def reap():
    try:
        while True:
            p, _ = os.waitpid(-1, os.WNOHANG)
            if p == 0:
                break
    except ChildProcessError:
        pass


def sys_mem():
    m = {
        k: int(v)
        for k, v in re.findall(
            r"^(\w+):\s+(\d+)", open("/proc/meminfo").read(), re.M
        )
    }
    t = re.search(
        r"TCP: inuse (\d+).* mem (\d+)", open("/proc/net/sockstat").read()
    )
    return {
        "avail": m["MemAvailable"],
        "slab": m["Slab"],
        "tcp_pages": int(t.group(2)),
        "tcp_inuse": int(t.group(1)),
    }


def steal():
    f = open("/proc/stat").readline().split()
    return int(f[8])


def busy():  # all CPU time used on the machine, in us
    f = [int(x) for x in open("/proc/stat").readline().split()[1:9]]
    return (sum(f) - f[3] - f[4]) * 1e4
