"""CE*: `l4muxctl certificates`, their dates, and what is refused (TL10)."""

import os
import shutil
import ssl
import subprocess
import tempfile
import time

import certs
import harness
import net
from certs import DAY
from harness import Case, free_port, poll


class CertCase(Case):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="l4mux-cert-")
        os.chmod(self.dir, 0o755)
        self.addCleanup(shutil.rmtree, self.dir)
        os.mkdir(self.dir + "/root")
        self.ca = certs.Authority(self.dir, harness.NOBODY
                                  if self.mode == "user" and
                                  os.geteuid() == 0 else None)
        self.port = free_port()

    def conf(self, *pairs, names=("cert.example",), **more):
        cert = pairs[0] if len(pairs) == 1 else pairs
        return {"listen": ("127.0.0.1:%d" % self.port,),
                "sites": {"s": {"names": list(names),
                                "root": self.dir + "/root",
                                "certificate": cert or "self-signed"}},
                "fallback": "s", "processes": {"worker": 1, "tlsterm": 1},
                **more}

    def served(self, name="cert.example", ctx=None):
        """The certificate that a client gets, in PEM."""
        with net.tls(self.port, name, ctx) as s:
            return ssl.DER_cert_to_PEM_cert(s.getpeercert(True)).strip()

    def pem(self, pair):
        with open(pair["chain"]) as f:
            return f.read().strip()


