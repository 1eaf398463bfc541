"""PP*: the PROXY protocol, taken from trusted peers and given to backends."""

import os
import shutil
import socket
import tempfile
import time

import hello
import net
from harness import Case, free_port

TRUSTED = "127.0.0.2"
OTHER = "127.0.0.3"


class TestInbound(Case):
    timeout = 30.0

    @classmethod
    def configure(cls):
        cls.port = free_port()
        cls.backend = cls.keep(net.Backend("a", proxy=True))
        rest, ups = cls.backends("unknown", "silent", "malformed")
        return {
            "listen": ({"address": "127.0.0.1:%d" % cls.port,
                        "accept_proxy": [TRUSTED + "/32", "::1"]},),
            "upstreams": {"a": {"address": cls.backend.address,
                                "send_proxy": "v2"}, **ups},
            "routes": ({"sni": "a.example", "to": "a"},
                       {"from": "198.51.100.0/24", "to": "unknown"}),
            "fallback": {v: v for v in ("unknown", "silent", "malformed")},
            "limits": {"hello_timeout": cls.timeout},
        }

    def who(self, data, source=TRUSTED, **kwargs):
        return net.exchange(self.port, data, source=source, **kwargs)

    def taken(self, header, data=None):
        """The backend got the connection, told these addresses, and every
        byte after the header."""
        data = data or hello.hello()
        got, end = self.who(header + data)
        self.assertEqual((b"I am a\n" + data, "fin"), (got, end), header)
        return self.backend.headers.get(timeout=net.WAIT)

    def refused(self, header):
        """Closed without a word from anybody."""
        got, end = self.who(header + hello.hello())
        self.assertEqual(b"", got, header)
        return end

    def test_PP0_addresses_are_taken(self):
        for header, src, dst in (
                (net.v1(), ("192.0.2.7", 4000), ("192.0.2.1", 443)),
                (net.v2(), ("192.0.2.7", 4000), ("192.0.2.1", 443)),
                (net.v1("2001:db8::7", "2001:db8::1"),
                 ("2001:db8::7", 4000), ("2001:db8::1", 443)),
                (net.v2("2001:db8::7", "2001:db8::1"),
                 ("2001:db8::7", 4000), ("2001:db8::1", 443)),
                (net.v2("::ffff:192.0.2.7", "::ffff:192.0.2.1"),
                 ("192.0.2.7", 4000), ("192.0.2.1", 443))):
            self.assertEqual((2, 1, src, dst), self.taken(header)[:4])

    def test_PP0_rule_sees_the_address(self):
        data = hello.hello("other.example")
        got, _ = self.who(net.v2("198.51.100.9") + data)
        self.assertEqual(b"I am unknown\n" + data, got)

    def test_PP1_from_others_it_is_data(self):
        for header in (net.v1(), net.v2()):
            data = header + hello.hello()
            got, end = self.who(data, source=OTHER)
            self.assertIn(got, (b"I am unknown\n" + data,
                                b"I am malformed\n" + data))
        # and without one they are served as always
        src = self.taken_from_other()
        self.assertEqual(OTHER, src)

    def taken_from_other(self):
        data = hello.hello()
        got, _ = self.who(data, source=OTHER)
        self.assertEqual(b"I am a\n" + data, got)
        return self.backend.headers.get(timeout=net.WAIT)[2][0]

    def test_PP3_v1_lines_that_are_none(self):
        tcp4 = b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 443\r\n"
        bad = [
            tcp4.replace(b"\r\n", b"\n"), tcp4.replace(b"\r\n", b"\r"),
            tcp4.replace(b"TCP4 ", b"TCP4  "), b" " + tcp4,
            tcp4.replace(b" 443", b"\t443"),
            tcp4.replace(b" 443\r", b" 443 \r"),
            tcp4.replace(b"4000", b"04000"), tcp4.replace(b"4000", b"65536"),
            tcp4.replace(b"4000", b"-1"), tcp4.replace(b"4000", b"+1"),
            tcp4.replace(b"4000", b""), tcp4.replace(b"4000", b"0x10"),
            tcp4.replace(b"4000", b"99999999999999999999"),
            tcp4.replace(b"192.0.2.7", b"192.0.2.07"),
            tcp4.replace(b"192.0.2.7", b"192.0.2"),
            tcp4.replace(b"192.0.2.7", b"192.0.2.256"),
            tcp4.replace(b"192.0.2.7", b"::1"),
            tcp4.replace(b"192.0.2.7", b"a.example"),
            tcp4.replace(b"TCP4", b"TCP5"), tcp4.replace(b"TCP4", b"UDP4"),
            tcp4.replace(b"TCP4", b"tcp4"), tcp4.replace(b"PROXY", b"proxy"),
            b"PROXY TCP6 fe80::1%lo fe80::2%lo 1 2\r\n",
            b"PROXY TCP6 192.0.2.7 192.0.2.1 1 2\r\n",
            b"PROXY \r\n", b"PROXY\r\n", b"PROXY TCP4\r\n",
            tcp4.replace(b" 443", b""), tcp4.replace(b" 443", b" 443 1"),
            tcp4.replace(b"192.0.2.7", b"192.0.2.7\0"),
        ]
        for header in bad:
            self.refused(header)

    def test_PP3_v1_longest_line(self):
        v6 = ":".join(["ffff"] * 8)
        line = net.v1(v6, v6, 65535, 65535)
        self.assertEqual(v6.count(":"), 7)
        self.taken(line)
        longest = b"PROXY UNKNOWN " + b"x" * (107 - 16) + b"\r\n"
        self.assertEqual(107, len(longest))
        self.taken(longest)
        self.refused(b"PROXY UNKNOWN " + b"x" * (108 - 16) + b"\r\n")
        self.refused(b"PROXY UNKNOWN " + b"x" * 5000)

    def test_PP3_unknown_means_the_kernels_address(self):
        for header in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN junk ::\r\n",
                       net.v2(command=0), net.v2(command=0, family=0),
                       net.v2(family=0), net.v2(family=0x41)):
            version, command, src, dst, _ = self.taken(header)
            self.assertEqual((2, 1, TRUSTED), (version, command, src[0]))

    def test_PP4_v2_that_is_none(self):
        good = net.v2()
        for header in (
                net.V2_SIGNATURE + b"\x21\x12\0\0",     # UDP, no addresses
                net.v2(family=0x12),
                net.v2(version=1), net.v2(version=3), net.v2(command=2),
                net.v2(command=15),
                net.v2(length=11), net.v2(length=0),
                net.v2(family=0x21),                # v6 with 12 bytes
                net.v2(family=0x13),
                net.v2(length=0xFFFF),
                good[:11] + b"\0" + good[12:]):
            self.refused(header)

    def test_PP5_v2_with_tlvs(self):
        tlv = b"\x05\0\4uniq" + b"\x04" + hello.u16(400) + bytes(400)
        self.taken(net.v2(tlvs=tlv))

    def test_PP7_byte_by_byte(self):
        for header in (net.v1(), net.v2()):
            data = hello.hello()
            with net.tcp(self.port, source=TRUSTED) as s:
                for b in header + data:
                    s.send(bytes((b,)))
                    time.sleep(0.0005)      # the shape of the input
                self.assertEqual(b"I am a\n", net.read_line(s))
                self.assertEqual(data, net.read_exactly(s, len(data)))
            self.backend.headers.get(timeout=net.WAIT)

    def test_PP7_one_segment_and_every_cut(self):
        data = hello.hello()
        for header in (net.v1(), net.v2()):
            whole = header + data
            for k in range(1, len(header) + 20, 3):
                with net.tcp(self.port, source=TRUSTED) as s:
                    s.sendall(whole[:k])
                    time.sleep(0.002)       # the shape of the input
                    s.sendall(whole[k:])
                    self.assertEqual(b"I am a\n", net.read_line(s))
                    self.assertEqual(data, net.read_exactly(s, len(data)))
                self.backend.headers.get(timeout=net.WAIT)

    def test_PP8_truncated_header_then_fin(self):
        for header in (net.v1(), net.v2()):
            for k in range(1, len(header)):
                got, end = self.who(header[:k])
                self.assertEqual(b"", got)

    def test_PP9_second_header_is_data(self):
        data = net.v2("203.0.113.5") + hello.hello()
        got, _ = self.who(net.v2() + data)
        self.assertIn(got, (b"I am unknown\n" + data,
                            b"I am malformed\n" + data))

    def test_PP6_counted(self):
        before = self.daemon.counter("worker", "proxy_bad")
        taken = self.daemon.counter("worker", "proxy_headers")
        self.refused(net.v2(version=1))
        self.taken(net.v2())
        self.assertEqual(before + 1,
                         self.daemon.counter("worker", "proxy_bad"))
        self.assertEqual(taken + 1,
                         self.daemon.counter("worker", "proxy_headers"))


