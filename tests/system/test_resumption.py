"""TLS tickets."""

import os
import shutil
import ssl
import threading

import harness
import net
from harness import poll
from test_certificates import CertCase


class TestResumption(CertCase):
    def pages(self, ctx, session=None):
        with ctx.wrap_socket(net.tcp(self.port), session=session,
                             server_hostname="cert.example") as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: cert.example\r\n\r\n")
            self.assertTrue(s.recv(100).startswith(b"HTTP/1.1 404 "))
            return s.session_reused, s.session

    def test_TL9_over_reload_upgrade_and_renewal(self):
        pair = self.ca.make("cert.example")
        d = self.start(self.conf(pair))
        for v in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            ctx = net.tls_context(versions=(v, v))
            _, session = self.pages(ctx)
            new = self.ca.make("cert.example")      # over the old files
            self.assertEqual(pair, new)
            for act in "reload", "upgrade":
                self.assertTrue(d.ask(act)["ok"])
                self.assertTrue(self.pages(ctx, session)[0], (act, v))
            self.assertEqual(self.pem(new), self.served())

    def test_TL13_rotation_while_a_generation_starts(self):
        """What was sealed with the newest key opens in processes that had
        been told the keys before that."""
        tree = harness.workdir(self.mode)
        self.addCleanup(shutil.rmtree, tree, True)
        for name in "sbin", "libexec":
            shutil.copytree(os.path.join(harness.BUILD, name),
                            os.path.join(tree, name))
        worker = tree + "/libexec/l4mux/worker"
        os.mkfifo(tree + "/go")
        os.chmod(tree + "/go", 0o666)
        conf = self.conf(self.ca.make("cert.example"),
                         tls={"tickets": 3.0}, log={"level": "debug"})
        d = self.start(conf, binary=tree + "/sbin/l4muxd")
        os.rename(worker, worker + ".real")
        with open(worker, "w") as f:    # ready when the test says so
            f.write("#!/bin/sh\nread -r line <%s/go\nexec %s.real \"$@\"\n" %
                    (tree, worker))
        os.chmod(worker, 0o755)
        ctx = net.tls_context()
        rotated = "tickets: a new key"

        def rotations():
            return sum(rotated in s for s in d.log.lines)

        for i in range(10):
            threading.Thread(target=d.ask, args=("reload",),
                             daemon=True).start()
            number = d.status()["generation"] + 1
            poll(lambda: [p for p in d.processes("tlsterm") if
                          p["generation"] == number and
                          p["state"] == "running"])
            d.log.wait(rotated, d.log.mark())
            made = rotations()
            _, session = self.pages(ctx)
            with open(tree + "/go", "w") as f:
                f.write("go\n")
            d.log.wait("ready: generation %d" % number)
            reused, _ = self.pages(ctx, session)
            if rotations() == made:
                self.assertTrue(reused)
                return
        self.fail("too slow")
