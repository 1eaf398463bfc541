"""l4mux with a configuration of any size, in a cgroup of its own."""
import os
import socket
import subprocess
import time

from .common import BIN, state
from .host import Group, free_port

L4MUXD = os.environ.get("L4MUX_BIN", "")
NAME = "example.test"  # the certificate is for all names below
HEAD = """listen = ( "127.0.0.1:%(port)d" );
control = "%(dir)s/ctl.sock";
state = "%(dir)s/state";
processes = { worker = %(n)d; tlsterm = %(n)d; proxy = %(p)d; keys = %(n)d; };
users = { worker = "64001"; proxy = "64002"; tlsterm = "64003";
    keys = "64004"; acme = "64005"; };
log = { target = "stderr"; level = "error"; connections = false; };
fallback = "close";
"""
UPSTREAM = "upstreams = { b0 = { address = [ %s ]; }; };\n"
SITE = """  s%d = { names = [ "%s" ]; root = "%s"; certificate =
    { chain = "%s"; key = "%s"; }; };
"""


def upstream(ports):
    return UPSTREAM % ", ".join('"127.0.0.1:%d"' % p for p in ports)


def routes(names):
    return "routes = (\n%s\n);\n" % ",\n".join(
        '  { sni = [ "%s" ]; to = "b0"; }' % n for n in names
    )


def numbered(pattern, n):
    """The names that the load programs choose from."""
    return [pattern.replace("#", str(i)) for i in range(n)]


def sites(names):
    cert = tuple(state.tmp + f for f in ("/www", "/cert.pem", "/key.pem"))
    return "sites = {\n%s};\n" % "".join(
        SITE % ((i, name) + cert) for i, name in enumerate(names)
    )


class Daemon:
    def __init__(self, name, body, workers=1, proxies=1):
        self.port = free_port()
        self.dir = "%s/%s-%d" % (state.tmp, name, self.port)
        os.mkdir(self.dir)
        os.chmod(self.dir, 0o755)
        self.conf = self.dir + "/l4mux.conf"
        with open(self.conf, "w") as f:
            f.write(HEAD % dict(
                port=self.port, dir=self.dir, n=workers, p=proxies) + body)
        self.cg = Group(name)
        self.notes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notes.bind(self.dir + "/notify")
        os.chmod(self.dir + "/notify", 0o666)
        self.begin()

    def begin(self):
        """Seconds until it says that it is ready."""
        began = time.monotonic()
        with open(self.dir + "/log", "w") as log:
            subprocess.Popen(
                ["bash", "-c", self.cg.prefix()
                 + "exec taskset -c %s %s -d -f %s" % (
                     ",".join(map(str, state.subject_cpus)), L4MUXD,
                     self.conf)],
                env=dict(os.environ, NOTIFY_SOCKET=self.dir + "/notify"),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.notes.settimeout(1)
        while not self.ready():
            if time.monotonic() - began > 120 or not self.cg.pids():
                raise SystemExit("%s does not start:\n%s" % (
                    self.conf, open(self.dir + "/log").read()[-2000:]))
        self.started = time.monotonic() - began

    def ready(self):
        try:
            return b"READY=1" in self.notes.recv(4096)
        except socket.timeout:
            return False

    def reload(self):
        """Seconds until the new generation has taken over."""
        ctl = os.path.join(os.path.dirname(L4MUXD), "l4muxctl")
        began = time.monotonic()
        subprocess.run([ctl, "-s", self.dir + "/ctl.sock", "reload"],
                       check=True, timeout=120, stdout=subprocess.DEVNULL)
        return time.monotonic() - began

    def check(self):
        """Seconds of l4muxd -n."""
        began = time.monotonic()
        subprocess.run(["taskset", "-c", str(state.subject_cpus[0]), L4MUXD,
                        "-n", "-f", self.conf], check=True, timeout=120,
                       stdout=subprocess.DEVNULL)
        return time.monotonic() - began

    def stop(self):
        self.cg.drop()
        self.notes.close()


class Backends:
    """As many as hold n sessions, each at a port of its own."""

    def __init__(self, n):
        self.cg = Group("backends")
        self.ports = [free_port() for _ in range(
            1 + n // (state.nofile - 1000))]
        for p in self.ports:
            subprocess.Popen(
                ["bash", "-c", self.cg.prefix() + "exec taskset -c %s "
                 "./backend %d" % (",".join(map(str, state.load_cpus)), p)],
                cwd=BIN, stdin=subprocess.DEVNULL)
        end = time.monotonic() + 5
        for p in self.ports:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", p), 1).close()
                    break
                except OSError:
                    if time.monotonic() > end:
                        raise SystemExit("the backend does not start")
                    time.sleep(0.02)
