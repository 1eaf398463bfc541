"""TL*: TLS as this machine ends it, keys and certificates."""

import os
import shutil
import signal
import ssl
import subprocess
import tempfile

import harness
import hello
import net
from harness import Case, free_port, poll
from site_case import BIG, INDEX, SiteCase


class TestTls(SiteCase):
    def test_TL0_page_over_tls(self):
        for versions in ((ssl.TLSVersion.TLSv1_2,) * 2,
                         (ssl.TLSVersion.TLSv1_3,) * 2):
            s = self.tls(ctx=net.tls_context(versions=versions))
            status, fields, body = self.get("/", "blog.example", sock=s)
            self.assertEqual((200, INDEX), (status, body))
            self.assertEqual("yes", fields["x-test"])
            self.assertEqual("http/1.1", s.selected_alpn_protocol())

    def test_TL0_keep_alive_and_large_file(self):
        s = self.tls()
        for path, want in (("/big.bin", BIG), ("/", INDEX),
                           ("/empty.txt", b""), ("/big.bin", BIG)):
            status, _, body = self.get(path, "blog.example", sock=s)
            self.assertEqual(200, status)
            self.assertTrue(body == want)

    def test_TL1_old_versions_are_refused(self):
        for v in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            ctx = net.tls_context(versions=(v, v))
            ctx.set_ciphers("ALL:@SECLEVEL=0")
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                net.tls(self.port, "blog.example", ctx)

    def test_TL1_old_ciphers_are_refused(self):
        for cipher in ("AES128-GCM-SHA256", "AES256-SHA"):
            ctx = net.tls_context(versions=(ssl.TLSVersion.TLSv1_2,) * 2)
            ctx.set_ciphers(cipher + ":@SECLEVEL=0")
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                net.tls(self.port, "blog.example", ctx)

    def test_TL4_certificate_is_the_names_own(self):
        def cert(name):
            s = self.tls(name)
            return s.getpeercert(binary_form=True)
        blog, opened = cert("blog.example"), cert("open.example")
        self.assertNotEqual(blog, opened)
        self.assertEqual(opened, cert("x.open.example"))
        # what no name takes, the fallback does
        self.assertEqual(blog, cert("unknown.example"))
        self.assertIn(b"blog.example", blog)
        self.assertNotIn(b"open.example", blog)

    def test_TL4_no_sni_takes_the_fallback(self):
        s = self.tls(None)
        status, _, body = self.get("/", "blog.example", sock=s)
        self.assertEqual((200, INDEX), (status, body))

    def test_TL5_no_common_alpn(self):
        for protos in (("ftp",), ("smtp", "imap"), ("h2c",)):
            with self.assertRaises((ssl.SSLError, ConnectionError)) as e:
                net.tls(self.port, "blog.example", net.tls_context(protos))
            self.assertIn("application protocol", str(e.exception).lower())

    def test_TL5_no_alpn_at_all(self):
        s = self.tls(ctx=net.tls_context(()))
        self.assertEqual(200, self.get("/", "blog.example", sock=s)[0])

    def test_TL6_host_of_another_site_is_misdirected(self):
        s = self.tls("blog.example")
        self.assertEqual(421, self.get("/", "open.example", sock=s)[0])

    def test_TL9_resumption(self):
        for v in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            ctx = net.tls_context(versions=(v, v))
            s = net.tls(self.port, "blog.example", ctx)
            self.get("/", "blog.example", sock=s)
            session = s.session
            self.assertFalse(s.session_reused)
            s.close()
            s = ctx.wrap_socket(net.tcp(self.port), session=session,
                                server_hostname="blog.example")
            self.addCleanup(s.close)
            self.assertEqual(200, self.get("/", "blog.example", sock=s)[0])
            self.assertTrue(s.session_reused, v)

    def test_TL9_a_new_ticket_each_time(self):
        """Clients of TLS 1.3 use one once (RFC 8446 C.4)."""
        ctx = net.tls_context(versions=(ssl.TLSVersion.TLSv1_3,) * 2)
        seen = []
        for i in range(4):
            s = ctx.wrap_socket(net.tcp(self.port), session=seen[-1] if seen
                                else None, server_hostname="blog.example")
            self.addCleanup(s.close)
            self.assertEqual(200, self.get("/", "blog.example", sock=s)[0])
            self.assertEqual(i > 0, s.session_reused)
            self.assertNotIn(s.session.id, [x.id for x in seen])
            seen.append(s.session)

    def test_TL9_ticket_of_another_site(self):
        for v in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            ctx = net.tls_context(versions=(v, v))
            s = net.tls(self.port, "blog.example", ctx)
            self.get("/", "blog.example", sock=s)
            session = s.session
            s.close()
            try:
                s = ctx.wrap_socket(net.tcp(self.port), session=session,
                                    server_hostname="open.example")
            except (ssl.SSLError, ConnectionError):
                continue
            self.addCleanup(s.close)
            self.get("/", "open.example", sock=s)
            self.assertFalse(s.session_reused, v)

    def test_TL11_close_notify(self):
        s = self.tls()
        self.get("/", "blog.example", sock=s, headers=("Connection: close",))
        self.assertEqual(b"", s.recv(1))    # no ragged end

    def test_TL3_garbage_after_the_hello(self):
        """A hello that is routed, then nonsense: an alert, no crash."""
        got, _ = net.exchange(self.port, hello.hello("blog.example") +
                              os.urandom(2000), fin=False)
        self.daemon.assert_books()

    def test_TL3_hello_that_openssl_refuses(self):
        for data in (hello.hello("blog.example", ciphers=b"\x00\x05"),
                     hello.hello("blog.example", extensions=[
                         hello.ext_sni("blog.example"),
                         hello.ext(10, b"\0\1\0")]),
                     hello.records(hello.handshake(
                         hello.body("blog.example")), size=1)):
            got, _ = net.exchange(self.port, data, fin=True)
        self.daemon.assert_books()
        self.assertEqual(200, self.get("/", "blog.example",
                                       sock=self.tls())[0])

    def test_TL8_records_of_one_byte(self):
        s = self.tls()
        for c in b"GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n":
            s.sendall(bytes((c,)))
        self.assertEqual(200, self.response(s)[0])

    def test_TL14_signatures_are_counted_in_keys(self):
        before = self.daemon.counter("keys", "signed")
        self.tls(ctx=net.tls_context()).close()
        poll(lambda: self.daemon.counter("keys", "signed") == before + 1)
        self.assertEqual(0, self.daemon.counter("keys", "sign_refused"))

    def test_P13_tlsterm_holds_no_key_file(self):
        for p in self.daemon.processes("tlsterm"):
            fds = harness.proc.fds(p["pid"])
            self.assertFalse([f for f in fds.values() if "l4mux-key" in f])
            with open("/proc/%d/maps" % p["pid"]) as f:
                self.assertNotIn("l4mux-key", f.read())

    def test_PF1_keys_die_in_turn(self):
        for i in range(4):
            pids = self.daemon.pids("keys")
            self.assertEqual(2, len(pids))
            os.kill(pids[i % 2], signal.SIGKILL)
            s = self.tls(ctx=net.tls_context())
            self.assertEqual(200, self.get("/", "blog.example", sock=s)[0])
            poll(lambda: len([p for p in self.daemon.processes("keys")
                              if p["state"] == "running" and
                              p["pid"] != pids[i % 2]]) == 2)

    def test_PF1_tlsterm_dies(self):
        for i in range(2):
            for pid in self.daemon.pids("tlsterm"):
                os.kill(pid, signal.SIGKILL)
            self.assertEqual(200, self.get(
                "/", "blog.example", sock=self.tls())[0])


