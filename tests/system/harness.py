"""Starts the built daemon with a configuration and looks at it from outside."""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import net
import proc

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("L4MUX_BUILD",
                                       os.path.join(ROOT, "build")))
L4MUXD = os.path.join(BUILD, "sbin", "l4muxd")
L4MUXCTL = os.path.join(BUILD, "sbin", "l4muxctl")

NOBODY = 65534
USERS = {"worker": "64001", "proxy": "64002", "tlsterm": "64003",
         "keys": "64004", "acme": "64005",
         "metrics": "64006", "hook": "64007"}
PORTS = (20000, 32000)      # below what the kernel gives to clients

_given = set()


def free_port():
    """One that nobody has, on any address, and that was not given yet."""
    while True:
        port = random.randrange(*PORTS)
        if port in _given:
            continue
        _given.add(port)
        try:
            with socket.socket(socket.AF_INET6) as s:
                s.bind(("::", port))
            return port
        except OSError:
            pass


def poll(what, seconds=net.WAIT, why="it did not happen"):
    """For what has no event to wait for: asks until it is true."""
    end = time.monotonic() + seconds
    while True:
        got = what()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(why() if callable(why) else why)
        time.sleep(0.01)


def connect_unix(s, path):
    """A full queue is no error: it is waited for."""
    def connected():
        try:
            s.connect(path)
        except BlockingIOError:
            return False
        return True
    poll(connected, why="%s takes nobody" % path)


def conf_value(v):
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, str):
        return '"%s"' % "".join(
            c if c.isprintable() and c not in '"\\' else
            "".join("\\x%02x" % b for b in c.encode()) for c in v)
    if isinstance(v, dict):
        return "{ %s }" % " ".join("%s = %s;" % (k, conf_value(x))
                                   for k, x in v.items())
    if isinstance(v, list):
        return "[ %s ]" % ", ".join(map(conf_value, v))
    if isinstance(v, tuple):
        return "( %s )" % ", ".join(map(conf_value, v))
    return repr(v)


def conf_text(conf):
    """libconfig: dict = group, list = array, tuple = list."""
    return "".join("%s = %s;\n" % (k, conf_value(v)) for k, v in conf.items())


