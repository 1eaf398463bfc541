"""CH*: ClientHellos over the wire.  Each verdict has a backend of its own, so
that what the worker thought is seen by who answers, with all bytes unread."""

import os
import socket
import time

import hello
import net
import proc
from harness import Case, free_port

VERDICTS = ("unknown", "silent", "malformed", "oversized")


class HelloCase(Case):
    timeout = 30.0      # so long that nothing here may wait for it
    limits = {}

    @classmethod
    def configure(cls):
        cls.port = free_port()
        _, ups = cls.backends("a", "none", *VERDICTS)
        return {
            "listen": ("127.0.0.1:%d" % cls.port,),
            "upstreams": ups,
            "routes": ({"sni": ["a.example", "xn--a.example", cls.long()],
                        "to": "a"},
                       {"sni": "", "to": "none"}),
            "fallback": {v: v for v in VERDICTS},
            "limits": {"hello_timeout": cls.timeout, **cls.limits},
            "processes": {"worker": 1},
        }

    @staticmethod
    def long():
        """A name of 253 bytes, the most that a host name can have."""
        return ".".join(["l" * 49] * 5) + ".ex"

    def who(self, data, **kwargs):
        return net.who(self.port, data, **kwargs)

    def all_are(self, want, cases):
        """Every case (name, bytes) takes the verdict."""
        got = [(name, self.who(data)) for name, data in cases]
        self.assertEqual([], [g for g in got if g[1] not in want])


