"""A proxy process without a daemon: this module is its master and worker."""

import array
import fcntl
import mmap
import os
import re
import socket
import struct
import subprocess
import time

import net
from harness import BUILD, HERE, Log, conf_text

PROXY = os.path.join(BUILD, "libexec", "l4mux", "proxy")
COMMON = os.path.join(os.path.dirname(os.path.dirname(HERE)), "common")
UPSTREAM = 3            # enum target_kind


def enum(header, name, prefix):
    """{name: value} of an enum of ours."""
    with open(os.path.join(COMMON, header)) as f:
        text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
    body = re.search(r"enum %s \{(.*?)\}" % name, text, re.S).group(1)
    out, value = {}, 0
    for item in body.split(","):
        key, _, explicit = item.strip().partition("=")
        value = int(explicit) if explicit else value
        out[key.strip()[len(prefix):].lower()] = value
        value += 1
    return out


def number(header, name):
    with open(os.path.join(COMMON, header)) as f:
        return int(re.search(r"#define %s\s+(\d+)" % name, f.read())[1])


STAT = enum("stats.h", "stat_id", "STAT_")
NSTAT = STAT.pop("_max")
# Times come between these and the cells of the role.
TIMES = enum("stats.h", "stat_time", "TIME_")["_max"]
NSTAT += TIMES * (number("stats.h", "TIME_BOUNDS") + 2)
IPC = enum("proto.h", "ipc_type", "IPC_")
CELLS = ("state", "live", "total", "failed")
BACKEND = ("unknown", "up", "down")


def addr(a):
    if a is None:
        return b"\0"
    ip, port = a
    v6 = ":" in ip
    raw = socket.inet_pton(socket.AF_INET6 if v6 else socket.AF_INET, ip)
    return struct.pack("<BH", 6 if v6 else 4, port) + raw


def string(s):
    return struct.pack("<H", len(s)) + s.encode()


def record(ident=1, peer=("192.0.2.7", 4000), local=("192.0.2.1", 443), *,
           kind=UPSTREAM, index=0, reason=0, rule=0, listener=0, proto=1,
           log=True, same_host=False, sni="a.example", alpn="h2"):
    """The description of a connection, as conn_write() has it."""
    return (struct.pack("<QQ", ident, time.monotonic_ns()) + addr(peer) +
            addr(local) + struct.pack("<BIBIHBB", kind, index, reason, rule,
                                      listener, proto,
                                      log | same_host << 1) +
            string(sni) + string(alpn))


# proxy/leg.h, proxy/record.h
EOF, DONE, BULK = 0x10, 0x20, 0x80
HELD_NONE, HELD_BUF, HELD_PIPE = range(3)


def leg(moved=0, stuck=0, flags=0, held=HELD_NONE, size=0):
    return struct.pack("<QIHBI", moved, stuck, flags, held, size)


def session(client=leg(), upstream=leg(), *, version=1, ident=7, active=0,
            peer=("192.0.2.7", 4000), local=("192.0.2.1", 443), proto=1,
            flags=1, listen="old:443", reason="route:9", sni="a.example",
            alpn="h2"):
    """The description of a live session, as record_write() has it."""
    return (struct.pack("<BQQQQ", version, ident, time.monotonic_ns(),
                        active or time.monotonic_ns(), 0) +
            addr(peer) + addr(local) + struct.pack("<IBB", 0, proto, flags) +
            client + upstream + string(listen) + string(reason) +
            string(sni) + string(alpn))


def message(kind, payload=b"", version=1):
    return struct.pack("<HHI", IPC[kind], version, 0) + payload


def send_fds(sock, data, fds):
    """More than one control message holds is the test's own fault."""
    sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                           array.array("i", fds))] if fds else [])


def connected_pair():
    """Client and accepted end of a TCP connection, as a worker has them."""
    with socket.socket() as lis:
        lis.bind(("127.0.0.1", 0))
        lis.listen(1)
        lis.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = net.tcp(lis.getsockname()[1])
        conn, _ = lis.accept()
    conn.setblocking(False)
    return client, conn


