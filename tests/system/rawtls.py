"""A TLS client that goes on by hand once its handshake is done: any record, in
any order, as often as a test wants."""

import ctypes
import ctypes.util
import hashlib
import hmac
import os
import ssl
import struct
import tempfile

import net

APPLICATION, HANDSHAKE, ALERT, CCS = 23, 22, 21, 20
CLOSE_NOTIFY = b"\x01\x00"
KEY_UPDATE = b"\x18\0\0\x01"        # and 0, or 1 for one in return

_crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
for _name in "EVP_CIPHER_CTX_new", "EVP_aes_128_gcm":
    getattr(_crypto, _name).restype = ctypes.c_void_p


class Gcm:
    """AES-128-GCM, sealing only."""

    def __init__(self, key):
        self.ctx = ctypes.c_void_p(_crypto.EVP_CIPHER_CTX_new())
        self.call("EVP_EncryptInit_ex", ctypes.c_void_p(
            _crypto.EVP_aes_128_gcm()), None, key, None)

    def call(self, name, *args):
        if getattr(_crypto, name)(self.ctx, *args) != 1:
            raise AssertionError(name)

    def seal(self, nonce, aad, data):
        out = ctypes.create_string_buffer(len(data) + 16)
        tag = ctypes.create_string_buffer(16)
        n = ctypes.c_int()
        self.call("EVP_EncryptInit_ex", None, None, None, nonce)
        self.call("EVP_EncryptUpdate", None, ctypes.byref(n), aad, len(aad))
        self.call("EVP_EncryptUpdate", out, ctypes.byref(n), data, len(data))
        self.call("EVP_EncryptFinal_ex", out, ctypes.byref(n))
        self.call("EVP_CIPHER_CTX_ctrl", 16, 16, tag)     # GET_TAG
        return out.raw[:len(data)] + tag.raw

    def __del__(self):
        _crypto.EVP_CIPHER_CTX_free(self.ctx)


def expand_label(secret, label, size):
    info = (struct.pack(">HB", size, 6 + len(label)) + b"tls13 " + label +
            b"\0")
    return hmac.digest(secret, info + b"\x01", hashlib.sha256)[:size]


def prf(secret, seed, size):
    out, a = b"", seed
    while len(out) < size:
        a = hmac.digest(secret, a, hashlib.sha256)
        out += hmac.digest(secret, a + seed, hashlib.sha256)
    return out[:size]


class Client:
    """version is of ssl.TLSVersion.  Nothing is read until a test does."""

    def __init__(self, port, name, version=ssl.TLSVersion.TLSv1_3,
                 alpn=("http/1.1",), **kwargs):
        self.sock = net.tcp(port, **kwargs)
        self.seen = b""         # of the server's first flight
        with tempfile.TemporaryDirectory() as tmp:
            ctx = net.tls_context(alpn, (version, version))
            ctx.keylog_filename = os.path.join(tmp, "keys")
            if version == ssl.TLSVersion.TLSv1_2:
                ctx.set_ciphers("ECDHE+AES128:@SECLEVEL=2")
            self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.tls = ctx.wrap_bio(self.incoming, self.outgoing,
                                    server_hostname=name)
            self.handshake()
            with open(ctx.keylog_filename) as f:
                self.log = dict((w[0], w[1:]) for w in
                                map(str.split, f) if w[0][0] != "#")
        self.v13 = version == ssl.TLSVersion.TLSv1_3
        if "AES128" not in self.tls.cipher()[0].replace("_", ""):
            raise AssertionError(self.tls.cipher())
        if self.v13:
            self.secret = bytes.fromhex(
                self.log["CLIENT_TRAFFIC_SECRET_0"][1])
            self.keys()
        else:
            self.keys12()

    def handshake(self):
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.sock.sendall(self.outgoing.read())
                part = self.sock.recv(65536)
                if not part:
                    raise AssertionError("the end, in the handshake")
                self.seen += part
                self.incoming.write(part)
        self.sock.sendall(self.outgoing.read())

    def keys(self):
        self.gcm = Gcm(expand_label(self.secret, b"key", 16))
        self.iv = int.from_bytes(expand_label(self.secret, b"iv", 12), "big")
        self.seq = 0

    def keys12(self):
        random, master = map(bytes.fromhex, self.log["CLIENT_RANDOM"])
        block = prf(master, b"key expansion" + self.seen[11:43] + random, 40)
        self.gcm = Gcm(block[:16])
        self.iv = block[32:36]
        self.seq = 1            # Finished was 0

    def record(self, data, kind=APPLICATION):
        """One sealed record."""
        if self.v13:
            data += bytes((kind,))
            head = struct.pack(">BHH", APPLICATION, 0x0303, len(data) + 16)
            nonce = (self.iv ^ self.seq).to_bytes(12, "big")
            out = head + self.gcm.seal(nonce, head, data)
        else:
            explicit = struct.pack(">Q", self.seq)
            aad = explicit + struct.pack(">BHH", kind, 0x0303, len(data))
            out = struct.pack(">BHH", kind, 0x0303, len(data) + 24) + \
                explicit + self.gcm.seal(self.iv + explicit, aad, data)
        self.seq += 1
        return out

    def key_update(self, wanted=False):
        out = self.record(KEY_UPDATE + bytes((wanted,)), HANDSHAKE)
        self.secret = expand_label(self.secret, b"traffic upd", 32)
        self.keys()
        return out

    def send(self, data, kind=APPLICATION):
        self.sock.sendall(self.record(data, kind))

    def read(self, n=65536):
        """Decrypted data; b"" after close_notify; ssl.SSLError for an alert,
        ConnectionError for a reset, EOFError where the bytes just end."""
        while True:
            try:
                return self.tls.read(n)
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLWantReadError:
                pass
            part = self.sock.recv(65536)
            if not part:
                raise EOFError
            self.incoming.write(part)

    def read_all(self):
        """(data, how it ended: "notify", "fin", "reset", or an alert)."""
        out = b""
        while True:
            try:
                part = self.read()
            except EOFError:
                return out, "fin"
            except ssl.SSLError as e:
                return out, e.reason or str(e)
            except ConnectionError:
                return out, "reset"
            if not part:
                return out, "notify"
            out += part

    def flood(self, records, limit):
        """Sends what records() gives until the server ends the connection;
        how many bytes it took.  Answers are not read."""
        sent = 0
        try:
            while sent < limit:
                part = records()
                self.sock.sendall(part)
                sent += len(part)
        except (ConnectionError, TimeoutError):
            pass
        return sent

    def close(self):
        self.sock.close()
