"""TL*: what no TLS library sends, and what it must not cost."""

import fcntl
import itertools
import os
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import termios
import threading
import time

import h2wire
import hello
import net
import rawtls
from harness import poll
from site_case import BIG, INDEX, SiteCase

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
GET = b"GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: blog.example\r\nConnection: close\r\n\r\n"
MIB = 1 << 20


def ciphers(*numbers):
    return b"".join(struct.pack(">H", n) for n in numbers)


def hello12(ciphers, **kwargs):
    """A ClientHello of TLS 1.2."""
    return hello.hello(ciphers=ciphers, extensions=[
        hello.ext_sni("blog.example"), hello.ext(10, hello.vec16(
            hello.u16(0x001D) + hello.u16(0x0017))),
        hello.ext(11, b"\x01\x00"), hello.ext(0xFF01, b"\x00"),
        hello.ext(13, hello.vec16(b"".join(map(hello.u16, (
            0x0403, 0x0804, 0x0401, 0x0201, 0x0203)))))], **kwargs)


class RawCase(SiteCase):
    def client(self, version=V13, name="blog.example", **kwargs):
        c = rawtls.Client(self.port, name, version, **kwargs)
        self.addCleanup(c.close)
        return c

    def first(self, data):
        """The first record of an answer: (type, payload)."""
        with net.tcp(self.port) as s:
            s.sendall(data)
            head = net.read_exactly(s, 5)
            if len(head) < 5:
                return None, b""
            kind, _, size = struct.unpack(">BHH", head)
            return kind, net.read_exactly(s, size)

    def refused(self, data):
        """By a fatal alert, or an end without a word; the alert."""
        kind, body = self.first(data)
        if kind is None:
            return None
        self.assertEqual((rawtls.ALERT, 2), (kind, body[0]), body[:40])
        return body[1]


