"""TT*: tls_terminate: TLS ends here, what is inside goes to an upstream."""

import os
import select
import socket
import ssl
import struct

import harness
import net


def swap(s, data):
    """Sends and receives as many bytes at the same time, in one thread: a
    TLS socket of Python is not for two."""
    got, off = bytearray(), 0
    s.setblocking(False)
    while len(got) < len(data):
        ready = select.select([s], [s] if off < len(data) else [], [],
                              net.WAIT)
        if not any(ready):
            raise AssertionError("stuck: %d sent, %d back" % (off, len(got)))
        try:
            while part := s.recv(65536):
                got += part
            raise AssertionError("ended after %d" % len(got))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        try:
            off += s.send(data[off:off + 16384]) if off < len(data) else 0
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
    s.settimeout(net.WAIT)
    return bytes(got)


def tlvs(data):
    out, i = {}, 0
    while i < len(data):
        kind, size = struct.unpack_from(">BH", data, i)
        out[kind] = data[i + 3:i + 3 + size]
        i += 3 + size
    return out


class TestTerminate(harness.Case):
    @classmethod
    def configure(cls):
        cls.port, cls.plain = harness.free_port(), harness.free_port()
        cls.made, ups = cls.backends("app", "loose")
        cls.pp = cls.keep(net.Backend("pp", proxy=True))
        ups["pp"] = {"address": cls.pp.address, "send_proxy": "v2",
                     "alpn": ["imap", "x"]}
        dead, address = net.dead_address()
        cls.keep(type("Dead", (), {"stop": dead.close}))
        ups["dead"] = {"address": address}
        ups["loose"]["alpn"] = []
        for u in ups.values():
            u["tls_terminate"] = True
            u["certificate"] = "self-signed"
        return {
            "listen": ("127.0.0.1:%d" % cls.port,
                       "127.0.0.1:%d" % cls.plain),
            "upstreams": ups,
            "routes": tuple({"sni": [n + ".example", "*.%s.example" % n],
                             "to": n} for n in ups) + (
                {"host": ["app.example"], "protocol": "http", "to": "app"},),
            "fallback": "close",
            "processes": {"worker": 1, "tlsterm": 2, "keys": 1},
        }

    def tls(self, name, alpn=(), port=None, **kwargs):
        s = net.tls(port or self.port, name, ctx=net.tls_context(alpn),
                    **kwargs)
        self.addCleanup(s.close)
        return s

    def greeting(self, s, name):
        want = b"I am %s\n" % name
        self.assertEqual(want, net.read_exactly(s, len(want)))

    def test_TT1_relay(self):
        mark = self.daemon.log.mark()
        s = self.tls("app.example")
        self.assertIsNone(s.selected_alpn_protocol())
        self.greeting(s, b"app")        # it speaks first
        data = os.urandom(3_000_000)
        self.assertEqual(data, swap(s, data))
        s.close()
        line = self.daemon.log.wait(r"conn .* in=3\d{6} ", mark)
        for part in ("to=app ", "reason=route:1 ", "end=fin"):
            self.assertIn(part, line)

    def test_TT1_certificate(self):
        s = self.tls("app.example")
        der = s.getpeercert(binary_form=True)
        for name in (b"app.example", b"*.app.example"):
            self.assertIn(name, der)
        self.greeting(self.tls("x.app.example"), b"app")

    def test_TT2_header(self):
        s = self.tls("pp.example", ("x", "imap"))
        self.assertEqual("imap", s.selected_alpn_protocol())
        version, command, src, dst, more = self.pp.headers.get(
            timeout=net.WAIT)
        self.assertEqual((2, 1, s.getsockname()[:2],
                          ("127.0.0.1", self.port)),
                         (version, command, src, dst))
        self.assertEqual({2: b"pp.example", 1: b"imap"}, tlvs(more))
        self.greeting(s, b"pp")

    def test_TT3_alpn(self):
        s = self.tls("app.example", ("h2", "http/1.1"))
        self.assertEqual("http/1.1", s.selected_alpn_protocol())
        with self.assertRaises(ssl.SSLError):
            self.tls("app.example", ("h2",))
        s = self.tls("loose.example", ("h2",))
        self.assertIsNone(s.selected_alpn_protocol())
        self.greeting(s, b"loose")

    def test_TT4_half_close(self):
        """A FIN of the client, and all that comes after it from the other
        side; without close_notify, which Python cannot send alone."""
        s = self.tls("app.example")
        self.greeting(s, b"app")
        data = os.urandom(2_000_000)
        self.assertEqual(data, swap(s, data))
        s.sendall(b"last")
        socket.socket.shutdown(s, socket.SHUT_WR)
        self.assertEqual(b"last", net.read_exactly(s, 4))
        self.assertEqual(b"", s.recv(1))

    def test_TT5_dead_upstream(self):
        s = self.tls("dead.example")
        self.assertEqual(b"", net.read_end(s)[0])

    def test_TT6_without_tls(self):
        s = net.tcp(self.plain)
        s.sendall(b"GET / HTTP/1.1\r\nHost: app.example\r\n\r\n")
        self.greeting(s, b"app")
        s.close()

    def test_TT7_many(self):
        live = [self.tls("app.example") for _ in range(50)]
        for s in live:
            self.greeting(s, b"app")
        for i, s in enumerate(live):
            s.sendall(b"%d" % i)
        for i, s in enumerate(live):
            self.assertEqual(b"%d" % i, net.read_exactly(s, len(str(i))))

    def test_TT8_configuration(self):
        for more, want in (
                ({"certificate": "self-signed"}, "tls_terminate"),
                ({"tls_terminate": True}, "no route with sni")):
            text = harness.conf_text({
                "listen": ("127.0.0.1:%d" % harness.free_port(),),
                "upstreams": {"a": {"address": "127.0.0.1:9", **more}}})
            path = os.path.join(self.daemon.dir, "bad.conf")
            harness.write_conf(path, text)
            got = harness.run_l4muxd("-n", "-f", path)
            self.assertEqual(1, got.returncode)
            self.assertIn(want, got.stderr)
