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
        self.assertEqual(("made", "self-signed", None, None, True, 365,
                          ["made.example"]),
                         (c["holder"], c["source"], c["chain"], c["key"],
                          c["self_signed"], c["days_left"], c["names"]))
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
        self.assertRegex(made, r"^made +self-signed .* 365 +itself +- +"
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