class TestHandshake(RawCase):
    def test_TL1_versions(self):
        good = ciphers(0xC02B, 0xC02F)
        self.assertEqual(rawtls.HANDSHAKE, self.first(hello12(good))[0])
        for version in 0x0300, 0x0301, 0x0302:
            self.assertIn(self.refused(hello12(good, version=version)),
                          (None, 70, 40))
        # by the extension, whatever the old field says
        for list in ((0x0302,), (0x0301, 0x0300), (0x7F1C,)):
            body = hello.hello("blog.example", extensions=[
                hello.ext_sni("blog.example"), hello.ext_key_share(),
                hello.ext(43, hello.vec8(b"".join(map(hello.u16, list))))])
            self.assertIn(self.refused(body), (None, 70, 40))

    def test_TL1_weak_ciphers(self):
        for name, number in (
                ("RSA key exchange, GCM", 0x009C), ("RSA, CBC", 0x002F),
                ("RSA, 3DES", 0x000A), ("RC4", 0x0005), ("RC4-MD5", 0x0004),
                ("export", 0x0003), ("DES", 0x0009), ("NULL", 0x0002),
                ("NULL-SHA256", 0x003B), ("anonymous", 0x0034),
                ("anonymous ECDH", 0xC018), ("ECDHE-3DES", 0xC008),
                ("ECDHE-RC4", 0xC007), ("ECDHE-NULL", 0xC006),
                ("ECDHE-ECDSA, CBC", 0xC009), ("ECDHE-RSA, CBC", 0xC013),
                ("ECDHE-ECDSA, CBC-SHA256", 0xC023), ("DHE", 0x009E),
                ("static ECDH", 0xC02D), ("CCM-8", 0xC0AE), ("PSK", 0x00A8),
                ("SRP", 0xC01D), ("CAMELLIA", 0xC072), ("ARIA", 0xC05C)):
            self.assertIn(self.refused(hello12(ciphers(number))),
                          (None, 40, 71), name)

    def test_TL1_no_compression(self):
        kind, body = self.first(hello12(ciphers(0xC02B), compression=b"\1\0"))
        self.assertEqual(rawtls.HANDSHAKE, kind)
        self.assertEqual(2, body[0])            # ServerHello
        at = 4 + 2 + 32
        at += 1 + body[at] + 2
        self.assertEqual(0, body[at])
        self.assertIn(self.refused(hello12(ciphers(0xC02B),
                                           compression=b"\1")), (None, 47, 50))

    def test_TL1_fallback_is_refused(self):
        """TLS_FALLBACK_SCSV (RFC 7507): somebody made the client believe that
        we have no TLS 1.3."""
        self.assertEqual(86, self.refused(
            hello12(ciphers(0xC02B, 0xC02F, 0x5600))))

    def test_TL1_downgrade_is_marked(self):
        """RFC 8446 4.1.3: the server random says that there is TLS 1.3."""
        _, body = self.first(hello12(ciphers(0xC02B)))
        self.assertEqual(b"DOWNGRD\x01", body[4 + 2 + 24:4 + 2 + 32])

    def test_TL1_renegotiation(self):
        """A second ClientHello inside the connection is turned down, and the
        connection goes on."""
        c = self.client(V12)
        c.send(hello.handshake(hello.body("open.example")),
               rawtls.HANDSHAKE)
        c.send(LAST)
        data, end = c.read_all()
        if data:
            self.assertTrue(data.endswith(INDEX), data)
        else:
            self.assertIn(end, ("NO_RENEGOTIATION", "SSLV3_ALERT_NO_"
                                "RENEGOTIATION", "reset", "fin",
                                "TLSV1_ALERT_NO_RENEGOTIATION"))

    def test_TL1_renegotiation_by_a_client(self):
        r = subprocess.run(
            ["openssl", "s_client", "-connect", "127.0.0.1:%d" % self.port,
             "-servername", "blog.example", "-tls1_2", "-no_ign_eof"],
            input="R\n", capture_output=True, text=True, timeout=net.WAIT)
        self.assertIn("RENEGOTIATING", r.stdout + r.stderr)
        self.assertIn("renegotiation", r.stderr.lower())
        self.assertNotEqual(0, r.returncode)

    def test_TL2_fragments(self):
        """The same hello however it is cut, in records and segments."""
        data = hello.handshake(hello.body("blog.example"))
        for cuts in ((1,), (4,), (5, 6), (40, 41, 42), (len(data) - 1,)):
            self.assertEqual(rawtls.HANDSHAKE, self.first(
                hello.records(data, cuts))[0], cuts)
        # Not a hello, or not one that ends where it says.
        for bad in (hello.records(data[:-1]),
                    hello.records(data + b"x"),
                    hello.records(data, kind=23),
                    hello.records(data) + hello.records(data)):
            with net.tcp(self.port) as s:
                s.sendall(bad)
                s.shutdown(socket.SHUT_WR)
                net.read_end(s)
        self.daemon.assert_books()

    def test_TL2_many_extensions(self):
        more = [hello.ext(0x4000 + i) for i in range(500)]
        self.assertEqual(rawtls.HANDSHAKE, self.first(
            hello.hello("blog.example", more=more))[0])

    def test_TL4_nobody_sees_what_is_not_theirs(self):
        """Of a name that nobody has only the fallback's certificate is seen;
        with `close` none at all is in test_certificates."""
        ctx = net.tls_context()
        for name in "unknown.example", "sub.blog.example", "example", None:
            with net.tls(self.port, name, ctx) as s:
                der = s.getpeercert(True)
                self.assertIn(b"blog.example", der)
                self.assertNotIn(b"open.example", der)
                self.assertNotIn(b"off.example", der)

    def test_TL5_alpn(self):
        for protos, want in ((("http/1.1", "ftp"), "http/1.1"),
                             (("ftp", "http/1.1"), "http/1.1"),
                             (("http/1.0",), "http/1.0")):
            with net.tls(self.port, "blog.example",
                         net.tls_context(protos)) as s:
                self.assertEqual(want, s.selected_alpn_protocol())
        for protos in (("ftp",), ("smtp",), ("imap", "pop3"), ("http/1",),
                       ("HTTP/1.1",), ("h3",)):
            for v in V12, V13:
                body = hello.hello("blog.example", protos)
                with self.assertRaises(ssl.SSLError) as e:
                    net.tls(self.port, "blog.example",
                            net.tls_context(protos, (v, v)))
                self.assertIn("application protocol",
                              str(e.exception).lower())
                self.assertIn(self.refused(body), (120,), protos)


