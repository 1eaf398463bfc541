"""RT*: which target takes a connection."""

import hello
import net
from harness import Case, free_port

HTTP = b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n"


class TestRoutes(Case):
    @classmethod
    def configure(cls):
        cls.tls, cls.web, cls.both = (free_port() for i in range(3))
        names = ("exact", "wild", "deep", "alpn", "host", "http", "ssh",
                 "net", "listen", "noth2", "first", "second", "unknown",
                 "nosni", "addr")
        _, ups = cls.backends(*names)
        web = "127.0.0.1:%d" % cls.web
        tls = "127.0.0.1:%d" % cls.tls
        return {
            "listen": (tls, web, ":%d" % cls.both),
            "upstreams": ups,
            "routes": (
                {"from": ["127.9.0.0/16", "2001:db8::/32"], "to": "net"},
                {"listen": web, "host": ["web.example", "*.web.example"],
                 "to": "host"},
                {"listen": web, "protocol": "ssh", "to": "listen"},
                {"sni": ["exact.example", "other.example"], "to": "exact"},
                {"sni": "*.example.org", "to": "wild"},
                {"sni": "x.deep.example.net", "to": "first"},
                {"sni": "*.deep.example.net", "to": "deep"},
                {"sni": "twice.example", "to": "first"},
                {"sni": ["twice.example", "once.example"], "to": "second"},
                {"alpn": ["xmpp-client", "acme-tls/1"], "to": "alpn"},
                {"sni": "not.example", "not": {"alpn": "h2"},
                 "to": "noth2"},
                {"sni": "addr.example", "to_address": "127.0.0.5",
                 "to": "addr"},
                {"sni": "", "to": "nosni"},
                {"protocol": "ssh", "to": "ssh"},
                {"protocol": "http", "to": "http"},
                {"sni": "quiet.example", "log": False, "to": "close"},
                {"sni": "shut.example", "to": "close"},
                {"sni": "slam.example", "to": "reset"},
            ),
            "fallback": "unknown",
        }

    def sni(self, name, alpn=(), port=None, **kwargs):
        return net.who(port or self.tls, hello.hello(name, alpn), **kwargs)

    def test_RT1_exact_names(self):
        self.assertEqual("exact", self.sni("exact.example"))
        self.assertEqual("exact", self.sni("OTHER.example."))
        for name in ("xexact.example", "exact.example.com", "a.exact.example",
                     "example", "exact"):
            self.assertEqual("unknown", self.sni(name))

    def test_RT2_wildcard_is_one_label(self):
        self.assertEqual("wild", self.sni("a.example.org"))
        self.assertEqual("wild", self.sni("A.EXAMPLE.ORG"))
        for name in ("example.org", "a.b.example.org", "aexample.org"):
            self.assertEqual("unknown", self.sni(name))

    def test_RT3_order_decides(self):
        self.assertEqual("first", self.sni("x.deep.example.net"))
        self.assertEqual("deep", self.sni("y.deep.example.net"))
        self.assertEqual("first", self.sni("twice.example"))
        self.assertEqual("second", self.sni("once.example"))

    def test_RT4_alpn(self):
        for offered in (("acme-tls/1",), ("h2", "xmpp-client"),):
            self.assertEqual("alpn", self.sni("any.example", offered))
        self.assertEqual("unknown", self.sni("any.example", ("ACME-TLS/1",)))
        self.assertEqual("unknown", self.sni("any.example", ("h2",)))

    def test_RT5_not(self):
        self.assertEqual("noth2", self.sni("not.example"))
        self.assertEqual("noth2", self.sni("not.example", ("http/1.1",)))
        self.assertEqual("unknown", self.sni("not.example", ("h2",)))

    def test_RT6_from(self):
        self.assertEqual("net", self.sni("exact.example",
                                         source="127.9.3.4"))
        self.assertEqual("exact", self.sni("exact.example",
                                           source="127.8.3.4"))

    def test_RT6_from_needs_no_payload(self):
        """Decided by address alone: a silent client is let in at once."""
        with net.tcp(self.tls, source="127.9.0.1") as s:
            self.assertEqual(b"I am net\n", net.read_line(s))

    def test_RT7_host_on_its_listener(self):
        for host in (b"web.example", b"WEB.example", b"web.example:80",
                     b"a.web.example", b"web.example."):
            self.assertEqual("host", net.who(self.web, HTTP % host))
        self.assertEqual("http", net.who(self.tls, HTTP % b"web.example"))
        self.assertEqual("http", net.who(self.web, HTTP % b"nobody.example"))
        absolute = b"GET http://web.example/x HTTP/1.1\r\nHost: z\r\n\r\n"
        self.assertEqual("host", net.who(self.web, absolute))

    def test_RT8_protocol(self):
        for banner in (b"SSH-2.0-OpenSSH_9.2p1\r\n", b"SSH-1.99-x\r\n"):
            self.assertEqual("ssh", net.who(self.tls, banner))
        self.assertEqual("listen", net.who(self.web, b"SSH-2.0-x\r\n"))
        for method in (b"GET", b"POST", b"OPTIONS", b"PROPFIND"):
            self.assertEqual("http", net.who(
                self.tls, HTTP.replace(b"GET", method) % b"x.example"))

    def test_RT9_no_sni(self):
        self.assertEqual("nosni", self.sni(None))
        self.assertEqual("unknown", self.sni("nosni.example"))

    def test_RT10_to_address(self):
        self.assertEqual("addr", self.sni("addr.example", port=self.both,
                                          host="127.0.0.5"))
        self.assertEqual("unknown", self.sni("addr.example", port=self.both,
                                             host="127.0.0.6"))
        self.assertEqual("unknown", self.sni("addr.example", port=self.both,
                                             host="::1"))

    def test_RT11_close_and_reset(self):
        self.assertEqual("reset", self.sni("slam.example", fin=False))
        self.assertIn(self.sni("shut.example", fin=False), ("fin", "reset"))

    def test_RT12_counted_and_logged(self):
        def hits():
            doc = self.daemon.ask("routes")
            return ([r["hits"] for r in doc["routes"]],
                    doc["fallback"]["unknown"]["hits"])
        mark = self.daemon.log.mark()
        before, fell = hits()
        self.sni("exact.example")
        self.sni("nowhere.example")
        after, fell_after = hits()
        self.assertEqual([0, 0, 0, 1] + [0] * 14,
                         [b - a for a, b in zip(before, after)])
        self.assertEqual(fell + 1, fell_after)
        line = self.daemon.log.wait(r"sni=exact\.example", mark)
        self.assertRegex(line, r"\bto=exact\b")
        self.assertRegex(line, r"\breason=route:4\b")
        line = self.daemon.log.wait(r"sni=nowhere\.example", mark)
        self.assertRegex(line, r"\breason=fallback:unknown\b")

    def test_RT12_silenced_rule(self):
        mark = self.daemon.log.mark()
        self.sni("quiet.example", fin=False)
        self.sni("shut.example", fin=False)
        self.daemon.log.wait(r"sni=shut\.example", mark)
        self.assertFalse([s for s in self.daemon.log.lines[mark:]
                          if "quiet.example" in s])

    def test_RT13_bytes_in_the_log_add_up(self):
        data = hello.hello("exact.example")
        mark = self.daemon.log.mark()
        self.assertEqual("exact", net.who(self.tls, data))
        line = self.daemon.log.wait(r"to=exact", mark)
        self.assertRegex(line, r"\bin=%d\b" % len(data))
        self.assertRegex(line, r"\bout=%d\b" % (len(data) + 11))
        self.assertRegex(line, r"\bend=fin\b")