class TestCertificates(CertCase):
    def test_CE1_what_is_shown(self):
        root = self.ca.authority(org="Makers")
        ec = self.ca.bundle("ec", self.ca.make(
            "one", ["cert.example", "*.cert.example"], issuer=root,
            end=60 * DAY + 100), root)
        rsa = self.ca.make("two", ["cert.example", "other.example"], "rsa",
                           end=45 * DAY + 100)
        conf = self.conf(ec, rsa)
        conf["sites"]["made"] = {"names": ["made.example"],
                                 "redirect": "https://cert.example/"}
        d = self.start(conf)
        a, b, c = d.ask("certificates")["certificates"]
        now = time.time()
        self.assertEqual({
            "holder": "s", "kind": "site", "source": "files",
            "chain": ec["chain"], "key": ec["key"],
            "key_type": "ECDSA P-256", "issuer": "Test Root, Makers",
            "self_signed": False,
            "names": ["cert.example", "*.cert.example"], "names_total": 2,
            "days_left": 60, "next": None, "next_at": 0, "failures": 0,
            "last_error": "", "warnings": []},
            {k: a[k] for k in a if not k.startswith("not_")})
        self.assertAlmostEqual(now + 60 * DAY, a["not_after"], delta=600)
        self.assertAlmostEqual(now - 3600, a["not_before"], delta=600)
        self.assertEqual(("RSA 2048", 45, True, "two"),
                         (b["key_type"], b["days_left"], b["self_signed"],
                          b["issuer"]))
        self.assertEqual(("made", "self-signed", None, None, True,
                          ["made.example"]),
                         (c["holder"], c["source"], c["chain"], c["key"],
                          c["self_signed"], c["names"]))
        self.assertIn(c["days_left"], (364, 365))   # made a moment ago
        r = d.ctl("certificates")
        self.assertEqual((0, ""), (r.returncode, r.stderr))
        head, one, two, made = r.stdout.splitlines()
        self.assertEqual(["FOR", "SOURCE", "KEY", "EXPIRES", "DAYS",
                          "ISSUER", "NEXT", "NAMES"], head.split())
        self.assertRegex(one, r"^s +%s +ECDSA P-256 +%s +60 +"
                         r"Test Root, Makers +- +cert\.example "
                         r"\*\.cert\.example$" %
                         (ec["chain"], time.strftime(
                             "%Y-%m-%d", time.gmtime(a["not_after"]))))
        self.assertRegex(made, r"^made +self-signed .* 36[45] +itself +- +"
                         r"made\.example$")

    def test_CE1_more_names_than_fit(self):
        names = ["cert.example"] + ["a%04d.cert.example" % i
                                    for i in range(300)]
        d = self.start(self.conf(self.ca.make("many", names)))
        (c,) = d.ask("certificates")["certificates"]
        self.assertEqual(301, c["names_total"])
        self.assertEqual(names[:len(c["names"])], c["names"])
        self.assertGreater(len(c["names"]), 20)
        self.assertIn(" +%d\n" % (301 - len(c["names"])),
                      d.ctl("certificates").stdout)

    def test_CE1_of_an_upstream(self):
        pair = self.ca.make("up", ["up.example"], "rsa")
        conf = self.conf(self.ca.make("cert.example"))
        held, address = net.dead_address()
        self.addCleanup(held.close)
        conf["upstreams"] = {
            "u": {"address": address, "tls_terminate": True,
                  "certificate": pair},
            "plain": {"address": address}}
        conf["routes"] = ({"sni": "up.example", "to": "u"},)
        d = self.start(conf)
        got = d.ask("certificates")["certificates"]
        self.assertEqual([("s", "site"), ("u", "upstream")],
                         [(c["holder"], c["kind"]) for c in got])
        self.assertEqual(("RSA 2048", ["up.example"]),
                         (got[1]["key_type"], got[1]["names"]))
        self.assertIn('target="u",kind="upstream",key="RSA 2048"} ',
                      d.ctl("metrics").stdout)

    def test_CE2_metrics(self):
        pair = self.ca.make("cert.example")
        d = self.start(self.conf(pair))
        (c,) = d.ask("certificates")["certificates"]
        self.assertIn(
            'l4mux_certificate_expiry_timestamp_seconds{target="s",'
            'kind="site",key="ECDSA P-256"} %d\n' % c["not_after"],
            d.ctl("metrics").stdout)

    def test_CE3_soon_and_odd_chains_are_warned_of(self):
        root = self.ca.authority()
        soon = self.ca.make("soon", ["cert.example"],
                            end=20 * DAY + 60)
        last = self.ca.bundle("last", self.ca.make(
            "odd", ["cert.example"], "rsa", issuer=root), soon)
        d = self.start(self.conf(soon, last))
        want = ("site s: the certificate %s expires on %s, 20 days from now"
                % (soon["chain"], time.strftime(
                    "%Y-%m-%d", time.gmtime(time.time() + 20 * DAY + 60))))
        odd = ("%s: certificate 2 of the file did not issue the one before "
               "it" % last["chain"])
        d.log.wait("warning: " + want.replace(".", r"\."))
        self.assertEqual([[want], [odd]], [
            c["warnings"] for c in d.ask("certificates")["certificates"]])
        for w in want, odd:
            self.assertIn(w, d.status()["warnings"])
            for command in "certificates", "status":
                self.assertIn("warning: %s\n" % w, d.ctl(command).stdout)

    def test_CE3_intermediate_that_expires_first(self):
        root = self.ca.authority()
        middle = self.ca.authority("Middle", issuer=root, end=5 * DAY)
        pair = self.ca.bundle("three", self.ca.make(
            "cert.example", issuer=middle), middle, root)
        d = self.start(self.conf(pair))
        (c,) = d.ask("certificates")["certificates"]
        self.assertRegex(c["warnings"][0], "certificate 2 of the file is the "
                         "first to expire, on ")

    def when(self, seconds, state):
        """A daemon whose certificate changes its state that many seconds
        after it was made; None when the machine was too slow to see it before
        that."""
        pair = self.ca.make("cert.example", end=seconds)
        d = self.start(self.conf(pair))
        at = d.log.mark()
        (c,) = d.ask("certificates")["certificates"]
        if c["days_left"] < 0 or (state == 30 and c["warnings"]):
            d.stop()
            return None, 0
        return d, at

    def test_CE4_the_day_begins_while_it_runs(self):
        for late in (4, 20, 60):
            d, at = self.when(30 * DAY + late, 30)
            if d is not None:
                break
        d.log.wait(r"warning: site s: .* 29 days from now|"
                   r"warning: site s: .* 30 days from now", at, 90)
        self.assertTrue(d.status()["warnings"])

    def test_TM3_it_expires_while_it_runs(self):
        """It says so, and goes on: any certificate is better than none."""
        for late in (4, 20, 60):
            d, at = self.when(late, 0)
            if d is not None:
                break
        d.log.wait(r"error: site s: the certificate .* has expired on .*, "
                   r"0 days ago", at, 90)
        self.served()
        (c,) = d.ask("certificates")["certificates"]
        self.assertEqual(-1, c["days_left"])
        # A reload refuses it, and changes nothing.
        r = d.ctl("reload")
        self.assertEqual(1, r.returncode)
        self.assertIn("has expired on", r.stderr)
        self.served()