class TestTurns(RawCase):
    """One process, so that whoever waits there waits for the other."""
    more = {"processes": {"worker": 1, "tlsterm": 1, "keys": 1}}
    count = itertools.count()

    def end_of(self, c, data):
        """Sends what the kernel keeps until it is read, and the end."""
        c.sock.sendall(data)
        c.sock.shutdown(socket.SHUT_WR)
        poll(lambda: fcntl.ioctl(c.sock, termios.TIOCOUTQ, b"\0" * 4) ==
             b"\0" * 4, why="it does not fit")
        return "from=127.0.0.1:%d " % c.sock.getsockname()[1]

    def flooded(self, c, data):
        """Is who came later done before a client that sent so much?"""
        [pid] = self.daemon.pids("tlsterm")
        other = self.client()
        at = self.daemon.log.mark()
        os.kill(pid, signal.SIGSTOP)
        try:
            first = self.end_of(c, data)
            then = self.end_of(other, other.record(LAST))
        finally:
            os.kill(pid, signal.SIGCONT)
        for who in first, then:
            self.daemon.log.wait(who, at)
        order = [who for line in self.daemon.log.lines[at:]
                 for who in (first, then) if who in line]
        return order == [then, first]

    def test_TL8_one_after_the_other(self):
        """Records of one byte: by bytes alone it would be all at once."""
        c = self.client()
        c.send(b"GET / HTTP/1.1\r\nHost: blog.example\r\nX: ")
        self.assertTrue(self.flooded(c, b"".join(
            c.record(b"a") for i in range(2500))))
        c = self.client(alpn=("h2",))
        c.send(h2wire.PREFACE + h2wire.frame(h2wire.SETTINGS) +
               h2wire.frame(h2wire.HEADERS, h2wire.END_HEADERS, 1,
                            h2wire.block(h2wire.head(method=b"POST"))) +
               struct.pack(">I", 3000)[1:] + struct.pack(
                   ">BBI", h2wire.DATA, 0, 1))
        self.assertTrue(self.flooded(c, b"".join(
            c.record(b"a") for i in range(2500))))


    def names(self):
        """Files that nobody has asked for: they are read and hashed."""
        for i in range(4):
            name = "cold-%d.bin" % next(self.count)
            with open(os.path.join(self.root, name), "wb") as f:
                f.truncate(600_000)
            yield b"/" + name.encode()

    def test_P9_requests_one_after_the_other(self):
        """A few bytes ask for work that others would have to wait for."""
        c = self.client()
        self.assertTrue(self.flooded(c, c.record(b"".join(
            b"HEAD %s HTTP/1.1\r\nHost: blog.example\r\n\r\n" % name
            for name in self.names()))))
        c = self.client(alpn=("h2",))
        c.send(h2wire.PREFACE + h2wire.frame(h2wire.SETTINGS))
        self.assertTrue(self.flooded(c, c.record(b"".join(
            h2wire.frame(h2wire.HEADERS, h2wire.END_HEADERS |
                         h2wire.END_STREAM, 1 + 2 * i,
                         h2wire.block(h2wire.head(name, method=b"HEAD")))
            for i, name in enumerate(self.names())))))