class TestFallbackWord(Case):
    @classmethod
    def configure(cls):
        cls.port = free_port()
        _, ups = cls.backends("a", "rest")
        return {
            "listen": ("127.0.0.1:%d" % cls.port,),
            "upstreams": ups,
            "routes": ({"sni": "a.example", "to": "a"},),
            "fallback": "rest",
            "limits": {"hello_timeout": 0.7, "hello_bytes": 4096},
        }

    def test_RT14_a_word_means_all_four(self):
        for data in (hello.hello("b.example"), hello.hello()[:-1],
                     hello.sized(5000), hello.hello("a..b")):
            self.assertEqual("rest", net.who(self.port, data))
        with net.tcp(self.port) as s:       # silent
            self.assertEqual(b"I am rest\n", net.read_line(s))


class TestManyRoutes(Case):
    modes = ("root",)
    count = 100_000

    def test_CF5_many_routes(self):
        """The last of them costs no more than the first."""
        port = free_port()
        _, ups = self.backends("many", "last")
        rules = tuple({"sni": "n%d.example" % i, "to": "many"}
                      for i in range(self.count - 1))
        d = self.start({"listen": ("127.0.0.1:%d" % port,),
                        "upstreams": ups, "routes": (
                            *rules, {"sni": "last.example", "to": "last"}),
                        "fallback": "close", "processes": {"worker": 1}})
        for i in (0, 9999, self.count - 2):
            self.assertEqual("many", net.who(
                port, hello.hello("n%d.example" % i)))
        self.assertNotEqual("many", net.who(
            port, hello.hello("n%d.example" % self.count), fin=False))
        before = d.cpu("worker")
        for i in range(200):
            self.assertEqual("last", net.who(
                port, hello.hello("last.example")))
        self.assertLess(d.cpu("worker") - before, 0.2)
        doc = d.ask("explain sni=last.example")
        self.assertEqual("route:%d" % self.count, doc["reason"])
        self.assertEqual(1000, len(doc["rules"]))
        self.assertEqual(self.count - 1000, doc["rules_left_out"])
