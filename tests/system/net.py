"""Clients and backends on loopback."""

import errno
import os
import queue
import select
import socket
import ssl
import struct
import threading

WAIT = 30.0     # seconds until a test gives up; never what it measures


def tcp(port, host="127.0.0.1", source=None, rcvbuf=None):
    """A connected client socket."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM)
    s.settimeout(WAIT)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if rcvbuf:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    if source:
        s.bind((source, 0))
    s.connect((host, port))
    return s


def refused(port):
    """Does nobody listen there any more?"""
    try:
        tcp(port).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass            # it was in the queue of a listener that closed
    return False


def reset(s):
    """Closes with RST."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def read_exactly(s, n):
    out = bytearray()
    while len(out) < n:
        part = s.recv(n - len(out))
        if not part:
            break
        out += part
    return bytes(out)


def read_line(s):
    out = bytearray()
    while not out.endswith(b"\n"):
        part = s.recv(1)
        if not part:
            break
        out += part
    return bytes(out)


def read_end(s):
    """Everything until the peer is done: (bytes, "fin" | "reset")."""
    out = bytearray()
    while True:
        try:
            part = s.recv(65536)
        except ConnectionResetError:
            return bytes(out), "reset"
        if not part:
            return bytes(out), "fin"
        out += part


def exchange(port, data, *, fin=True, **kwargs):
    """Sends data (and FIN) on a new connection; all that comes back."""
    with tcp(port, **kwargs) as s:
        try:
            s.sendall(data)
            if fin:
                s.shutdown(socket.SHUT_WR)
        except OSError as e:
            if e.errno not in (errno.EPIPE, errno.ECONNRESET,
                               errno.ENOTCONN):
                raise
        return read_end(s)


def who(port, data, **kwargs):
    """The name of the backend that took the connection, or how it ended.
    Asserts that the backend saw exactly the bytes that were sent."""
    got, end = exchange(port, data, **kwargs)
    if not got.startswith(b"I am "):
        return end
    name, _, echo = got[5:].partition(b"\n")
    if kwargs.get("fin", True) and echo != data:
        raise AssertionError("%s saw %d bytes, not the %d that were sent" %
                             (name.decode(), len(echo), len(data)))
    return name.decode()


class Backend:
    """Says "I am NAME" at once, then sends back what it is sent, until FIN.
    With proxy, takes a PROXY header first; headers are kept."""

    def __init__(self, name, proxy=False, family=socket.AF_INET, path=None):
        self.name = name
        self.proxy = proxy
        self.count = 0
        self.headers = queue.Queue()
        self.sock = listener(family, path)
        self.address = address_of(self.sock)
        self.stopped = False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while not self.stopped:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self._talk, args=(conn,),
                             daemon=True).start()

    def _talk(self, conn):
        with conn:
            try:
                conn.settimeout(WAIT)
                if self.proxy:
                    self.headers.put(read_proxy_header(conn))
                conn.sendall(b"I am " + self.name.encode() + b"\n")
                while part := conn.recv(65536):
                    conn.sendall(part)
                conn.shutdown(socket.SHUT_WR)
            except OSError:
                pass

    def stop(self):
        self.stopped = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        self.thread.join(WAIT)


class Sink:
    """A listening socket whose connections the test handles itself."""

    def __init__(self, family=socket.AF_INET, path=None, backlog=64,
                 rcvbuf=None):
        self.sock = listener(family, path, backlog, rcvbuf)
        self.sock.settimeout(WAIT)
        self.address = address_of(self.sock)

    def accept(self):
        conn, _ = self.sock.accept()
        conn.settimeout(WAIT)
        if conn.family != socket.AF_UNIX:
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return conn

    def pending(self):
        """Is a connection waiting now?"""
        return bool(select.select([self.sock], [], [], 0)[0])

    def stop(self):
        self.sock.close()


def listener(family=socket.AF_INET, path=None, backlog=256, rcvbuf=None):
    if path is not None:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.bind(path)
        os.chmod(path, 0o777)
    else:
        s = socket.socket(family, socket.SOCK_STREAM)
        if rcvbuf:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        s.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    s.listen(backlog)
    return s


def address_of(s):
    """As `address` in the configuration."""
    if s.family == socket.AF_UNIX:
        return "unix:" + s.getsockname()
    host, port = s.getsockname()[:2]
    return ("[%s]:%d" if ":" in host else "%s:%d") % (host, port)


def dead_address():
    """One that refuses: bound, so that nobody else gets it, not listening."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    return s, address_of(s)


V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def read_proxy_header(conn):
    """(version, command, source, destination, tlvs); addresses as
    (ip, port) or None.  Reads exactly the header."""
    first = read_exactly(conn, 12)
    if first != V2_SIGNATURE:
        line = first
        while not line.endswith(b"\r\n") and len(line) < 108:
            part = conn.recv(1)
            if not part:
                break
            line += part
        w = line.decode("latin-1").split()
        if len(w) != 6 or w[0] != "PROXY":
            return (1, line, None, None, b"")
        return (1, w[1], (w[2], int(w[4])), (w[3], int(w[5])), b"")
    cmd, fam, size = struct.unpack(">BBH", read_exactly(conn, 4))
    data = read_exactly(conn, size)
    if fam >> 4 == 0:
        return (2, cmd & 15, None, None, data)
    af, n = (socket.AF_INET, 4) if fam >> 4 == 1 else (socket.AF_INET6, 16)
    src, dst = data[:n], data[n:2 * n]
    sport, dport = struct.unpack_from(">HH", data, 2 * n)
    return (2, cmd & 15, (socket.inet_ntop(af, src), sport),
            (socket.inet_ntop(af, dst), dport), data[2 * n + 4:])


def v1(src="192.0.2.7", dst="192.0.2.1", sport=4000, dport=443):
    kind = "TCP6" if ":" in src else "TCP4"
    return ("PROXY %s %s %s %s %s\r\n" %
            (kind, src, dst, sport, dport)).encode()


def v2(src="192.0.2.7", dst="192.0.2.1", sport=4000, dport=443, *,
       command=1, family=None, tlvs=b"", length=None, version=2):
    af = socket.AF_INET6 if ":" in src else socket.AF_INET
    if family is None:
        family = 0x21 if af == socket.AF_INET6 else 0x11
    data = (socket.inet_pton(af, src) + socket.inet_pton(af, dst) +
            struct.pack(">HH", sport, dport) + tlvs)
    size = len(data) if length is None else length
    return V2_SIGNATURE + struct.pack(">BBH", version << 4 | command, family,
                                      size) + data


def tls_context(alpn=("http/1.1",), versions=None):
    """Of a client that takes any certificate."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    if alpn:
        ctx.set_alpn_protocols(list(alpn))
    if versions:
        ctx.minimum_version, ctx.maximum_version = versions
    return ctx


def tls(port, name, ctx=None, **kwargs):
    return (ctx or tls_context()).wrap_socket(
        tcp(port, **kwargs), server_hostname=name,
        suppress_ragged_eofs=False)
