"""The namespace, the files and the backend of a run."""
import atexit
import ctypes
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from .common import BIN, SNI_A, SNI_B, state
from .host import Group, free_port

PAGE = 102400
PR_SET_CHILD_SUBREAPER = 36
MAKE_FILES = """
set -e
cd "$1"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout key.pem -out cert.pem -days 30 -subj "/CN=$2" \
    -addext "subjectAltName=DNS:$2,DNS:$3,IP:127.0.0.1" 2>/dev/null
cat cert.pem key.pem >both.pem
chmod 644 *.pem
cd www
head -c 1024 /dev/urandom >1k.bin
head -c 10240 /dev/urandom >10k.bin
head -c 67108864 /dev/urandom >64m.bin
gzip -9k page.html
zstd -q -19 -k page.html || true
chmod 644 *
"""


def runs(*cmd):
    return subprocess.run(cmd, capture_output=True).returncode == 0


def own_namespace(script):
    """Runs the script again in a network namespace of its own, if it can."""
    if (
        os.geteuid() != 0
        or os.environ.get("L4B_NS")
        or os.environ.get("BENCH_NETNS") == "0"
        or not runs("unshare", "-n", "true")
    ):
        return
    cmd = ["unshare", "-n"]
    os.environ["L4B_NS"] = "1"
    if runs(*cmd, "-m", "mount", "--bind", "/etc/hosts", "/etc/hosts"):
        os.environ["L4B_NS"] = "2"
        cmd.append("-m")
    os.execvp("unshare", cmd + [sys.executable, script] + sys.argv[1:])


def enter_namespace():
    """The names resolve there, so that wrk sends the site's name as SNI."""
    if os.environ.get("L4B_NS"):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    if os.environ.get("L4B_NS") != "2":
        return
    with tempfile.NamedTemporaryFile("w") as f:
        f.write("127.0.0.1 localhost %s %s\n" % (SNI_A, SNI_B))
        f.flush()
        os.chmod(f.name, 0o644)
        if runs("mount", "--bind", f.name, "/etc/hosts"):
            os.environ["L4B_HOSTS"] = "1"


def page():
    """HTML that compresses as HTML does; the same in every run."""
    rnd = random.Random(7)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ['<div class="row">', "</div>\n", "<p>", "</p>\n", '<a href="/x/']
    for _ in range(900):
        n = rnd.randint(2, 9)
        words.append("".join(rnd.choice(letters) for _ in range(n)))
    text = "<!doctype html>\n"
    while len(text) < PAGE:
        text += rnd.choice(words) + " "
    return text[:PAGE]


def make_files():
    state.tmp = tempfile.mkdtemp(prefix="l4bench.")
    os.chmod(state.tmp, 0o755)
    os.mkdir(state.tmp + "/www")
    with open(state.tmp + "/www/page.html", "w") as f:
        f.write(page())
    subprocess.run(
        ["sh", "-c", MAKE_FILES, "sh", state.tmp, SNI_A, SNI_B], check=True
    )


def start_backend():
    state.backend_ports = [free_port() for _ in range(3)]
    state.backend = Group("backend")
    cmd = "exec taskset -c %s ./backend %s" % (
        ",".join(map(str, state.load_cpus)),
        " ".join(map(str, state.backend_ports)),
    )
    subprocess.Popen(
        ["bash", "-c", state.backend.prefix() + cmd],
        cwd=BIN,
        stdin=subprocess.DEVNULL,
    )
    time.sleep(0.4)


def cleanup():
    for g in list(state.groups):
        g.drop()
    if state.tmp:
        shutil.rmtree(state.tmp, ignore_errors=True)


def end_by_itself():
    """What was started ends with us, whatever ends us."""
    atexit.register(cleanup)
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sig, lambda *_: sys.exit(130))
    # subjects that become daemons are our children then
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
