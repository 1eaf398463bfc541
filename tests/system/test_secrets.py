"""P13: private keys are in the memory of keys and of nobody else."""

import os
import shutil
import subprocess
import tempfile

import memscan
import net
from harness import Case, free_port

KINDS = {"p256": ("EC", "ec_paramgen_curve:P-256"),
         "p384": ("EC", "ec_paramgen_curve:P-384"),
         "rsa": ("RSA", "rsa_keygen_bits:2048"),
         "ed25519": ("ED25519", None)}


class TestSecrets(Case):
    modes = ("root",)       # who else may read another's memory

    def make(self, name, kind):
        chain, key = (os.path.join(self.dir, name + s)
                      for s in (".pem", ".key"))
        option = ["-pkeyopt", kind[1]] if kind[1] else []
        subprocess.run(["openssl", "genpkey", "-algorithm", kind[0], *option,
                        "-out", key], check=True, capture_output=True)
        subprocess.run(["openssl", "req", "-x509", "-key", key, "-days", "30",
                        "-out", chain, "-subj", "/CN=" + name, "-addext",
                        "subjectAltName=DNS:%s.example" % name],
                       check=True, capture_output=True)
        return {"chain": chain, "key": key}

    def conf(self):
        self.port = free_port()
        held, address = net.dead_address()
        self.addCleanup(held.close)
        # An upstream as well, so that there is a proxy to look into.
        return {"listen": ("127.0.0.1:%d" % self.port,),
                "sites": {n: {"names": [n + ".example"], "root": self.dir,
                              "certificate": c}
                          for n, c in self.certs.items()},
                "upstreams": {"up": {"address": address}},
                "fallback": "p256",
                "processes": {"worker": 1, "tlsterm": 2, "keys": 2}}

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="l4mux-secret-")
        os.chmod(self.dir, 0o755)
        self.addCleanup(shutil.rmtree, self.dir)
        self.certs = {n: self.make(n, k) for n, k in KINDS.items()}
        self.daemon = self.start(self.conf())

    def test_P13_only_keys_has_key_material(self):
        each = {n: memscan.needles([c["key"]])
                for n, c in self.certs.items()}
        wanted = set().union(*each.values())
        for i in range(4):
            for name in self.certs:
                net.tls(self.port, name + ".example").close()
        seen = set()
        for p in self.daemon.processes():
            hits, size = memscan.scan(p["pid"], wanted)
            self.assertGreater(size, 100000)
            if p["role"] == "keys":     # the control: it can be found
                for name, needles in each.items():
                    self.assertGreater(memscan.scan(p["pid"], needles)[0], 0,
                                       name)
            else:
                self.assertEqual(0, hits, p["name"])
            seen.add(p["role"])
        self.assertLessEqual({"worker", "proxy", "tlsterm", "keys"}, seen)
        self.assertEqual(0, memscan.scan(self.daemon.pid, wanted)[0])
