"""RN*: `l4muxctl renew` waits for what the authority says."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time

import acme_ca
import harness
import net
from harness import poll
from test_acme import AcmeCase


class RenewCase(AcmeCase):
    modes = ("root", "user")

    def setUp(self):
        super().setUp()
        if self.mode == "user":
            os.mkdir(self.state)
            os.chown(self.state, harness.NOBODY, harness.NOBODY)

    def stall(self, resource="neworder"):
        """Sets `there` when the authority is asked, who answers once `go` is
        set."""
        self.there, self.go = threading.Event(), threading.Event()
        self.addCleanup(self.go.set)

        def answer(ca, r):
            self.there.set()
            self.go.wait(net.WAIT)
        self.ca.answer[resource] = answer

    def asked(self):
        """The wish is in the ledger."""
        try:
            with open(self.state + "/acme/s.state") as f:
                return "wanted=1" in f.read()
        except FileNotFoundError:
            return False

    def stalled(self, conf=None):
        """A daemon whose first certificate is being had."""
        self.stall()
        d = self.start(conf or self.conf())
        self.assertTrue(self.there.wait(net.WAIT), d.log.tail())
        return d

    def begin(self, d):
        """Who waits for it."""
        s = d.begin("renew s 60")
        poll(self.asked)
        return s

    def refused(self, why):
        return {"ok": False, "error": "certificate s: " + why}

    def write(self, d, conf):
        harness.write_conf(d.conf_path, d.complete(conf))


class TestRenew(RenewCase):
    def test_RN1_in_force_when_it_returns(self):
        d = self.again(self.conf())
        before, shown = self.pair(), self.served()
        r = d.ctl("renew", "s.example")
        self.assertEqual((0, ""), (r.returncode, r.stderr))
        self.assertRegex(r.stdout, r"^certificate s: renewed, expires on "
                         r"\d{4}-\d\d-\d\d\n$")
        self.assertNotEqual(before, self.pair())
        self.assertNotEqual(shown, self.served())
        r = d.ctl("renew", "s")
        self.assertEqual((1, ""), (r.returncode, r.stdout))
        self.assertIn("an hour ago", r.stderr)

    def test_RN1_document(self):
        d = self.again(self.conf())
        r = d.ctl("-j", "renew", "s")
        self.assertEqual((0, ""), (r.returncode, r.stderr))
        self.assertEqual({
            "ok": True, "certificate": "s",
            "not_after": self.cert(d)["not_after"],
            "generation": d.status()["generation"]}, json.loads(r.stdout))

    def test_RN1_not_waited_for(self):
        d = self.again(self.conf())
        self.stall()
        for args in (("renew", "-w", "0", "s"), ("renew", "-w0", "s")):
            r = d.ctl(*args)
            self.assertEqual((0, "", ""), (r.returncode, r.stdout, r.stderr))
        self.assertEqual({"ok": True}, d.ask("renew s"))

    def test_RN1_one_that_no_site_shows(self):
        """A file for other programs needs no generation."""
        self.stall()
        d = self.start(self.conf(more={"certificates": {
            "c": {"names": ["c.example"]}}}))
        self.assertTrue(self.there.wait(net.WAIT))
        s = d.begin("renew c.example 60")
        d.status()              # it waits by now
        self.go.set()
        got = d.answer(s)
        self.assertEqual((True, "c"), (got["ok"], got.get("certificate")))
        self.assert_whole("c")

    def test_RN2_the_reason(self):
        d = self.again(self.conf())
        before = self.pair()
        self.ca.answer["neworder"] = lambda ca, r: acme_ca.problem(
            "rateLimited", "too many", 429, Retry_After="7000")
        r = d.ctl("renew", "s")
        self.assertEqual((1, ""), (r.returncode, r.stdout))
        self.assertRegex(r.stderr, "^l4muxctl: certificate s: .*rateLimited: "
                         "too many\n$")
        r = d.ctl("-j", "renew", "s")
        self.assertEqual(1, r.returncode)
        self.assertFalse(json.loads(r.stdout)["ok"])
        self.assertIn("too many", json.loads(r.stdout)["error"])
        self.assertEqual(before, self.pair())

    def test_RN2_a_second_way_is_no_failure_yet(self):
        """Another kind of challenge is tried at once, and waited for."""
        d = self.again(self.conf())
        fetch, refused = self.ca.fetch, []

        def once(*args):
            refused.append(args)
            self.ca.fetch = fetch
            return b"no"
        self.ca.fetch = once
        r = d.ctl("renew", "s")
        self.assertEqual((0, ""), (r.returncode, r.stderr))
        self.assertEqual(1, len(refused))
        d.log.wait("failure 1")

    def test_RN3_one_that_is_under_way_is_shared(self):
        d = self.stalled()
        waiting = [self.begin(d) for _ in range(3)]
        self.go.set()
        for s in waiting:
            got = d.answer(s)
            self.assertTrue(got["ok"], got)
        self.assertEqual(1, self.ca.count("neworder"))

    def test_RN3_interrupted(self):
        """It goes on, and nobody is kept for it."""
        d = self.stalled()
        fds = "/proc/%d/fd" % d.pid
        before = len(os.listdir(fds))
        p = subprocess.Popen([harness.L4MUXCTL, "-s", d.control, "renew", "s"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        poll(self.asked)
        poll(lambda: len(os.listdir(fds)) == before + 1)
        p.send_signal(signal.SIGINT)
        self.assertEqual((b"", b""), p.communicate(timeout=net.WAIT))
        self.assertEqual(-signal.SIGINT, p.returncode)
        poll(lambda: len(os.listdir(fds)) == before)
        self.go.set()
        self.issued(d)

    def test_RN3_not_for_ever(self):
        d = self.stalled()
        r = d.ctl("renew", "-w", "1", "s")
        self.assertEqual((1, ""), (r.returncode, r.stdout))
        self.assertIn("not had in time", r.stderr)
        self.assertIn("3600", d.ask("renew s 3601")["error"])
        self.assertIn("3600", d.ask("renew s x")["error"])
        self.go.set()
        self.issued(d)

    def test_RN4_installed_and_not_shown(self):
        """The generation that is to show it does not come up."""
        d = self.again(self.conf())
        self.stall()
        s = self.begin(d)
        self.assertTrue(self.there.wait(net.WAIT))
        shutil.move(self.dir + "/root", self.dir + "/away")
        mark = d.log.mark()
        self.go.set()
        got = d.answer(s)
        self.assertFalse(got["ok"])
        self.assertRegex(got["error"], "^certificate s: installed, but .*root")
        d.log.wait("the running configuration goes on", mark)
        # It is tried again, but not at once.
        begun = time.monotonic()
        for _ in range(2):
            d.log.wait("the running configuration goes on", d.log.mark())
        self.assertGreater(time.monotonic() - begun, 1.5)
        shown = self.served()
        shutil.move(self.dir + "/away", self.dir + "/root")
        poll(lambda: self.served() != shown)


class TestRenewMeanwhile(RenewCase):
    def test_RN5_reload(self):
        """A reload, also one that fails, is not the one it waits for."""
        d = self.stalled()
        s = self.begin(d)
        self.assertTrue(d.ask("reload")["ok"])
        with open(d.conf_path, "a") as f:
            f.write("x = 1;\n")
        self.assertFalse(d.ask("reload")["ok"])
        self.go.set()
        got = d.answer(s)
        self.assertTrue(got["ok"], got)
        self.assertEqual(got["generation"], d.status()["generation"])
        self.assertEqual("Stand-in", self.cert(d)["issuer"])

    def test_RN5_taken_out(self):
        d = self.stalled()
        for conf, why in (
                (self.conf({"t": {"names": ["t.example"],
                                  "root": self.dir + "/root"}},
                           more={"fallback": "t"}),
                 "the configuration does not have it any more"),
                ({**self.conf(), "acme": None},
                 "the configuration has no acme any more")):
            with self.subTest(why):
                self.write(d, self.conf())
                self.assertTrue(d.ask("reload")["ok"])
                s = self.begin(d)
                self.write(d, {k: v for k, v in conf.items() if v})
                self.assertTrue(d.ask("reload")["ok"])
                self.assertEqual(self.refused(why), d.answer(s))
                self.assertEqual("no certificate of a CA has that name",
                                 d.ask("renew s 60")["error"])

    def test_RN5_stop(self):
        d = self.stalled()
        s = self.begin(d)
        self.assertTrue(d.ask("stop")["ok"])
        self.assertEqual(self.refused(
            "the daemon was told to stop: it goes on when it starts"),
            d.answer(s))
        self.assertEqual(0, d.proc.wait(net.WAIT))
        self.go.set()
        self.issued(self.start(self.conf()))

    def test_RN5_upgrade(self):
        d = self.stalled()
        s = self.begin(d)
        up = d.begin("upgrade")
        self.assertEqual(self.refused("interrupted by an upgrade: ask again"),
                         d.answer(s))
        self.go.set()
        self.assertTrue(d.answer(up)["ok"])
        got = d.ask("renew s 60")
        self.assertTrue(got["ok"] or "an hour ago" in got["error"], got)
        self.issued(d)
