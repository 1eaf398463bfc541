"""AC6: master is killed before each call that changes what is on the disk."""

import os
import shutil
import signal
import ssl
import subprocess
import threading

import net
import proc
from harness import poll
from test_acme import AcmeCase


class TestAcmeKilled(AcmeCase):
    def setUp(self):
        """What every round begins with: a pair that may be renewed."""
        super().setUp()
        if not shutil.which("strace"):
            self.skipTest("strace is not installed")
        d = self.start(self.conf())
        self.issued(d)
        d.stop()
        self.age()
        self.kept = self.dir + "/kept"
        os.rename(self.state, self.kept)

    def armed(self, call, n, *args):
        """A daemon whose master is killed at the n-th such call; and what
        lets it live."""
        d = self.start(self.conf())
        p = subprocess.Popen(           # it ends with what it watches
            ["strace", "-o", "/dev/null", "-p", str(d.pid), "-e",
             "trace=" + call, "-e", "inject=%s:signal=SIGKILL:when=%d" %
             (call, n), *args], stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)

        def end():
            p.terminate()
            p.wait(net.WAIT)
            p.stderr.close()
        self.addCleanup(end)
        self.assertIn("attached", p.stderr.readline())
        return d, end

    def died(self, d):
        """Killed, and its children gone; or is the pair shown?"""
        try:
            d.log.wait("ready: generation 2", seconds=30)
            return False
        except AssertionError:
            self.assertEqual(-signal.SIGKILL, d.proc.wait(net.WAIT))
        d.log.join(net.WAIT)            # who has stderr is alive
        poll(lambda: not any(map(proc.alive, proc.of_session(d.session))),
             why=lambda: "left over: %s" % proc.of_session(d.session))
        d.kill()
        return True

    def assert_shown(self):
        """What is in force is whole, and is what a client gets."""
        self.assert_whole()
        self.assertEqual(ssl.PEM_cert_to_DER_cert(self.pair()[0]),
                         self.served())

    def is_new(self, before):
        """The old pair or the one that was had last, nothing between."""
        now = self.pair()
        if now != before:
            self.assertEqual(self.ca.orders[-1]["chain"], now[0])
            self.assertTrue(before[1] != now[1], "it has the old key")
        self.assert_whole()
        return now != before

    def goes_on(self, before, asked):
        """Started again it shows what there is, and gets what it lacks."""
        go = threading.Event()
        self.ca.answer["neworder"] = lambda ca, r: go.wait(30) and None
        new = self.is_new(before)
        with open(self.state + "/acme/s.state") as f:
            wanted = "wanted=1" in f.read()
        d = self.start(self.conf())
        self.assert_shown()
        self.assertEqual(new, self.is_new(before))
        if not asked:       # it died before it answered
            d.ctl("renew", "-w", "0", "s")
        go.set()
        if wanted or not new:
            d.log.wait("certificate s: installed", seconds=30)
            d.log.wait("ready: generation 2", seconds=30)
            self.assertEqual(2, len(os.listdir(self.state + "/certs")))
        self.assertTrue(self.is_new(before))
        self.assert_shown()
        self.assertEqual((0, ""), (self.cert(d)["failures"],
                                   self.cert(d)["last_error"]))
        d.stop()
        self.ca.answer = {}
        return new

    def at_each(self, call, *args):
        """Returns how often it found the old and the new pair."""
        found = [0, 0]
        for n in range(1, 40):
            shutil.rmtree(self.state, ignore_errors=True)
            shutil.copytree(self.kept, self.state, symlinks=True)
            before = self.pair()
            d, disarm = self.armed(call, n, *args)
            asked = d.ctl("renew", "-w", "0", "s").returncode == 0
            if not self.died(d):
                self.assertTrue(self.is_new(before))
                disarm()
                d.stop()
                return found
            with self.subTest(call=call, n=n):
                found[self.goes_on(before, asked)] += 1
                continue
            break
        self.fail("%s: no end, or not a good one" % call)

    def test_AC6_killed_at_each_fsync(self):
        """Ledger and account; names, chain, key, both directories."""
        old, new = self.at_each("fsync")
        self.assertGreaterEqual(old, 10)
        self.assertGreaterEqual(new, 3)

    def test_AC6_killed_at_each_rename(self):
        old, new = self.at_each("renameat")
        self.assertGreaterEqual(old, 4)
        self.assertGreaterEqual(new, 1)
        self.assertEqual([1, 0], self.at_each("symlinkat"))

    def test_AC6_killed_at_each_write(self):
        old, new = self.at_each("pwrite64")
        self.assertGreaterEqual(old, 4)
        self.assertGreaterEqual(new, 1)

    def test_AC6_killed_at_each_file_made_or_removed(self):
        old, _ = self.at_each("mkdirat")
        self.assertGreaterEqual(old, 3)
        old, _ = self.at_each("openat", "-P", self.state + "/certs/s.new")
        self.assertGreaterEqual(old, 3)         # chain, key, names
        _, new = self.at_each("unlinkat")
        self.assertGreaterEqual(new, 4)         # of the old one