class TestRecords(RawCase):
    """TL8: what is not data has a budget."""
    limits = {"header_timeout": 1.5}

    def flood(self, c, records):
        """Sends without end; the server reads no more than it wants to."""
        before = self.daemon.counter("tlsterm", "bytes_in")
        self.assertLess(c.flood(records, 64 * MIB), 64 * MIB)
        c.close()
        self.daemon.assert_books()
        self.assertLess(self.daemon.counter("tlsterm", "bytes_in") - before,
                        MIB)

    def alive(self):
        self.assertEqual((200, INDEX), self.get(
            "/", "blog.example", sock=self.tls())[::2])

    def test_TL8_key_updates(self):
        """A few are fine; a hundred thousand are not."""
        c = self.client()
        for wanted in False, True, True:
            c.sock.sendall(c.key_update(wanted))
        c.send(LAST)
        self.assertTrue(c.read_all()[0].endswith(INDEX))
        for wanted in False, True:
            c = self.client()
            self.flood(c, lambda: b"".join(
                c.key_update(wanted) for i in range(100)))
        self.alive()

    def test_TL8_empty_records(self):
        for v in V12, V13:
            c = self.client(v)
            for i in range(10):
                c.send(b"")
            c.send(LAST)
            self.assertTrue(c.read_all()[0].endswith(INDEX))
            c = self.client(v)
            self.flood(c, lambda: b"".join(
                c.record(b"") for i in range(100)))
        self.alive()

    def test_TL8_records_of_one_byte(self):
        """They are data: a request may come so, and no longer than any."""
        for v in V12, V13:
            c = self.client(v)
            c.sock.sendall(b"".join(c.record(bytes((b,))) for b in LAST))
            self.assertTrue(c.read_all()[0].endswith(INDEX))
            c = self.client(v)
            c.send(b"GET / HTTP/1.1\r\nX: ")
            self.flood(c, lambda: b"".join(
                c.record(b"a") for i in range(100)))

    def test_TL8_records_of_one_byte_gain_no_time(self):
        """However many runs it takes to read them."""
        c = self.client()
        c.send(b"GET / HTTP/1.1\r\nHost: blog.example\r\nX: ")
        c.sock.settimeout(0.4)
        answer = b""
        for i in range(12):
            c.sock.sendall(b"".join(c.record(b"a") for i in range(1200)))
            try:
                answer = c.read()
                break
            except TimeoutError:
                pass
        self.assertTrue(answer.startswith(b"HTTP/1.1 408 "), answer)

    def test_TL8_renegotiations(self):
        c = self.client(V12)
        one = hello.handshake(hello.body("blog.example"))
        self.flood(c, lambda: c.record(one, rawtls.HANDSHAKE))
        self.alive()

    def test_TL8_warnings(self):
        for v, warning in (V12, b"\1\x5a"), (V13, b"\1\x5a"):
            c = self.client(v)
            self.flood(c, lambda: b"".join(
                c.record(warning, rawtls.ALERT) for i in range(100)))
        self.alive()

    def test_TL8_change_cipher_spec(self):
        """Which TLS 1.3 allows inside the handshake alone."""
        c = self.client()
        self.flood(c, lambda: b"\x14\3\3\0\1\1" * 100)
        self.alive()

    def test_TL8_padding(self):
        """Records that are all padding are empty records."""
        c = self.client()
        self.flood(c, lambda: self.padded(c))
        self.alive()

    def padded(self, c):
        data = bytes((rawtls.APPLICATION,)) + bytes(16000)
        head = struct.pack(">BHH", 23, 0x0303, len(data) + 16)
        nonce = (c.iv ^ c.seq).to_bytes(12, "big")
        c.seq += 1
        return head + c.gcm.seal(nonce, head, data)

    def test_TL8_broken_records(self):
        """A bit wrong, too long, of no kind, out of order: an alert."""
        def changed(c):
            r = bytearray(c.record(GET))
            r[-1] ^= 1
            return bytes(r)

        def skipped(c):
            c.seq += 1
            return c.record(GET)

        makes = [(v, m) for v in (V12, V13) for m in (
            changed, skipped,
            lambda c: c.record(b"a" * 16385),
            lambda c: c.record(GET, 99),
            lambda c: c.record(b"\x02\0\0\0", rawtls.HANDSHAKE),
            lambda c: GET,
            lambda c: b"\x17\3\3\xff\xff" + bytes(65535),
            lambda c: b"\x17\3\3\0\0")]
        # nothing at all in TLS 1.2
        makes.append((V13, lambda c: c.record(b"", rawtls.HANDSHAKE)))
        for v, make in makes:
            c = self.client(v)
            try:
                c.sock.sendall(make(c))
                data, end = c.read_all()
            except ConnectionError:
                continue
            self.assertEqual(b"", data)
            self.assertNotEqual("notify", end)
        self.alive()