def nul_name():
    """An alternative name as the victims of 2009 had it."""
    der = b""
    for name in (b"cert.example", b"cert.example\0.evil.example"):
        der += bytes((0x82, len(name))) + name
    der = bytes((0x30, len(der))) + der
    return "2.5.29.17 = DER:" + ":".join("%02x" % b for b in der)


class TestRefused(CertCase):
    """TL10: at start nothing runs; on a reload the old one stays."""

    def bad(self):
        """What is said of each pair."""
        ca, good = self.ca, self.ca.make("good", ["cert.example"])
        other = ca.make("cert.example")
        weak = ca.authority("Weak", kind="rsa1024")
        big, locked = (os.path.join(self.dir, n) for n in ("big", "locked"))
        with open(big, "wb") as f:
            f.truncate((1 << 20) + 1)
        certs.openssl("pkey", "-in", good["key"], "-aes128", "-passout",
                      "pass:x", "-out", locked)
        os.chmod(locked, 0o644)
        os.mkfifo(self.dir + "/fifo")
        yield {**good, "key": other["key"]}, "the key does not belong to"
        yield ca.make("a", ["other.example"]), \
            "the certificate is not for cert.example"
        yield ca.make("c", ["*.cert.example", "c*.example", "*"]), \
            "the certificate is not for cert.example"
        yield ca.make("cert.example", ext="basicConstraints = CA:FALSE"), \
            "the certificate is not for cert.example"
        yield ca.make("d", ["cert.example"], start=-2 * DAY, end=-DAY), \
            "the certificate has expired on "
        yield ca.make("e", ["cert.example"], start=DAY), \
            "the certificate is not valid before "
        yield ca.make("f", ext=nul_name()), \
            "a name in the certificate has a NUL in it"
        yield ca.make("g", ["cert.example"], "rsa1024"), \
            "an RSA key must have 2048 to 8192 bits"
        yield ca.make("h", ["cert.example"], "p521"), "the key is none of"
        yield ca.make("i", ["cert.example"], md="sha1"), \
            "is signed with SHA1, which is weak"
        yield ca.bundle("j", ca.make("j", ["cert.example"], issuer=weak),
                        weak), "certificate 2 of the file has a weak key"
        yield ca.make("k", ext="subjectAltName = DNS:cert.example\n"
                      "extendedKeyUsage = clientAuth"), "is not one for server"
        yield {**good, "chain": good["key"]}, "holds no certificate"
        yield {**good, "key": good["chain"]}, "holds no private key"
        yield {**good, "key": locked}, "is encrypted"
        yield {**good, "chain": "/dev/null"}, "not a regular file"
        yield {**good, "chain": self.dir + "/fifo"}, "not a regular file"
        yield {**good, "chain": self.dir}, "not a regular file"
        yield {**good, "key": "/nonexistent"}, "No such file"
        yield {**good, "chain": big}, "is larger than 1 MiB"
        if self.mode == "user":
            os.chmod(good["key"], 0)
            yield good, "Permission denied"

    def test_TL10_each_with_its_line(self):
        conf = os.path.join(self.dir, "conf")
        for pair, want in self.bad():
            text = harness.conf_text({
                **self.conf(), "users": harness.USERS,
                "state": self.dir}).replace(
                '"self-signed"', "\n( { chain = \"%s\";\n key = \"%s\"; } )"
                % (pair["chain"], pair["key"]))
            harness.write_conf(conf, text)
            line = text[:text.index("{ chain")].count("\n") + 1
            r = subprocess.run(
                [*harness.as_user(self.mode), harness.L4MUXD, "-n", "-f",
                 conf], capture_output=True, text=True, timeout=net.WAIT)
            self.assertEqual(1, r.returncode, (want, r.stdout))
            self.assertRegex(r.stderr, r"^%s:%d: .*%s" % (conf, line, want))

    def test_TL10_two_of_a_kind(self):
        pairs = [self.ca.make(n, ["cert.example"], k) for n, k in
                 (("one", "p256"), ("two", "rsa"), ("three", "p384"))]
        with self.assertRaisesRegex(AssertionError, r"conf:\d+: .*three\.pem:"
                                    " this site has a certificate with a key "
                                    "of that kind already"):
            harness.Daemon(self.conf(*pairs), self.mode)

    def test_TL10_place_in_an_included_file(self):
        other = self.ca.make("other.example")
        part = self.dir + "/part.conf"
        harness.write_conf(part, "\n\ncertificate =\n{ chain = \"%(chain)s\";"
                           " key = \"%(key)s\"; };\n" % other)
        text = harness.conf_text({**self.conf(), "users": harness.USERS,
                                  "state": self.dir}).replace(
            'certificate = "self-signed";', '\n@include "%s"\n' % part)
        conf = self.dir + "/conf"
        harness.write_conf(conf, text)
        r = harness.run_l4muxd("-n", "-f", conf)
        self.assertEqual(1, r.returncode)
        self.assertIn("%s:3: %s: " % (part, other["chain"]), r.stderr)

    def test_TL10_the_old_one_stays(self):
        good = self.ca.make("cert.example")
        d = self.start(self.conf(good))
        was, pids = self.served(), d.pids()
        for pair, want in self.bad():
            harness.write_conf(d.conf_path, d.complete(self.conf(pair)))
            r = d.ctl("reload")
            self.assertEqual(1, r.returncode)
            self.assertRegex(r.stderr, r"conf:\d+: .*%s" % want)
            self.assertEqual((was, pids), (self.served(), d.pids()))
        # The same files with other contents.
        harness.write_conf(d.conf_path, d.complete(self.conf(good)))
        new = self.ca.make("new", ["cert.example"])
        for part in "chain", "key":
            shutil.copyfile(good[part], self.dir + "/kept." + part)
            shutil.copyfile(new[part], good[part])
            if part == "chain":     # a reload between the two
                self.assertEqual(1, d.ctl("reload").returncode)
                self.assertEqual(was, self.served())
        self.assertEqual(0, d.ctl("reload").returncode)
        self.assertEqual(self.pem(new), self.served())


