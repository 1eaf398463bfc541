"""An HTTP/1.1 server to stand behind l4mux, well and badly behaved."""

import hashlib
import queue
import re
import socket
import threading

import net


class Request:
    def __init__(self, conn, head, rest):
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.uri, self.version = first.split(" ")
        self.path = self.uri.split("?")[0]
        self.fields = [tuple(x.split(": ", 1)) for x in lines]
        self.conn = conn
        self.rest = rest
        self.closed = False

    def get(self, name):
        """The values of a field, joined; None without."""
        got = [v for k, v in self.fields if k.lower() == name.lower()]
        return ", ".join(got) if got else None

    def recv(self, n=65536):
        if self.rest:
            part, self.rest = self.rest[:n], self.rest[n:]
            return part
        return self.conn.recv(n)

    def line(self):
        out = b""
        while not out.endswith(b"\r\n"):
            part = self.recv(1)
            if not part:
                return out
            out += part
        return out[:-2]

    def body(self):
        """The body, piece by piece, out of its framing."""
        if self.get("transfer-encoding"):
            while size := int(self.line(), 16):
                while size:
                    part = self.recv(min(size, 65536))
                    if not part:
                        raise ConnectionError("end in a chunk")
                    size -= len(part)
                    yield part
                assert self.line() == b""
            while self.line():
                pass
            return
        left = int(self.get("content-length") or 0)
        while left:
            part = self.recv(min(left, 65536))
            if not part:
                raise ConnectionError("end in a body")
            left -= len(part)
            yield part

    def send(self, data):
        self.conn.sendall(data)

    def answer(self, body=b"", status="200 OK", fields=()):
        self.send(("HTTP/1.1 %s\r\n" % status + "".join(
            x + "\r\n" for x in fields) + "Content-Length: %d\r\n\r\n" %
            len(body)).encode("latin-1") + body)


class App:
    """Serves `routes`: path to a function of a Request.  What was asked is
    in .seen; .count connections came."""

    def __init__(self, routes, proxy=False):
        self.sock = net.listener()
        self.address = net.address_of(self.sock)
        self.routes = routes
        self.proxy = proxy
        self.count = 0
        self.live = set()
        self.seen = queue.Queue()
        self.headers = queue.Queue()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            self.count += 1
            self.live.add(conn)
            threading.Thread(target=self._talk, args=(conn,),
                             daemon=True).start()

    def _talk(self, conn):
        try:
            conn.settimeout(net.WAIT * 2)
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.proxy:
                self.headers.put(net.read_proxy_header(conn))
            rest = b""
            while (req := self._read(conn, rest)) is not None:
                self.seen.put(req)
                handler = self.routes.get(req.path, not_found)
                handler(req)
                if req.closed:
                    break
                for _ in req.body() if req.rest is not None else ():
                    pass
                rest = req.rest or b""
        except (OSError, ValueError):
            pass
        finally:
            self.live.discard(conn)
            conn.close()

    def _read(self, conn, data):
        while b"\r\n\r\n" not in data:
            part = conn.recv(65536)
            if not part:
                return None
            data += part
        head, _, rest = data.partition(b"\r\n\r\n")
        return Request(conn, head, rest)

    def hang_up(self):
        """Closes all connections."""
        for conn in list(self.live):
            try:
                conn.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass            # it has ended

    def stop(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


def not_found(req):
    req.answer(b"not here", "404 Not Found")


def raw(data):
    """Answers with these bytes and closes."""
    def handler(req):
        req.send(data)
        req.closed = True
    return handler


def echo(req):
    """The body back, in chunks, as it comes."""
    req.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for part in req.body():
        req.send(b"%x;ext=1\r\n%b\r\n" % (len(part), part))
    req.send(b"0\r\nX-Trailer: gone\r\n\r\n")
    req.rest = None if req.rest == b"" else req.rest


def digest(req):
    """Length and hash of the body."""
    h, n = hashlib.sha256(), 0
    for part in req.body():
        h.update(part)
        n += len(part)
    req.rest = None if req.rest == b"" else req.rest
    req.answer(b"%d %b" % (n, h.hexdigest().encode()))


def read_response(s, method="GET"):
    """(status, [(name, value)], body) and the interim answers before it."""
    interim = []
    while True:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            c = s.recv(1)
            if not c:
                raise AssertionError("end in the head: %r" % head)
            head += c
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        assert re.match(r"HTTP/1\.1 \d{3} ", first), first
        status = int(first.split()[1])
        fields = [tuple(x.split(": ", 1)) for x in lines]
        if status >= 200 or status == 101:
            break
        interim.append((status, fields))
    low = {k.lower(): v for k, v in fields}
    if method == "HEAD" or status in (101, 204, 304):
        body = b""
    elif low.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(net.read_line(s), 16):
            body += net.read_exactly(s, size)
            net.read_exactly(s, 2)
        net.read_exactly(s, 2)
    elif "content-length" in low:
        body = net.read_exactly(s, int(low["content-length"]))
    else:
        body = net.read_end(s)[0]
    return status, low, body, interim