class Log(threading.Thread):
    """Lines of the daemon's stderr; waits for one without polling."""

    def __init__(self, stream):
        super().__init__(daemon=True)
        self.stream = stream
        self.lines = []
        self.changed = threading.Condition()
        self.closed = False
        self.start()

    def run(self):
        for line in self.stream:
            with self.changed:
                self.lines.append(line.decode("latin-1").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def wait(self, pattern, start=0, seconds=net.WAIT):
        """The first line from number `start` on that matches."""
        rx = re.compile(pattern)
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                for line in self.lines[start:]:
                    if rx.search(line):
                        return line
                left = end - time.monotonic()
                if left <= 0 or self.closed:
                    raise AssertionError("no line %r in the log:\n%s" %
                                         (pattern, self.tail()))
                self.changed.wait(left)

    def mark(self):
        with self.changed:
            return len(self.lines)

    def tail(self, n=30):
        return "\n".join(self.lines[-n:])


class Daemon:
    """A running l4muxd.  mode "root" or "user": who starts it."""

    def __init__(self, conf, mode="root", args=("-d",), env=None, dir=None,
                 preexec=None, pass_fds=(), wrap=(), binary=None):
        self.mode = mode
        self.dir = dir or workdir(mode)
        self.control = os.path.join(self.dir, "ctl.sock")
        self.conf_path = os.path.join(self.dir, "l4mux.conf")
        self.children = set()
        write_conf(self.conf_path, self.complete(conf))
        if not os.access(binary or L4MUXD, os.X_OK):
            shutil.rmtree(self.dir)
            raise AssertionError("%s is not built" % (binary or L4MUXD))
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(os.path.join(self.dir, "notify"))
        os.chmod(os.path.join(self.dir, "notify"), 0o777)
        self.proc = subprocess.Popen(
            [*as_user(mode), *wrap, binary or L4MUXD, *args, "-f",
             self.conf_path],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, start_new_session=True,
            preexec_fn=preexec, pass_fds=pass_fds, cwd="/",
            env={**os.environ, **(env or {}),
                 "NOTIFY_SOCKET": os.path.join(self.dir, "notify")})
        self.log = Log(self.proc.stderr)
        self.session = self.proc.pid
        try:
            self.wait_ready()
        except BaseException:
            self.kill()
            raise

    def complete(self, conf):
        own = {"control": self.control,
               "state": os.path.join(self.dir, "state")}
        if self.mode == "root":
            own["users"] = USERS
        return {**own, **conf}

    def wait_ready(self):
        """READY=1 on the notify socket, or the daemon's end."""
        self.notify.settimeout(0.2)
        end = time.monotonic() + net.WAIT * 2
        while time.monotonic() < end:
            try:
                if b"READY=1" in self.notify.recv(4096):
                    return
            except TimeoutError:
                pass
            if self.proc.poll() is not None:
                self.log.join(net.WAIT)
                raise AssertionError("l4muxd exited %d:\n%s" % (
                    self.proc.returncode, self.log.tail()))
        raise AssertionError("not ready:\n" + self.log.tail())

    @property
    def pid(self):
        return self.proc.pid

    # asking

    def connect(self):
        """A client of the control socket."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(net.WAIT)
        connect_unix(s, self.control)
        return s

    def begin(self, line):
        """One request on the control socket, whose answer may come later."""
        s = self.connect()
        s.sendall(line.encode() + b"\n")
        return s

    def answer(self, s):
        """The document."""
        with s:
            return json.loads(net.read_end(s)[0])

    def ask(self, line):
        return self.answer(self.begin(line))

    def ctl(self, *args, user=None):
        """l4muxctl: CompletedProcess with text."""
        cmd = as_user(user or "root") if os.geteuid() == 0 else []
        return subprocess.run(
            [*cmd, L4MUXCTL, "-s", self.control, *args],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=net.WAIT)

    def status(self):
        return self.ask("status")

    def processes(self, role=None, name=None):
        return [p for p in self.status()["processes"]
                if (role is None or p["role"] == role) and
                (name is None or p["name"] == name)]

    def pids(self, role=None, name=None):
        return [p["pid"] for p in self.processes(role, name) if p["pid"]]

    def counter(self, role, key):
        return sum(p["counters"].get(key, 0) for p in self.processes(role))

    def cpu(self, role):
        return sum(proc.cpu(pid) for pid in self.pids(role))

    # at rest everything adds up (common/stats.h)

    def books(self):
        """What does not add up, as text; "" when all does."""
        wrong, handed, received = [], 0, 0
        for p in self.status()["processes"]:
            c = p["counters"]
            label = "%s/%s.%d" % (p["role"], p["name"], p["instance"])
            if p["role"] == "worker":
                handed += c["handed"]
                if c["accepted"] != (c["undecided"] + c["queued"] +
                                     c["handed"] + c["ended"]):
                    wrong.append("%s: %s" % (label, c))
            elif p["role"] in ("proxy", "tlsterm"):
                received += c["received"]
                handed += c.get("forwarded", 0)
                if c["received"] + c.get("taken_over", 0) != (
                        c["live"] + c["ended"] + c.get("handed_on", 0)):
                    wrong.append("%s: %s" % (label, c))
            if p["role"] in ("worker", "proxy", "tlsterm") and p["live"]:
                wrong.append("%s: %d live" % (label, p["live"]))
        if handed != received:
            wrong.append("handed and forwarded %d, received %d" % (handed, received))
        return "; ".join(wrong)

    def assert_books(self):
        text = [""]

        def balanced():
            text[0] = self.books()
            return text[0] == ""
        poll(balanced, why=lambda: "counters: " + text[0])

    # ending

    def remember(self):
        self.children |= set(proc.children(self.pid))

    def kill(self):
        """For the end of a test that went wrong."""
        for pid in [self.pid, *proc.of_session(self.session)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.proc.wait(net.WAIT)
        self.clean()

    def clean(self):
        self.notify.close()
        self.log.join(net.WAIT)
        self.proc.stderr.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def stop(self, sig=signal.SIGTERM, code=0):
        """Ends it and asserts that nothing of it is left."""
        try:
            self.remember()
            os.kill(self.pid, sig)
            got = self.proc.wait(net.WAIT * 3)
            if got != code:
                raise AssertionError("exit %d, not %d:\n%s" %
                                     (got, code, self.log.tail()))
            self.assert_gone()
        except BaseException:
            self.kill()
            raise
        self.clean()

    def assert_gone(self):
        poll(lambda: not proc.of_session(self.session) and
             not any(map(proc.alive, self.children)),
             why=lambda: "left over: %s %s" % (
                 proc.of_session(self.session), self.children))
        if os.path.exists(self.control):
            raise AssertionError("the control socket is left over")


def as_user(mode):
    if mode != "user" or os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY,
            "--clear-groups", "--"]


def workdir(mode):
    path = tempfile.mkdtemp(prefix="l4mux-test-")
    os.chmod(path, 0o755)
    if mode == "user" and os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    return path


def write_conf(path, conf):
    with open(path, "w") as f:
        f.write(conf if isinstance(conf, str) else conf_text(conf))
    os.chmod(path, 0o644)


def run_l4muxd(*args, timeout=net.WAIT, **kwargs):
    return subprocess.run([L4MUXD, *args], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=timeout,
                          **kwargs)


class Case(unittest.TestCase):
    """Tests that share one daemon: configure() gives its configuration."""

    modes = ("root", "user")
    mode = "root"           # set by the runner
    daemon = None

    @classmethod
    def configure(cls):
        return None

    @classmethod
    def setUpClass(cls):
        cls.stops = []
        try:
            conf = cls.configure()
            cls.daemon = Daemon(conf, cls.mode) if conf else None
        except BaseException:
            cls.stop_backends()
            raise

    @classmethod
    def tearDownClass(cls):
        try:
            if cls.daemon and cls.daemon.proc.poll() is None:
                cls.daemon.assert_books()
                cls.daemon.stop()
            elif cls.daemon:
                raise AssertionError("l4muxd died: %s\n%s" % (
                    cls.daemon.proc.returncode, cls.daemon.log.tail()))
        finally:
            if cls.daemon and cls.daemon.proc.poll() is None:
                cls.daemon.kill()
            cls.stop_backends()

    @classmethod
    def stop_backends(cls):
        for b in cls.stops:
            b.stop()

    @classmethod
    def keep(cls, thing):
        """Stopped at the end of the class."""
        cls.stops.append(thing)
        return thing

    @classmethod
    def backends(cls, *names, **kwargs):
        """Echo backends and their group for the configuration."""
        made = {n: cls.keep(net.Backend(n, **kwargs)) for n in names}
        return made, {n: {"address": b.address} for n, b in made.items()}

    def tree(self):
        """A copy of the programs, where they can be replaced."""
        dir = workdir(self.mode)
        self.addCleanup(shutil.rmtree, dir, True)
        for name in ("sbin", "libexec"):
            shutil.copytree(os.path.join(BUILD, name),
                            os.path.join(dir, name))
        return dir

    def start(self, conf, **kwargs):
        """A daemon for this test alone; stopped and checked at its end."""
        d = Daemon(conf, self.mode, **kwargs)

        def end():
            if d.proc.poll() is None:
                d.stop()
            else:
                d.kill()
        self.addCleanup(end)
        return d
