"""HTTP/2 by hand: frames as a test wants them, right or wrong."""

import ctypes
import ssl
import struct

import net

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
(DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW,
 CONTINUATION) = range(10)
END_STREAM, END_HEADERS, PADDED, ACK = 1, 4, 8, 1
(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR,
 SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL,
 COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM) = range(12)
HEADER_TABLE_SIZE, _, MAX_STREAMS, INITIAL_WINDOW, MAX_FRAME = range(1, 6)
CONNECT_PROTOCOL = 8


def frame(kind, flags=0, stream=0, data=b""):
    return struct.pack(">I", len(data))[1:] + struct.pack(
        ">BBI", kind, flags, stream) + data


def integer(n, prefix, first=0):
    """RFC 7541 5.1"""
    top = (1 << prefix) - 1
    if n < top:
        return bytes([first | n])
    out, n = [first | top], n - top
    while n >= 128:
        out.append(n % 128 | 128)
        n //= 128
    return bytes(out + [n])


def literal(name, value, first=0):
    """A field as it is: not indexed, no Huffman, any bytes."""
    return (bytes([first]) + integer(len(name), 7) + name +
            integer(len(value), 7) + value)


def head(path=b"/", *more, method=b"GET", authority=b"blog.example",
         scheme=b"https"):
    """Fields of a request; None leaves one out."""
    return [(k, v) for k, v in ((b":method", method), (b":scheme", scheme),
                                (b":authority", authority), (b":path", path))
            if v is not None] + list(more)


def block(fields):
    return b"".join(literal(k, v) for k, v in fields)


def ask(stream, path, *more, flags=END_STREAM, **kwargs):
    """A request in one frame; without flags a body follows."""
    return frame(HEADERS, END_HEADERS | flags, stream,
                 block(head(path, *more, **kwargs)))


class Pair(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("value", ctypes.c_void_p),
                ("name_len", ctypes.c_size_t),
                ("value_len", ctypes.c_size_t), ("flags", ctypes.c_uint8)]


class Decoder:
    """HPACK, by the library that the daemon has as well."""

    def __init__(self):
        self.lib = ctypes.CDLL("libnghttp2.so.14")
        self.lib.nghttp2_hd_inflate_hd2.restype = ctypes.c_ssize_t
        self.state = ctypes.c_void_p()
        if self.lib.nghttp2_hd_inflate_new(ctypes.byref(self.state)):
            raise MemoryError

    def __del__(self):
        self.lib.nghttp2_hd_inflate_del(self.state)

    def allow(self, size):
        """What our SETTINGS said of the table."""
        self.lib.nghttp2_hd_inflate_change_table_size(
            self.state, ctypes.c_size_t(size))

    def decode(self, data):
        out, pair, flags = [], Pair(), ctypes.c_int(0)
        while True:
            n = self.lib.nghttp2_hd_inflate_hd2(
                self.state, ctypes.byref(pair), ctypes.byref(flags), data,
                ctypes.c_size_t(len(data)), 1)
            assert n >= 0, "HPACK: error %d in %r" % (n, data)
            data = data[n:]
            if flags.value & 2:
                out.append((ctypes.string_at(pair.name, pair.name_len),
                            ctypes.string_at(pair.value, pair.value_len)))
            if flags.value & 1:
                self.lib.nghttp2_hd_inflate_end_headers(self.state)
                return out


class Frame:
    def __init__(self, kind, flags, stream, data):
        self.kind, self.flags, self.stream = kind, flags, stream
        self.data = data

    @property
    def code(self):
        """Of RST_STREAM and GOAWAY."""
        return struct.unpack(">I", self.data[:4] if self.kind == RST else
                             self.data[4:8])[0]

    @property
    def last(self):
        return struct.unpack(">I", self.data[:4])[0]

    def __repr__(self):
        return "frame %d flags %d stream %d: %r" % (
            self.kind, self.flags, self.stream, self.data[:40])


class Answer:
    def __init__(self):
        self.status, self.fields, self.body = None, {}, b""
        self.interim, self.reset, self.done = [], None, False


