"""CE7: certificates where certbot and Caddy keep them, and as they do."""

import os
import ssl
import subprocess

import certs
import harness
import net
from test_certificates import CertCase


class TestImport(CertCase):
    name = "cert.example"

    def setUp(self):
        super().setUp()
        self.root = self.ca.authority("Root")
        self.middle = self.ca.authority("Middle", issuer=self.root,
                                        end=99 * certs.DAY)

    def made(self, n, kind="p256"):
        """Leaf, its key, and chain, as text."""
        pair = self.ca.make("made%d" % n, [self.name], kind,
                            issuer=self.middle)
        return {"cert": self.text(pair["chain"]),
                "chain": self.text(self.middle["chain"]),
                "fullchain": self.text(
                    self.ca.bundle("full%d" % n, pair, self.middle)["chain"]),
                "privkey": self.text(pair["key"])}

    @staticmethod
    def text(path):
        with open(path) as f:
            return f.read()

    def put(self, path, text):
        """With the modes of both: for nobody else."""
        made = []
        while not os.path.isdir(dir := os.path.dirname(made[-1] if made
                                                       else path)):
            made.append(dir)
        for dir in reversed(made):
            os.mkdir(dir, 0o700)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o600)
        if self.ca.owner is not None:
            for p in [path, *made]:
                os.chown(p, self.ca.owner, self.ca.owner)

    def hook(self, d):
        """As it is installed, run as certbot runs it."""
        path, name = self.dir + "/hook", "live/" + self.name
        self.put(self.dir + "/sbin/l4muxctl", "#!/bin/sh\nexec %s -s %s "
                 "\"$@\"\n" % (harness.L4MUXCTL, d.control))
        with open(os.path.join(harness.ROOT, "etc/hooks/certbot-deploy")) as f:
            self.put(path, f.read().replace("@SBIN@", self.dir + "/sbin"))
        for p in path, self.dir + "/sbin/l4muxctl":
            os.chmod(p, 0o755)
        return subprocess.run(
            [path], capture_output=True, text=True, timeout=net.WAIT,
            env={**os.environ, "RENEWED_DOMAINS": self.name,
                 "RENEWED_LINEAGE": os.path.join(self.le, name)})

    def archive(self, n, made):
        """What a renewal adds."""
        for part, text in made.items():
            self.put("%s/archive/%s/%s%d.pem" % (self.le, self.name, part, n),
                     text)

    def link(self, n, part):
        """As certbot does it: away with the old one, then the new one."""
        path = "%s/live/%s/%s.pem" % (self.le, self.name, part)
        if os.path.lexists(path):
            os.unlink(path)
        os.symlink("../../archive/%s/%s%d.pem" % (self.name, part, n), path)

    def test_CE7_certbot(self):
        self.le = self.dir + "/letsencrypt"
        first, second = self.made(1), self.made(2, "rsa")
        self.put("%s/live/README" % self.le, "not to be moved\n")
        self.put("%s/live/%s/README" % (self.le, self.name), "nor this\n")
        self.archive(1, first)
        for part in first:
            self.link(1, part)
        live = "%s/live/%s/" % (self.le, self.name)
        d = self.start(self.conf({"chain": live + "fullchain.pem",
                                  "key": live + "privkey.pem"}))
        self.assertEqual(first["cert"].strip(), self.served())
        (c,) = d.ask("certificates")["certificates"]
        self.assertEqual((live + "fullchain.pem", "Middle", []),
                         (c["chain"], c["issuer"], c["warnings"]))
        # In the midst of a renewal it does not fit, and changes nothing.
        self.archive(2, second)
        self.link(2, "cert")
        self.link(2, "privkey")
        r = self.hook(d)
        self.assertEqual(1, r.returncode)
        self.assertIn("the key does not belong to", r.stderr)
        self.assertEqual(first["cert"].strip(), self.served())
        self.link(2, "chain")
        self.link(2, "fullchain")
        r = self.hook(d)
        self.assertEqual((0, ""), (r.returncode, r.stderr))
        self.assertEqual(second["cert"].strip(), self.served())
        self.assertEqual(self.trusted(), second["cert"].strip())

    def trusted(self):
        """What a client gets that knows the root alone."""
        ctx = ssl.create_default_context(cafile=self.root["chain"])
        # Python 3.13 asks more of a root than ours has, and than clients do.
        ctx.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return self.served(ctx=ctx)

    def sec1(self, made):
        """The form that Caddy writes a key in: RFC 5915."""
        return subprocess.run(
            ["openssl", "ec"], input=made["privkey"], check=True, text=True,
            capture_output=True).stdout

    def test_CE7_caddy(self):
        storage = (self.dir + "/caddy/certificates/"
                   "acme-v02.api.letsencrypt.org-directory/%s/%s" %
                   (self.name, self.name))

        def store(made):
            key = self.sec1(made)
            self.assertIn("BEGIN EC PRIVATE KEY", key)
            self.put(storage + ".crt", made["fullchain"])
            self.put(storage + ".key", key)
            self.put(storage + ".json", '{ "sans": ["%s"] }' % self.name)
        first, second = self.made(1), self.made(2)
        store(first)
        d = self.start(self.conf({"chain": storage + ".crt",
                                  "key": storage + ".key"}))
        self.assertEqual(first["cert"].strip(), self.trusted())
        store(second)
        self.assertEqual(first["cert"].strip(), self.trusted())
        r = d.ctl("reload")
        self.assertEqual((0, ""), (r.returncode, r.stderr))
        self.assertEqual(second["cert"].strip(), self.trusted())