class TestHello(HelloCase):
    def test_CH0_whole_hello_matches(self):
        self.assertEqual("a", self.who(hello.hello()))

    def test_CH0_no_wait_without_fin(self):
        self.assertEqual("a", self.who_stays(hello.hello()))

    def who_stays(self, data):
        """Without FIN: the greeting comes at once."""
        with net.tcp(self.port) as s:
            s.sendall(data)
            return net.read_line(s)[5:-1].decode()

    def test_CH1_truncated_at_every_offset_then_fin(self):
        data = hello.hello()
        self.all_are(("malformed",), [
            (k, data[:k]) for k in range(6, len(data))])

    def test_CH1_truncated_in_the_first_bytes_then_fin(self):
        data = hello.hello()
        self.all_are(("malformed", "unknown", "silent"), [
            (k, data[:k]) for k in range(1, 6)])

    def test_CH1_truncated_over_records(self):
        msg = hello.handshake(hello.body())
        data = hello.records(msg, size=7)
        self.all_are(("malformed",), [
            (k, data[:k]) for k in range(6, len(data), 3)])

    def test_CH2_every_length_wrong(self):
        data, fields = hello.length_fields()
        for name, at, size in fields:
            right = hello.get_length(data, at, size)
            self.all_are(("malformed", "oversized"), [
                ((name, v), hello.with_length(data, at, size, v))
                for v in (0, 1, right + 1, right - 1, 0xFFFF, 0xFFFFFF)
                if v & ((1 << 8 * size) - 1) != right and
                (name, v) != ("record", right + 1) and
                name != "key_share list"])      # skipped by length
        # A record may hold more than the hello: the hello is whole.
        self.assertEqual("a", self.who(hello.with_length(
            data, 3, 2, hello.get_length(data, 3, 2) + 1)))

    def test_CH4_session_id(self):
        self.all_are(("a",), [(n, hello.hello(session=bytes(n)))
                              for n in (0, 1, 32)])
        self.all_are(("malformed",), [(n, hello.hello(session=bytes(n)))
                                      for n in (33, 64, 255)])

    def test_CH5_ciphers_and_compression(self):
        self.all_are(("malformed",), [
            ("odd", hello.hello(ciphers=b"\x13\x01\x13")),
            ("one byte", hello.hello(ciphers=b"\x13")),
            ("no cipher", hello.hello(ciphers=b"")),
            ("no compression", hello.hello(compression=b"")),
        ])

    def test_CH6_extension_twice(self):
        a, b = hello.ext_sni("a.example"), hello.ext_sni("b.example")
        alpn = hello.ext_alpn("h2")
        self.all_are(("malformed",), [
            ("same name", hello.hello(extensions=[a, a])),
            ("two names", hello.hello(extensions=[a, b])),
            ("two names", hello.hello(extensions=[b, a])),
            ("alpn", hello.hello(extensions=[a, alpn, alpn])),
            ("names in one", hello.hello(extensions=[
                hello.ext_sni("a.example", "b.example")])),
        ])

    def test_CH8_name_sizes(self):
        self.assertEqual("a", self.who(hello.hello(self.long())))
        self.all_are(("malformed",), [
            ("empty", hello.hello("")),
            ("256", hello.hello(".".join(["l" * 63] * 4) + ".")),
            ("300", hello.hello(".".join(["l" * 59] * 5))),
            ("label of 64", hello.hello("l" * 64 + ".example")),
            ("empty label", hello.hello("a..example")),
            ("dot first", hello.hello(".a.example")),
            ("only a dot", hello.hello(".")),
            ("two dots last", hello.hello("a.example..")),
        ])

    def test_CH9_nul_in_name(self):
        self.all_are(("malformed",), [
            (n, hello.hello(n)) for n in (
                "a.example\0.evil", "a.example\0", "\0a.example", "\0")])

    def test_CH10_case_and_trailing_dot(self):
        self.all_are(("a",), [(n, hello.hello(n)) for n in (
            "A.EXAMPLE", "a.Example", "a.example.", "A.EXAMPLE.",
            "XN--A.example")])

    def test_CH11_bytes_that_no_name_has(self):
        before = sorted(os.listdir(self.daemon.dir))
        bad = [bytes((c,)) for c in (*range(0x00, 0x2d), 0x2f,
               *range(0x3a, 0x41), *range(0x5b, 0x5f), 0x60,
               *range(0x7b, 0x100))]
        self.all_are(("malformed",), [
            (c, hello.hello(b"a" + c + b".example")) for c in bad])
        self.all_are(("malformed",), [
            (n, hello.hello(n)) for n in (
                "a/../../x", "%2e%2e", "a.example:443", "a.example\n",
                "\x1b[2J", "m\xfcller.example", b"\xc3\xa9.example")])
        self.assertEqual("unknown", self.who(hello.hello("a_b.example")))
        self.assertEqual(before, sorted(os.listdir(self.daemon.dir)))

    def test_CH12_address_as_name(self):
        self.all_are(("none",), [(n, hello.hello(n)) for n in (
            "192.0.2.1", "127.0.0.1")])
        # A colon or bracket is in no host name at all.
        self.all_are(("malformed", "none"), [
            (n, hello.hello(n)) for n in ("[::1]", "::1", "2001:db8::1")])

    def test_CH13_no_name(self):
        self.all_are(("none",), [
            ("no sni", hello.hello(None)),
            ("no extensions", hello.hello(no_extensions=True)),
            ("empty extensions", hello.hello(extensions=[])),
        ])

    def test_CH13_name_of_another_type(self):
        self.all_are(("malformed", "none"), [
            ("type 1", hello.hello(extensions=[
                hello.ext_sni("a.example", kind=1)]))])

    def test_CH14_a_byte_at_a_time(self):
        data = hello.hello()
        with net.tcp(self.port) as s:
            for b in data:
                s.send(bytes((b,)))
                time.sleep(0.001)       # the shape of the input
            self.assertEqual(b"I am a\n", net.read_line(s))
            self.assertEqual(data, net.read_exactly(s, len(data)))

    def test_CH14_two_segments_at_every_offset(self):
        data = hello.hello()
        got = set()
        for k in range(1, len(data), 5):
            with net.tcp(self.port) as s:
                s.sendall(data[:k])
                self.seen(s, k)
                s.sendall(data[k:])
                got.add(net.read_line(s))
        self.assertEqual({b"I am a\n"}, got)

    def seen(self, s, k):
        """Returns when the daemon's side acknowledged k bytes."""
        while True:
            info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
            if int.from_bytes(info[120:128], "little") >= k:
                return                  # tcpi_bytes_acked

    def test_CH15_records_cut_at_every_offset(self):
        msg = hello.handshake(hello.body())
        self.all_are(("a",), [
            (k, hello.records(msg, cuts=(k,))) for k in range(1, len(msg))])

    def test_CH15_small_records(self):
        msg = hello.handshake(hello.body(alpn=("h2", "http/1.1")))
        self.all_are(("a",), [
            (n, hello.records(msg, size=n)) for n in (1, 2, 3, 5, 64, 200)])

    def test_CH15_other_record_inside(self):
        msg = hello.handshake(hello.body())
        first, rest = hello.records(msg[:40]), hello.records(msg[40:])
        self.all_are(("malformed",), [
            ("alert", first + hello.records(b"\1\0", kind=21) + rest),
            ("ccs", first + hello.records(b"\1", kind=20) + rest),
            ("data", first + hello.records(b"x", kind=23) + rest),
            ("empty", first + b"\x16\x03\x01\0\0" + rest),
            ("empty first", b"\x16\x03\x01\0\0" + first + rest),
        ])

    def test_CH16_what_follows_is_not_looked_at(self):
        self.all_are(("a",), [
            ("early data", hello.hello() + os.urandom(3000)),
            ("another hello", hello.hello() + hello.hello("b.example")),
            ("same record", hello.records(
                hello.handshake(hello.body()) + b"junk after it")),
        ])

    def test_CH17_sizes(self):
        pq = hello.hello(more=(hello.ext_padding(0),), extensions=None,
                         key_share=False)
        self.assertEqual("a", self.who(pq))
        share = hello.ext_key_share(hello.X25519MLKEM768, 1216)
        self.assertEqual("a", self.who(hello.hello(more=(share,))))
        self.all_are(("a",), [
            ((n, late), hello.sized(n, late=late))
            for n in (1800, 2400, 4096, 6000, 16000, 16384, 16400, 20000,
                      32767, 32768) for late in (False, True)])

    def test_CH17_oversized(self):
        self.all_are(("oversized",), [
            (n, hello.sized(n)) for n in (32769, 33 * 1024, 60000)])

    def test_CH17_oversized_in_small_records(self):
        msg = hello.handshake(hello.body(more=(hello.ext_padding(9000),)))
        self.assertEqual("a", self.who(hello.records(msg, size=10)))
        self.assertEqual("oversized", self.who(hello.records(msg, size=1)))

    def test_CH18_announces_16_mib(self):
        data = b"\x16\x03\x01\x40\x00\x01\xff\xff\xff\x03\x03"
        self.assertEqual("oversized", self.who_stays(data))

    def test_CH18_memory_stays(self):
        data = b"\x16\x03\x01\x40\x00\x01\xff\xff\xff\x03\x03"
        pid, = self.daemon.pids("worker")
        self.all_are(("oversized",), [(i, data) for i in range(50)])
        before = proc.rss_kib(pid)
        self.all_are(("oversized",), [(i, data) for i in range(1000)])
        self.assertLess(proc.rss_kib(pid) - before, 256)

    def test_CH19_grease_and_many_extensions(self):
        grease = [hello.ext(0x0A0A + 0x1010 * i, os.urandom(i))
                  for i in range(16)]
        many = [hello.ext(0x4000 + i) for i in range(500)]
        a = hello.ext_sni("a.example")
        self.all_are(("a",), [
            ("grease", hello.hello(extensions=grease + [a])),
            ("500", hello.hello(extensions=many + [a])),
            ("500 after", hello.hello(extensions=[a] + many)),
            # Whatever is in an ECH: the outer name counts (BACKENDS L5).
            *(("ech %r" % x, hello.hello(extensions=[hello.ext(0xfe0d, x),
                                                     a]))
              for x in (b"", b"\0", b"\1", b"\0\0\1\0\1\7\xff\xff",
                        os.urandom(300))),
            ("grease ciphers", hello.hello(ciphers=b"".join(
                hello.u16(0x0A0A + 0x1010 * i) for i in range(16)))),
        ])

    def test_CH20_versions(self):
        msg = hello.handshake(hello.body())
        self.all_are(("a",), [
            (hex(v), hello.records(msg, version=v))
            for v in (0x0301, 0x0302, 0x0303)])
        self.all_are(("malformed",), [
            (hex(v), hello.records(msg, version=v))
            for v in (0x0000, 0x0200, 0x0300, 0x0304, 0x1603, 0xFFFF)])
        self.all_are(("malformed",), [
            (hex(v), hello.hello(version=v)) for v in (0x0300, 0x0200, 0)])
        self.all_are(("a",), [
            (hex(v), hello.hello(version=v)) for v in (0x0301, 0x0303)])

    def test_CH20_sslv2(self):
        v2 = (b"\x01\x03\x01" + hello.u16(6) + hello.u16(0) + hello.u16(16) +
              b"\x00\x00\x2f\x00\x00\x35" + os.urandom(16))
        self.all_are(("malformed",), [
            ("v2", hello.u16(0x8000 | len(v2)) + v2),
            ("v2 long", hello.u16(0x8000 | 128) +
             v2[:5] + hello.u16(0) + v2[7:] + bytes(128 - len(v2)))])

    def test_CH20_not_a_client_hello(self):
        self.all_are(("malformed",), [
            (k, hello.records(hello.handshake(hello.body(), kind=k)))
            for k in (0, 2, 11, 255)])

    def test_CH21_bytes_after_the_extensions(self):
        self.assertEqual("malformed", self.who(hello.hello(trailing=b"x")))

    def test_CH22_other_protocols(self):
        self.all_are(("unknown",), [
            ("http", b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"),
            ("ssh", b"SSH-2.0-OpenSSH_9.2\r\n"),
            ("socks5", b"\x05\x01\x00" + bytes(30)),
            ("socks4", b"\x04\x01\x01\xbb\x7f\0\0\1x\0"),
            ("tds", b"\x12\x01\x00\x2f" + bytes(43)),
            ("alert first", b"\x15\x03\x01\x00\x02\x02\x28"),
            ("zeroes", bytes(64)),
            ("ff", b"\xff" * 64),
            ("random", bytes(range(0x60, 0xa0))),
        ])

    def test_CH24_alpn_lists(self):
        a = hello.ext_sni("a.example")

        def with_alpn(raw):
            return hello.hello(extensions=[a, hello.ext(16, raw)])
        self.all_are(("malformed",), [
            ("empty body", with_alpn(b"")),
            ("empty list", with_alpn(b"\0\0")),
            ("empty protocol", with_alpn(b"\0\1\0")),
            ("empty second", with_alpn(b"\0\4\2h2\0")),
            ("overflow", with_alpn(b"\0\3\5h2")),
            ("list too long", with_alpn(b"\0\7\2h2")),
            ("list too short", with_alpn(b"\0\2\2h2")),
            ("one byte", with_alpn(b"\0")),
        ])
        self.all_are(("a",), [
            ("one", with_alpn(b"\0\3\2h2")),
            ("odd bytes", with_alpn(b"\0\4\3\0\xff\x1b")),
            ("long", with_alpn(hello.vec16(hello.vec8(b"x" * 255) * 4))),
        ])


class TestHelloDeadline(HelloCase):
    """What is too little to decide ends as `silent` at the deadline."""
    timeout = 0.7

    def ends(self, data):
        """Who takes a connection that says no more, and after how long."""
        with net.tcp(self.port) as s:
            began = time.monotonic()
            s.sendall(data)
            name = net.read_line(s)[5:-1].decode()
            return name, time.monotonic() - began

    def test_CH22_partial_hellos_and_silence(self):
        data = hello.hello()
        for part in (b"", b"\x16", b"\x16\x03", data[:5], data[:6],
                     data[:-1], data[:100]):
            name, took = self.ends(part)
            self.assertEqual("silent", name)
            # Never before it; how long after depends on the machine.
            self.assertGreater(took, self.timeout - 0.05)

    def test_CH1_partial_hello_costs_nothing(self):
        data = hello.hello()
        self.ends(data[:-1])
        before = self.daemon.cpu("worker")
        for part in (data[:1], data[:100], data[:-1]):
            self.ends(part)
        used = self.daemon.cpu("worker") - before
        self.assertLess(used, 0.05 * 3 * self.timeout)


class TestHelloBytes(HelloCase):
    limits = {"hello_bytes": 2048}

    def test_CH17_hello_bytes_is_the_limit(self):
        self.assertEqual("a", self.who(hello.sized(2048)))
        self.assertEqual("oversized", self.who(hello.sized(2049)))