class Client:
    """One connection.  Acknowledges SETTINGS and PING, and opens windows
    again, unless told not to: when so many bytes were read."""

    batch = 1

    def __init__(self, sock, settings=(), start=True, ack=True, credit=True):
        self.sock = sock
        self.ack, self.credit = ack, credit
        self.hpack = Decoder()
        self.buf = b""
        self.answers = {}
        self.settings = {}
        self.goaways = []
        self.next = 1
        self.windows, self.owed = {}, {}
        self.initial = 65535
        self.ended = None
        if start:
            self.send(PREFACE, frame(SETTINGS, 0, 0, b"".join(
                struct.pack(">HI", k, v) for k, v in settings)))

    def send(self, *parts):
        """False when the other side is gone already."""
        try:
            self.sock.sendall(b"".join(parts))
            return True
        except OSError:
            # What is read after that may look like an ordinary end.
            self.ended = "reset"
            return False

    def request(self, fields=None, body=None, stream=None, end=True):
        """Sends a head, and a body that fits any window; the stream."""
        if stream is None:
            stream, self.next = self.next, self.next + 2
        last = END_STREAM if end and body is None else 0
        self.send(frame(HEADERS, END_HEADERS | last, stream,
                        block(head() if fields is None else fields)))
        if body is not None:
            self.send(frame(DATA, END_STREAM, stream, body))
        return stream

    # reading

    def read(self):
        """The next frame, looked at; None at the end."""
        while len(self.buf) < 9 or len(self.buf) < 9 + int.from_bytes(
                self.buf[:3], "big"):
            try:
                part = self.sock.recv(65536)
            except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
                part = b""
                self.ended = "reset"
            if not part:
                self.ended = self.ended or "fin"
                return None
            self.buf += part
        n = int.from_bytes(self.buf[:3], "big")
        f = Frame(self.buf[3], self.buf[4], int.from_bytes(
            self.buf[5:9], "big") & 0x7fffffff, self.buf[9:9 + n])
        self.buf = self.buf[9 + n:]
        self.look(f)
        return f

    def look(self, f):
        a = self.answers.setdefault(f.stream, Answer())
        if f.kind == HEADERS:
            while not f.flags & END_HEADERS:
                more = self.read()
                assert more.kind == CONTINUATION, more
                f.data += more.data
                f.flags |= more.flags & END_HEADERS
            self.on_headers(a, f)
        elif f.kind == DATA:
            a.body += f.data
            self.on_data(f)
        elif f.kind == RST:
            a.reset, a.done = f.code, True
        elif f.kind == GOAWAY:
            self.goaways.append(f)
        elif f.kind == SETTINGS and not f.flags & ACK:
            self.on_settings(f)
        elif f.kind == PING and not f.flags & ACK and self.ack:
            self.send(frame(PING, ACK, 0, f.data))
        elif f.kind == WINDOW:
            self.windows[f.stream] = self.windows.get(
                f.stream, 0) + int.from_bytes(f.data, "big")
        if f.kind in (HEADERS, DATA) and f.flags & END_STREAM:
            a.done = True

    def on_headers(self, a, f):
        fields = self.hpack.decode(f.data)
        if a.status is None or a.status < 200:
            if a.status is not None:
                a.interim.append((a.status, a.fields))
            a.status = int(dict(fields)[b":status"])
            a.fields = {k.decode(): v.decode() for k, v in fields
                        if not k.startswith(b":")}

    def on_data(self, f):
        if not self.credit or not f.data:
            return
        for stream in (0, f.stream):
            n = self.owed.get(stream, 0) + len(f.data)
            over = stream == f.stream and f.flags & END_STREAM
            if n >= self.batch and not over:
                self.send(frame(WINDOW, 0, stream, struct.pack(">I", n)))
                n = 0
            self.owed[stream] = n

    def on_settings(self, f):
        for i in range(0, len(f.data), 6):
            k, v = struct.unpack_from(">HI", f.data, i)
            self.settings[k] = v
        self.initial = self.settings.get(INITIAL_WINDOW, 65535)
        if self.ack:
            self.send(frame(SETTINGS, ACK))

    def until(self, what):
        """Reads until what() is true; False when the end comes first."""
        while not what():
            if self.read() is None:
                return what()
        return True

    def answer(self, stream):
        """The whole answer, or how far it got."""
        a = self.answers.setdefault(stream, Answer())
        self.until(lambda: a.done)
        return a

    def get(self, path=b"/", *more, **kwargs):
        return self.answer(self.request(head(path, *more, **kwargs)))

    def upload(self, fields, data, piece=16384):
        """A request with a body as fast as the windows allow."""
        stream = self.request(fields, end=False)
        a = self.answers.setdefault(stream, Answer())
        sent = 0
        while sent < len(data) and a.reset is None:
            n = min(piece, len(data) - sent,
                    self.initial + self.windows.get(stream, 0) - sent,
                    65535 + self.windows.get(0, 0) - self.used)
            if n <= 0:
                if self.read() is None:
                    break
                continue
            self.send(frame(DATA, 0, stream, data[sent:sent + n]))
            sent += n
            self.used += n
        if a.reset is None:
            self.send(frame(DATA, END_STREAM, stream))
        return self.answer(stream)

    used = 0        # of the connection's window

    def end(self):
        """Reads to the end; the code of the last GOAWAY, or how it ended."""
        while self.read() is not None:
            pass
        return self.goaways[-1].code if self.goaways else self.ended

    def ping(self):
        """The answer to a PING: all that was sent before was looked at."""
        got = []
        self.send(frame(PING, 0, 0, b"are you?"))
        while not got:
            f = self.read()
            if f is None:
                return False
            if f.kind == PING and f.flags & ACK:
                got.append(f)
        return True


CONTEXT = net.tls_context(("h2", "http/1.1"))
