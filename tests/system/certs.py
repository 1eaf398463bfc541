"""Certificates of every kind the tests need, made with openssl(1)."""

import os
import subprocess
import tempfile
import time

KINDS = {"p256": ("EC", "ec_paramgen_curve:P-256"),
         "p384": ("EC", "ec_paramgen_curve:P-384"),
         "p521": ("EC", "ec_paramgen_curve:P-521"),
         "rsa": ("RSA", "rsa_keygen_bits:2048"),
         "rsa1024": ("RSA", "rsa_keygen_bits:1024"),
         "ed25519": ("ED25519", None)}
DAY = 86400

CONF = """
[ca]
default_ca = own
[own]
database = {dir}/index
new_certs_dir = {dir}
rand_serial = yes
default_md = {md}
policy = any
email_in_dn = no
unique_subject = no
[any]
commonName = supplied
organizationName = optional
[ext]
{ext}
"""


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True,
                   stdin=subprocess.DEVNULL)


def stamp(when):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(when))


class Authority:
    """Makes pairs in a directory; with no issuer they sign themselves."""

    def __init__(self, dir, owner=None):
        self.dir = dir
        self.owner = owner      # uid that is to read the keys
        self.root = None

    def make(self, name, names=None, kind="p256", start=-3600, end=90 * DAY,
             md="sha256", issuer=None, ext=None, org=None):
        """Writes NAME.pem and NAME.key.  start and end are seconds from now;
        ext replaces the extensions."""
        chain, key = (os.path.join(self.dir, name + s)
                      for s in (".pem", ".key"))
        option = ["-pkeyopt", KINDS[kind][1]] if KINDS[kind][1] else []
        openssl("genpkey", "-algorithm", KINDS[kind][0], *option, "-out", key)
        if ext is None:
            ext = "subjectAltName = " + ",".join(
                "DNS:" + n for n in names or [name])
        now = time.time()
        subject = "/CN=" + name + ("/O=" + org if org else "")
        with tempfile.TemporaryDirectory() as tmp:
            open(tmp + "/index", "w").close()
            with open(tmp + "/conf", "w") as f:
                f.write(CONF.format(dir=tmp, md=md, ext=ext))
            openssl("req", "-new", "-key", key, "-subj", subject,
                    "-out", tmp + "/csr")
            signer = (["-selfsign", "-keyfile", key] if issuer is None else
                      ["-cert", issuer["chain"], "-keyfile", issuer["key"]])
            openssl("ca", "-batch", "-notext", "-config", tmp + "/conf",
                    *signer, "-in", tmp + "/csr", "-extensions", "ext",
                    "-md", "default" if kind == "ed25519" and not issuer
                    else md,
                    "-startdate", stamp(now + start),
                    "-enddate", stamp(now + end), "-out", chain)
        os.chmod(key, 0o600)
        if self.owner is not None:
            os.chown(key, self.owner, self.owner)
        return {"chain": chain, "key": key}

    def authority(self, name="Test Root", **kwargs):
        """One that may issue others."""
        return self.make(name, ext="basicConstraints = critical,CA:TRUE",
                         **kwargs)

    def bundle(self, name, *pairs):
        """The certificates in this order in one file, the key of the
        first."""
        path = os.path.join(self.dir, name + ".chain.pem")
        with open(path, "w") as out:
            for p in pairs:
                with open(p["chain"]) as f:
                    out.write(f.read())
        return {"chain": path, "key": pairs[0]["key"]}