class TestSelfSigned(CertCase):
    def test_CE6_kept_over_upgrades(self):
        """With what is known of it, also when the reload that belongs to the
        upgrade fails."""
        d = self.start(self.conf())
        first, shown = self.served(), self.shown(d)
        for i in range(2):
            self.assertTrue(d.ask("upgrade")["ok"])
            self.assertEqual((first, shown), (self.served(), self.shown(d)))
        harness.write_conf(d.conf_path, "listen = (")
        self.assertFalse(d.ask("upgrade")["ok"])
        self.assertEqual((first, shown), (self.served(), self.shown(d)))

    @staticmethod
    def shown(d):
        """What does not change from one second to the next."""
        doc = d.ask("certificates")
        for c in doc["certificates"]:
            del c["days_left"]
        return doc

    def test_CE6_one_pair_for_many_sites(self):
        """The files are opened once, and every site has them, whatever
        process starts anew, and over reloads and upgrades."""
        names = ["s%d.cert.example" % i for i in range(8)]
        wild = self.ca.make("wild", ["*.cert.example", "cert.example"])
        own = self.ca.make("own", ["s3.cert.example"])
        conf = self.conf(wild)
        for i, name in enumerate(names):
            conf["sites"]["s%d" % i] = {
                "names": [name], "root": self.dir + "/root",
                "certificate": own if i == 3 else wild}
        d = self.start(conf)
        before = len(os.listdir("/proc/%d/fd" % d.pid))

        def check():
            for name in names:
                self.assertEqual(
                    self.pem(own if name == names[3] else wild),
                    self.served(name), name)
        check()
        for role in "keys", "tlsterm":
            for pid in d.pids(role):
                os.kill(pid, 9)
                poll(lambda: pid not in d.pids(role))
            poll(lambda: d.pids(role))
            check()
        for act in "reload", "upgrade", "reload":
            self.assertTrue(d.ask(act)["ok"])
            poll(lambda: len(d.status()["generations"]) == 1)
            check()
        poll(lambda: len(os.listdir("/proc/%d/fd" % d.pid)) <= before)
        conf["sites"]["bad"] = {"names": ["x.other.example"],
                                "redirect": "https://cert.example/",
                                "certificate": wild}
        harness.write_conf(d.conf_path, d.complete(conf))
        self.assertIn("is not for x.other.example", d.ask("reload")["error"])
        check()

    def test_CE6_files_over_a_failed_upgrade(self):
        """It still knows when they expire, and says so."""
        for late in 6, 30, 90:
            pair = self.ca.make("cert.example", end=30 * DAY + late)
            d = self.start(self.conf(pair))
            harness.write_conf(d.conf_path, "listen = (")
            self.assertFalse(d.ask("upgrade")["ok"])
            at = d.log.mark()
            if not d.status()["warnings"][self.mode == "user":]:
                break
            d.stop()
        d.log.wait("warning: site s: the certificate .* expires on", at, 120)

    def test_CE5_made_anew_in_time(self):
        """A master whose clock is almost a year ahead of the one by which
        keys made the certificate."""
        lib = next((os.path.join(d, f) for d, _, files in
                    os.walk("/usr/lib") for f in files
                    if f == "libfaketime.so.1"), None)
        if lib is None:
            self.skipTest("libfaketime is not installed")
        for late in (5, 20, 60):
            d = self.start(self.conf(), wrap=(
                "env", "LD_PRELOAD=" + lib, "DONT_FAKE_MONOTONIC=1",
                "NO_FAKE_STAT=1", "FAKETIME=+%d" % (335 * DAY - late)))
            if not d.ask("certificates")["certificates"][0]["warnings"]:
                break
            d.stop()
        first = self.served()
        at = d.log.mark()
        with net.tls(self.port, "cert.example") as s:
            d.log.wait("self-signed certificates are made anew", at, 90)
            d.log.wait("ready: generation 2", at, 90)
            # who is connected stays so
            s.sendall(b"GET / HTTP/1.1\r\nHost: cert.example\r\n\r\n")
            self.assertIn(b"404", s.recv(100))
        self.assertNotEqual(first, self.served())