class Proxy:
    """The built proxy for one upstream; `upstream` is its group."""

    def __init__(self, upstream, nofile=None, limits=None):
        conf = {"listen": ("127.0.0.1:1",), "upstreams": {"u": upstream},
                "routes": ({"sni": "a.example", "to": "u"},),
                "fallback": "u", "limits": limits or {}}
        address = upstream["address"]
        self.nbackend = len(address) if isinstance(address, list) else 1
        self.channel, theirs = pair()
        self.inbox, their_inbox = pair()
        self.proc = subprocess.Popen(
            [PROXY, "0"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL, pass_fds=(3,), cwd="/",
            preexec_fn=lambda: self.prepare(theirs.fileno(), nofile))
        theirs.close()
        self.log = Log(self.proc.stderr)
        text = conf_text(conf).encode()
        send_fds(self.channel, message(
            "conf", struct.pack("<I", 1) + string("relay.conf")),
            [memfd(text)])
        cells = self.nbackend * len(CELLS)
        stats = memfd(bytes(8 * (NSTAT + cells)))
        self.page = mmap.mmap(stats, 8 * (NSTAT + cells))
        send_fds(self.channel, message("stats", struct.pack("<I", cells)),
                 [stats])
        send_fds(self.channel, message("inbox_read", struct.pack("<I", 1)),
                 [their_inbox.fileno()])
        their_inbox.close()
        self.channel.send(message("start", b"\0\1"))
        self.channel.settimeout(net.WAIT)
        try:
            got = self.channel.recv(4096)
            if struct.unpack_from("<H", got + b"\0\0")[0] != IPC["ready"]:
                raise AssertionError("not ready: %r" % got)
        except BaseException as e:
            self.kill()
            raise AssertionError(self.log.tail()) from e

    @staticmethod
    def prepare(channel, nofile):
        os.dup2(channel, 3)
        if nofile:
            import resource
            resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, nofile))

    def give(self, fds, records=None, count=None):
        """One inbox message; our copies are the caller's to close."""
        records = records or [record()] * len(fds)
        count = len(records) if count is None else count
        send_fds(self.inbox, message("conn", bytes((count,)) +
                                     b"".join(records)), fds)

    def give_session(self, fds, payload):
        send_fds(self.inbox, message("session", payload), fds)

    def next_inbox(self):
        """Tells it where its sessions go; our end of that."""
        ours, theirs = pair()
        with theirs:
            send_fds(self.channel, message("hand_over"), [theirs.fileno()])
        ours.settimeout(net.WAIT)
        return ours

    def client(self, **kwargs):
        """A client whose connection the proxy was given."""
        client, conn = connected_pair()
        with conn:
            self.give([conn.fileno()], [record(**kwargs)])
        return client

    def stat(self, name):
        return struct.unpack_from("<Q", self.page, 8 * STAT[name])[0]

    def cell(self, backend, name):
        at = NSTAT + backend * len(CELLS) + CELLS.index(name)
        return struct.unpack_from("<Q", self.page, 8 * at)[0]

    def state(self, backend):
        return BACKEND[self.cell(backend, "state")]

    def drain(self):
        self.channel.send(message("drain"))

    def kill(self):
        self.proc.kill()
        self.proc.wait()
        self.log.join(net.WAIT)
        self.close()

    def close(self):
        self.channel.close()
        self.inbox.close()
        self.proc.stderr.close()

    def end(self):
        """Drains; it must go by itself, with its books in order."""
        if self.proc.poll() is None:
            self.drain()
        self.inbox.close()
        rc = self.proc.wait(net.WAIT)
        self.log.join(net.WAIT)
        self.close()
        if rc != 0:
            raise AssertionError("proxy: status %d\n%s" %
                                 (rc, self.log.tail()))
        if self.stat("live") != 0 or \
                self.stat("received") + self.stat("taken_over") != \
                self.stat("ended") + self.stat("handed_on"):
            raise AssertionError("books: %s" % {
                k: self.stat(k) for k in STAT if self.stat(k)})


def pair():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    b.setblocking(False)
    # 3 is where the child's channel goes.
    if b.fileno() == 3:
        fd = fcntl.fcntl(b, fcntl.F_DUPFD_CLOEXEC, 10)
        b.close()
        b = socket.socket(fileno=fd)
    return a, b


def memfd(data):
    fd = os.memfd_create("relay")
    os.write(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
