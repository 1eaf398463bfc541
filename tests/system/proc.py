"""What /proc says of processes."""

import os
import re
import signal
import subprocess
import time


def stat(pid):
    """Fields of /proc/PID/stat after the name, or None: gone."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as f:
            return f.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def pids():
    return [int(p) for p in os.listdir("/proc") if p.isdigit()]


def of_session(sid):
    """Processes of a session, zombies included: {pid: state}."""
    out = {}
    for pid in pids():
        f = stat(pid)
        if f and int(f[3]) == sid:
            out[pid] = f[0].decode()
    return out


def children(pid):
    return [p for p in pids() if (f := stat(p)) and int(f[1]) == pid]


def alive(pid):
    f = stat(pid)
    return f is not None and f[0] not in (b"Z", b"X")


def stop(pid):
    """SIGSTOP; returns when it has stopped.  Until then the kernel may still
    give it an event that its siblings would have had."""
    os.kill(pid, signal.SIGSTOP)
    while (f := stat(pid)) and f[0] not in (b"T", b"Z"):
        time.sleep(0.001)


def go_on(pid):
    """SIGCONT; it may be gone: the watchdog ends who is stopped for long."""
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        pass


def end(pid):
    """SIGKILL; it may be gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def cpu(pid):
    """Seconds of CPU so far, to the nanosecond."""
    try:
        with open("/proc/%d/schedstat" % pid) as f:
            return int(f.read().split()[0]) / 1e9
    except FileNotFoundError:
        f = stat(pid)
        return (int(f[11]) + int(f[12])) / os.sysconf("SC_CLK_TCK")


def rss_kib(pid):
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def status(pid, key):
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            if line.startswith(key + ":"):
                return line.split(":", 1)[1].strip()
    return None


def fds(pid):
    """{fd: what it is} of a process."""
    out = {}
    base = "/proc/%d/fd" % pid
    for n in os.listdir(base):
        try:
            out[int(n)] = os.readlink(base + "/" + n)
        except FileNotFoundError:
            pass
    return out


def nofile(pid):
    with open("/proc/%d/limits" % pid) as f:
        return int(re.search(r"Max open files +(\d+)", f.read())[1])


def limit_nofile(pid, n):
    """As that process' own user: not every root may do it to others."""
    uid = status(pid, "Uid").split()[0]
    cmd = ["prlimit", "--pid=%d" % pid, "--nofile=%d:" % n]
    if int(uid) != os.geteuid():
        cmd = ["setpriv", "--reuid=" + uid, "--regid=" + uid,
               "--clear-groups", "--", *cmd]
    subprocess.run(cmd, check=True)