class TestSeveral(CertCase):
    """ECDSA, RSA and Ed25519 for one site, by what the client offers."""

    def s_client(self, *args, name="cert.example"):
        """(exit status, certificates in PEM, text)"""
        r = subprocess.run(
            ["openssl", "s_client", "-connect", "127.0.0.1:%d" % self.port,
             "-servername", name, "-showcerts", *args],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=net.WAIT)
        pems, rest = [], r.stdout
        while "-----BEGIN CERT" in rest:
            rest = rest[rest.index("-----BEGIN CERT"):]
            end = rest.index("-----END CERTIFICATE-----") + 25
            pems.append(rest[:end])
            rest = rest[end:]
        return r.returncode, pems, r.stdout + r.stderr

    def test_TL12_chosen_by_what_is_offered(self):
        root = self.ca.authority()
        leaf = {k: self.ca.make(k, ["cert.example"], k, issuer=root)
                for k in ("p384", "rsa", "ed25519")}
        ec = self.ca.bundle("ec", leaf["p384"], root)   # a chain of its own
        d = self.start(self.conf(leaf["rsa"], ec, leaf["ed25519"]))
        want = {"p384": [self.pem(leaf["p384"]), self.pem(root)],
                "rsa": [self.pem(leaf["rsa"])],
                "ed25519": [self.pem(leaf["ed25519"])]}
        before = d.counter("keys", "signed")
        cases = (
            ("p384", ()),                       # both: the cheaper
            ("p384", ("-tls1_3", "-sigalgs", "ECDSA+SHA384:RSA-PSS+SHA256")),
            ("p384", ("-tls1_3", "-sigalgs", "RSA-PSS+SHA256:ECDSA+SHA384")),
            ("rsa", ("-tls1_3", "-sigalgs", "RSA-PSS+SHA256")),
            ("ed25519", ("-tls1_3", "-sigalgs", "ed25519")),
            # P-256 has its own code point in TLS 1.3
            ("rsa", ("-tls1_3", "-sigalgs", "ECDSA+SHA256:RSA-PSS+SHA256")),
            ("p384", ("-tls1_2",)),
            ("p384", ("-tls1_2", "-sigalgs", "ECDSA+SHA256")),
            ("rsa", ("-tls1_2", "-sigalgs", "RSA+SHA256")),
            ("rsa", ("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")),
            ("p384", ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")))
        for kind, args in cases:
            status, pems, text = self.s_client(*args)
            self.assertEqual((0, want[kind]), (status, pems), args)
        poll(lambda: d.counter("keys", "signed") == before + len(cases))
        for args in (("-tls1_3", "-sigalgs", "ECDSA+SHA512"),
                     ("-tls1_2", "-sigalgs", "RSA+SHA1:ECDSA+SHA1",
                      "-cipher", "DEFAULT@SECLEVEL=0")):
            self.assertNotEqual(0, self.s_client(*args)[0], args)
        self.assertEqual(0, d.counter("keys", "sign_refused"))

    def test_TL12_each_kind_alone(self):
        for kind in "p256", "rsa", "ed25519":
            pair = self.ca.make("alone", ["cert.example"], kind)
            d = self.start(self.conf(pair))
            self.assertEqual(self.pem(pair), self.served())
            d.stop()

    def test_TL12_wildcards_and_many_names(self):
        """Each name of the site gets its certificate, no other name does, and
        Host may be what the connection's site has."""
        pair = self.ca.make("wild", ["cert.example", "*.cert.example",
                                     "two.example"])
        other = self.ca.make("other", ["other.example"])
        conf = self.conf(pair, names=("cert.example", "*.cert.example",
                                      "two.example"))
        conf["sites"]["o"] = {"names": ["other.example"],
                              "root": self.dir + "/root",
                              "certificate": other}
        conf["fallback"] = "close"
        with open(self.dir + "/root/index.html", "w") as f:
            f.write("x")
        self.start(conf)
        for name in ("cert.example", "a.cert.example", "A.CERT.example",
                     "two.example"):
            self.assertEqual(self.pem(pair), self.served(name))
        self.assertEqual(self.pem(other), self.served("other.example"))
        for name in "a.b.cert.example", "a.two.example", None:
            with self.assertRaises((ssl.SSLError, OSError)):
                self.served(name)
        for sni, host, want in (
                ("cert.example", "cert.example", 200),
                ("cert.example", "CERT.example:443", 200),
                ("cert.example", "a.cert.example", 200),
                ("a.cert.example", "two.example", 200),
                ("cert.example", "other.example", 421),
                ("other.example", "a.cert.example", 421),
                ("cert.example", "a.b.cert.example", 421),
                ("cert.example", "unknown.example", 421),
                ("cert.example", "127.0.0.1", 421)):
            with net.tls(self.port, sni) as s:
                s.sendall(("GET / HTTP/1.1\r\nHost: %s\r\n\r\n" %
                           host).encode())
                self.assertEqual(b"HTTP/1.1 %d " % want, s.recv(13),
                                 (sni, host))

    def test_TL12_groups(self):
        """The post-quantum group where OpenSSL has it; what the client has
        alone otherwise."""
        self.start(self.conf(self.ca.make("cert.example")))
        kems = subprocess.run(["openssl", "list", "-kem-algorithms"],
                              capture_output=True, text=True).stdout
        best = "X25519MLKEM768" if "X25519MLKEM768" in kems else "X25519"
        status, _, text = self.s_client("-tls1_3")
        self.assertEqual(0, status)
        self.assertRegex(text, "(Server|Peer) Temp Key: %s|"
                         "Negotiated TLS1.3 group: %s" % (best, best))
        for groups in "X25519", "P-256", "P-384":
            self.assertEqual(0, self.s_client(
                "-tls1_3", "-groups", groups)[0], groups)
        # In TLS 1.2 the curve of the certificate must be among them.
        for groups in "X25519:P-256", "P-256", "P-384:P-256":
            self.assertEqual(0, self.s_client(
                "-tls1_2", "-groups", groups)[0], groups)

    def test_TL12_groups_as_configured(self):
        self.start(self.conf(self.ca.make("cert.example"),
                             tls={"groups": ["P-384"]}))
        self.assertEqual(0, self.s_client("-groups", "P-384")[0])
        self.assertNotEqual(0, self.s_client("-groups", "X25519")[0])

    def test_TL12_no_early_data(self):
        self.start(self.conf(self.ca.make("cert.example")))
        early, sess = self.dir + "/early", self.dir + "/sess"
        with open(early, "w") as f:
            f.write("GET / HTTP/1.1\r\nHost: cert.example\r\n\r\n")
        ask = "GET / HTTP/1.1\r\nHost: cert.example\r\n" \
            "Connection: close\r\n\r\n"
        r = subprocess.run(
            ["openssl", "s_client", "-connect", "127.0.0.1:%d" % self.port,
             "-servername", "cert.example", "-tls1_3", "-quiet",
             "-sess_out", sess], input=ask, capture_output=True, text=True,
            timeout=net.WAIT)
        self.assertTrue(os.path.exists(sess), r.stderr)
        r = subprocess.run(
            ["openssl", "sess_id", "-in", sess, "-noout", "-text"],
            capture_output=True, text=True)
        self.assertIn("Max Early Data: 0", r.stdout)