class TestEnds(RawCase):
    """TL11: close_notify, and ends that are none."""

    def test_TL11_ours_says_so(self):
        for v in V12, V13:
            c = self.client(v)
            c.send(LAST)
            data, end = c.read_all()
            self.assertTrue(data.endswith(INDEX))
            self.assertEqual("notify", end)
            self.assertEqual(b"", c.sock.recv(1))       # and FIN

    def test_TL11_client_says_so(self):
        """What it asked before is answered; close_notify is answered too."""
        for v in V12, V13:
            for fin in False, True:
                c = self.client(v)
                c.sock.sendall(c.record(GET) + c.record(
                    rawtls.CLOSE_NOTIFY, rawtls.ALERT))
                if fin:
                    c.sock.shutdown(socket.SHUT_WR)
                data, end = c.read_all()
                self.assertTrue(data.endswith(INDEX), (v, fin, data, end))
                # who said FIN may be gone altogether
                self.assertIn(end, ("notify", "fin")[:1 + fin])

    def test_TL11_nothing_after_close_notify(self):
        c = self.client()
        c.sock.sendall(c.record(rawtls.CLOSE_NOTIFY, rawtls.ALERT) +
                       c.record(GET))
        self.assertEqual(b"", c.read_all()[0])

    def test_TL11_half_a_request(self):
        """Cut off by FIN, with or without close_notify: it was not asked."""
        before = self.daemon.counter("tlsterm", "requests")
        for v in V12, V13:
            for notify in False, True:
                c = self.client(v)
                c.send(GET[:-2])
                if notify:
                    c.send(rawtls.CLOSE_NOTIFY, rawtls.ALERT)
                c.sock.shutdown(socket.SHUT_WR)
                self.assertEqual(b"", c.read_all()[0])
        self.daemon.assert_books()
        self.assertEqual(before, self.daemon.counter("tlsterm", "requests"))

    def test_TL11_whole_request_and_fin(self):
        for v in V12, V13:
            c = self.client(v)
            c.send(GET)
            c.sock.shutdown(socket.SHUT_WR)
            self.assertTrue(c.read_all()[0].endswith(INDEX))

    def test_TL11_file_that_shrinks(self):
        """Less than was announced is not closed as if it were whole."""
        path = os.path.join(self.root, "shrinks.bin")
        with open(path, "wb") as f:
            f.write(BIG)
            f.truncate(64 * MIB)
        c = self.client(rcvbuf=4096)
        c.send(LAST.replace(b" / ", b" /shrinks.bin "))
        got = c.read()
        os.truncate(path, len(BIG))
        data, end = c.read_all()
        self.assertLess(len(got + data), 64 * MIB)
        self.assertNotEqual("notify", end)


class TestStalls(RawCase):
    limits = {"handshake_timeout": 0.7, "header_timeout": 0.7,
              "idle_timeout": 0.7}

    def ends(self, s):
        net.read_end(s)
        self.daemon.assert_books()

    def ends_despite(self, s, pieces):
        """Although there is a piece every tenth of a second."""
        s.settimeout(0.1)
        end = time.monotonic() + net.WAIT
        for piece in pieces:
            try:
                s.sendall(piece)
                while s.recv(65536):
                    pass
                break
            except TimeoutError:
                self.assertLess(time.monotonic(), end, "still open")
            except ConnectionError:
                break
        self.daemon.assert_books()

    def test_TL7_silent_after_the_server_hello(self):
        for data in (hello.hello("blog.example"),
                     hello12(ciphers(0xC02B))):
            with net.tcp(self.port) as s:
                s.sendall(data)
                self.assertEqual(5, len(net.read_exactly(s, 5)))
                self.ends(s)

    def test_TL7_a_byte_now_and_then(self):
        """The deadline is for the handshake, not for each byte."""
        with net.tcp(self.port) as s:
            s.sendall(hello.hello("blog.example"))
            net.read_exactly(s, 5)
            data = b"\x14\3\3\0\1\1\x17\3\3\x40\0" + bytes(0x4000)
            self.ends_despite(s, (bytes((b,)) for b in data))

    def test_TL7_half_a_record(self):
        for data in b"\x17", b"\x17\3\3\x40", b"\x17\3\3\x40\0" + bytes(100):
            c = self.client()
            c.sock.sendall(data)
            self.ends(c.sock)

    def test_TL7_empty_records_are_no_sign_of_life(self):
        """Nor are key updates: one that asks for nothing is idle."""
        for make in (lambda c: c.record(b""), lambda c: c.key_update()):
            c = self.client()
            self.ends_despite(c.sock, (make(c) for i in iter(int, 1)))