class TestInboundDeadline(Case):
    @classmethod
    def configure(cls):
        cls.port = free_port()
        _, ups = cls.backends("a")
        return {
            "listen": ({"address": "127.0.0.1:%d" % cls.port,
                        "accept_proxy": [TRUSTED]},),
            "upstreams": ups, "fallback": "a",
            "limits": {"hello_timeout": 0.7},
        }

    def test_PP2_trusted_peer_without_header(self):
        """A header is required of it: what it says instead is not looked
        at, and it gets nobody."""
        for data in (hello.hello(), b"", b"GET / HTTP/1.0\r\n\r\n",
                     net.v1()[:20], net.v2()[:20]):
            got, _ = net.exchange(self.port, data, source=TRUSTED, fin=False)
            self.assertEqual(b"", got)


class TestOutbound(Case):
    """PP10: what backends are told."""

    @classmethod
    def configure(cls):
        cls.port = free_port()
        cls.tmp = tempfile.mkdtemp(prefix="l4mux-unix-")
        os.chmod(cls.tmp, 0o755)
        cls.keep(type("Tmp", (), {
            "stop": lambda: shutil.rmtree(cls.tmp, ignore_errors=True)}))
        made = {
            "v1": cls.keep(net.Backend("v1", proxy=True)),
            "v2": cls.keep(net.Backend("v2", proxy=True)),
            "six": cls.keep(net.Backend("six", proxy=True,
                                        family=socket.AF_INET6)),
            "unix": cls.keep(net.Backend("unix", proxy=True,
                                         path=cls.tmp + "/s")),
        }
        cls.made = made
        hold, dead = net.dead_address()
        cls.keep(type("Held", (), {"stop": hold.close}))
        ups = {n: {"address": b.address,
                   "send_proxy": "v1" if n == "v1" else "v2"}
               for n, b in made.items()}
        ups["retry"] = {"address": [dead, made["v2"].address],
                        "send_proxy": "v2"}
        return {
            "listen": (":%d" % cls.port,),
            "upstreams": ups,
            "routes": tuple({"sni": n + ".example", "to": n} for n in ups),
            "fallback": "close",
        }

    def told(self, name, host, backend=None):
        """(header, the client's own idea of both addresses)."""
        data = hello.hello(name + ".example")
        with net.tcp(self.port, host=host) as s:
            own = s.getsockname()[:2], s.getpeername()[:2]
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            got, _ = net.read_end(s)
            self.assertEqual(b"I am %s\n" % (backend or name).encode() + data,
                             got)
        b = self.made[backend or name]
        header = b.headers.get(timeout=net.WAIT)
        self.assertTrue(b.headers.empty())
        return header, own

    def test_PP10_v4_and_v6_clients(self):
        for name in ("v1", "v2", "six", "unix"):
            for host in ("127.0.0.1", "::1"):
                header, (src, dst) = self.told(name, host)
                self.assertEqual(1 if name == "v1" else 2, header[0])
                self.assertEqual((src, dst), header[2:4], (name, host))
                self.assertEqual(b"", header[4])        # BACKENDS L21

    def test_PP10_not_sent_twice_on_retry(self):
        for i in range(4):
            header, (src, dst) = self.told("retry", "127.0.0.1", "v2")
            self.assertEqual((src, dst), header[2:4])

    def test_PP10_header_and_hello_fit_one_v2_limit(self):
        header, _ = self.told("v2", "127.0.0.1")
        self.assertLessEqual(len(header[4]), 520)