class TestCertificateFiles(Case):
    """certificate = { chain; key; }, good and bad (TL10)."""

    def make(self, name, kind=("ec", "ec_paramgen_curve:P-256"), days=30):
        chain, key = (os.path.join(self.dir, name + s)
                      for s in (".pem", ".key"))
        subprocess.run([
            "openssl", "req", "-x509", "-newkey", kind[0], "-pkeyopt",
            kind[1], "-nodes", "-days", str(days), "-keyout", key, "-out",
            chain, "-subj", "/CN=" + name, "-addext",
            "subjectAltName=DNS:" + name], check=True, capture_output=True)
        os.chmod(key, 0o600)
        if self.mode == "user" and os.geteuid() == 0:
            os.chown(key, harness.NOBODY, harness.NOBODY)
        return {"chain": chain, "key": key}

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="l4mux-cert-")
        os.chmod(self.dir, 0o755)
        self.addCleanup(shutil.rmtree, self.dir)

    def conf(self, cert):
        self.port = free_port()
        os.makedirs(self.dir + "/root", exist_ok=True)
        return {"listen": ("127.0.0.1:%d" % self.port,),
                "sites": {"s": {"names": ["cert.example"],
                                "root": self.dir + "/root",
                                "certificate": cert}},
                "fallback": "s", "processes": {"worker": 1, "tlsterm": 1}}

    def served(self):
        with net.tls(self.port, "cert.example") as s:
            return ssl.DER_cert_to_PEM_cert(s.getpeercert(True)).strip()

    def test_TL12_ec_and_rsa(self):
        for kind in (("ec", "ec_paramgen_curve:P-256"),
                     ("ec", "ec_paramgen_curve:P-384"),
                     ("rsa", "rsa_keygen_bits:2048")):
            cert = self.make("cert.example", kind)
            d = self.start(self.conf(cert))
            with open(cert["chain"]) as f:
                self.assertEqual(f.read().strip(), self.served())
            d.stop()

    def test_TL10_what_does_not_fit(self):
        good = self.make("cert.example")
        other = self.make("other.example")
        for cert in ({"chain": good["chain"], "key": other["key"]},
                     other,
                     {"chain": good["key"], "key": good["chain"]},
                     {"chain": "/dev/null", "key": good["key"]},
                     {"chain": "/nonexistent", "key": good["key"]}):
            with self.assertRaisesRegex(AssertionError,
                                        r"exited 1:\n.*conf:\d+: "):
                harness.Daemon(self.conf(cert), self.mode)
