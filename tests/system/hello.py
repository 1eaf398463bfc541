"""TLS ClientHellos, well-formed and broken in every way the tests need."""

import os
import struct

X25519MLKEM768 = 0x11EC


def u8(n):
    return struct.pack(">B", n)


def u16(n):
    return struct.pack(">H", n)


def u24(n):
    return struct.pack(">I", n)[1:]


def vec8(b):
    return u8(len(b)) + b


def vec16(b):
    return u16(len(b)) + b


def ext(kind, body=b""):
    return u16(kind) + vec16(body)


def as_bytes(name):
    return name.encode("latin-1") if isinstance(name, str) else name


def ext_sni(*names, kind=0):
    entries = b"".join(u8(kind) + vec16(as_bytes(n)) for n in names)
    return ext(0, vec16(entries))


def ext_alpn(*protos):
    return ext(16, vec16(b"".join(vec8(as_bytes(p)) for p in protos)))


def ext_key_share(group=0x001D, size=32):
    return ext(51, vec16(u16(group) + vec16(os.urandom(size))))


def ext_padding(size):
    return ext(21, bytes(size))


GREASE = 0x3A3A

BASE_EXTENSIONS = (
    ext(GREASE),
    ext(10, vec16(u16(GREASE) + u16(0x001D) + u16(0x0017))),
    ext(13, vec16(u16(0x0403) + u16(0x0804) + u16(0x0401))),
    ext(43, vec8(u16(GREASE) + u16(0x0304) + u16(0x0303))),
    ext(45, vec8(b"\x01")),
    ext(0xFE0D, os.urandom(60)),  # what an ECH GREASE looks like
)


def body(sni="a.example", alpn=(), *, version=0x0303, session=None,
         ciphers=None, compression=b"\x00", extensions=None, more=(),
         key_share=True, trailing=b"", no_extensions=False):
    """The body of a ClientHello.  extensions replaces the usual ones."""
    if session is None:
        session = os.urandom(32)
    if ciphers is None:
        ciphers = u16(GREASE) + u16(0x1301) + u16(0x1302) + u16(0xC02B)
    if extensions is None:
        extensions = list(BASE_EXTENSIONS)
        if sni is not None:
            extensions.insert(1, ext_sni(sni))
        if alpn:
            extensions.append(ext_alpn(*alpn))
        if key_share:
            extensions.append(ext_key_share())
        extensions.extend(more)
    out = u16(version) + os.urandom(32) + vec8(session) + vec16(ciphers)
    out += vec8(compression)
    if not no_extensions:
        out += vec16(b"".join(extensions))
    return out + trailing


def handshake(data, kind=1, length=None):
    return u8(kind) + u24(len(data) if length is None else length) + data


def records(msg, cuts=(), *, version=0x0301, kind=22, size=16384):
    """The message in records: cut at the given offsets, then by size."""
    edges = [0, *cuts, len(msg)]
    out = b""
    for lo, hi in zip(edges, edges[1:]):
        for at in range(lo, hi, size):
            part = msg[at:min(at + size, hi)]
            out += u8(kind) + u16(version) + vec16(part)
    return out


def hello(*args, **kwargs):
    """A whole hello in as few records as it needs."""
    return records(handshake(body(*args, **kwargs)))


def sized(total, sni="a.example", late=False):
    """A hello whose bytes on the wire, record headers included, are total."""
    def build(pad):
        exts = list(BASE_EXTENSIONS)
        exts.insert(len(exts) if late else 0, ext_sni(sni))
        exts.insert(0 if late else len(exts), ext_padding(pad))
        return hello(extensions=exts)
    pad = total - len(build(0))
    while len(build(pad)) > total:      # one more record needs its header
        pad -= 1
    data = build(pad)
    assert len(data) == total, (len(data), total)
    return data


def length_fields(sni="a.example", alpn=("h2", "http/1.1")):
    """A hello in one record and where its 2- and 3-byte lengths are:
    (bytes, [(name, offset, size)])."""
    session = os.urandom(32)
    data = records(handshake(body(sni, session=session, extensions=[
        ext_sni(sni), ext_alpn(*alpn), ext_key_share()])))
    fields = [("record", 3, 2), ("handshake", 6, 3)]
    at = 9 + 2 + 32 + 1 + len(session)
    fields.append(("cipher_suites", at, 2))
    at += 2 + struct.unpack_from(">H", data, at)[0] + 2
    fields.append(("extensions", at, 2))
    at += 2
    for name in ("server_name", "alpn", "key_share"):
        fields.append((name, at + 2, 2))
        fields.append((name + " list", at + 4, 2))
        if name == "server_name":
            fields.append(("host_name", at + 7, 2))
        at += 4 + struct.unpack_from(">H", data, at + 2)[0]
    return data, fields


def with_length(data, offset, size, value):
    limit = (1 << 8 * size) - 1
    raw = struct.pack(">I", value & limit)[4 - size:]
    return data[:offset] + raw + data[offset + size:]


def get_length(data, offset, size):
    return int.from_bytes(data[offset:offset + size], "big")
