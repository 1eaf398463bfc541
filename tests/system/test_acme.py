"""AC*: certificates from an authority that is not always kind (P22, P13)."""

import glob
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import acme_ca
import certs
import harness
import memscan
import net
from harness import Case, free_port, poll

HOUR = 3600


class AcmeCase(Case):
    modes = ("root",)

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="l4mux-acme-")
        os.chmod(self.dir, 0o755)
        self.addCleanup(shutil.rmtree, self.dir)
        os.mkdir(self.dir + "/root")
        self.state = self.dir + "/state"
        self.port, self.plain = free_port(), free_port()
        self.ca = acme_ca.CA(self.dir, certs.Authority(self.dir), self.plain)
        self.addCleanup(self.ca.stop)

    def conf(self, sites=None, more=None, **acme):
        return {"listen": ("127.0.0.1:%d" % self.port,
                           "127.0.0.1:%d" % self.plain),
                "sites": sites or {"s": {"names": ["s.example"],
                                         "root": self.dir + "/root"}},
                "fallback": "s", "state": self.state,
                "processes": {"worker": 2, "tlsterm": 2},
                "acme": {"agree_to_terms": True,
                         "directory": self.ca.url("dir"),
                         "ca_file": self.ca.ca_file, **acme},
                **(more or {})}

    def cert(self, d, holder="s"):
        return [c for c in d.ask("certificates")["certificates"]
                if c["holder"] == holder][0]

    def issued(self, d, holder="s", ca="Stand-in"):
        return poll(lambda: self.cert(d, holder)["issuer"] == ca and
                    self.cert(d, holder), 30,
                    why=lambda: "not issued:\n" + d.log.tail())

    def failed(self, d, n=1):
        return poll(lambda: self.cert(d)["failures"] >= n and self.cert(d),
                    30, why=lambda: "no failure:\n" + d.log.tail())

    def served(self, name="s.example"):
        with net.tls(self.port, name) as s:
            return s.getpeercert(True)

    def pair(self, name="s"):
        """What is in force on the disk."""
        return [open("%s/certs/%s/%s.pem" % (self.state, name, f)).read()
                for f in ("chain", "key")]

    def assert_whole(self, name="s"):
        """Chain and key belong to each other."""
        path = "%s/certs/%s/" % (self.state, name)
        a, b = (subprocess.run(["openssl", *args, "-in", path + f],
                               check=True, capture_output=True).stdout
                for args, f in ((["x509", "-noout", "-pubkey"], "chain.pem"),
                                (["pkey", "-pubout"], "key.pem")))
        self.assertEqual(a, b)

    def age(self, name="s"):
        """As if the last certificate had been had long ago."""
        path = "%s/acme/%s.state" % (self.state, name)
        with open(path) as f:
            text = f.read()
        with open(path, "w") as f:
            f.write(re.sub(r"\bissued=\d+", "issued=1000", text))

    def renew(self, d):
        r = d.ctl("renew", "-w", "0", "s.example")
        self.assertEqual((0, ""), (r.returncode, r.stderr))

    def again(self, conf):
        """A daemon that may renew what an earlier one had."""
        d = self.start(conf)
        self.issued(d)
        d.stop()
        self.age()
        return self.start(conf)


class TestAcme(AcmeCase):
    def test_AC1_from_nothing(self):
        d = self.start(self.conf(profile="shortlived", email="a@b.example"))
        c = self.issued(d)
        self.assertEqual(("acme", ["s.example"], "renew", ""),
                         (c["source"], c["names"], c["next"],
                          c["last_error"]))
        poll(lambda: self.served() != b"" and
             d.ask("status")["generation"] > 1)
        self.assert_whole()
        self.assertEqual("shortlived",
                         self.ca.orders[0]["request"]["profile"])
        # Third of its life, or a little earlier.
        left = c["not_after"] - c["next_at"]
        self.assertTrue(29 * 86400 < left < 34 * 86400, left)
        self.assertEqual(1, self.ca.count("neworder"))
        r = d.ctl("renew", "s")
        self.assertEqual(1, r.returncode)
        self.assertIn("hour", r.stderr)
        self.assertEqual(1, d.ctl("renew", "nobody").returncode)

    def test_AC1_start_does_not_wait(self):
        """The authority is a black hole: the site comes up at once."""
        held, address = net.dead_address()
        self.addCleanup(held.close)
        d = self.start(self.conf(directory="https://%s/dir" % address))
        self.assertTrue(self.served())
        self.assertIn("connect", self.failed(d)["last_error"].lower())
        self.assertIn("attempt", d.ctl("status").stdout)

    def test_AC2_only_our_tokens(self):
        """Before any route; and what is not ours is the route's."""
        up = self.keep(net.Backend("up"))
        asked = []

        def chall(ca, r):
            # While it is open: another's token, and a plain connection.
            with net.tcp(self.plain) as s:
                s.sendall(b"GET /.well-known/acme-challenge/%s HTTP/1.1\r\n"
                          b"Host: s.example\r\n\r\n" % (b"x" * 22))
                asked.append(net.read_line(s))
            # Who says nothing may be the authority, for a while.
            with net.tcp(self.plain) as s:
                asked.append(net.read_line(s))
        self.ca.answer["chall"] = chall
        self.issued(self.start(self.conf(more={
            "upstreams": {"up": {"address": up.address}},
            "limits": {"hello_timeout": 0.5},
            "routes": ({"listen": "127.0.0.1:%d" % self.plain,
                        "to": "up"},)})))
        self.assertEqual([b"I am up\n"] * 2, asked)

    def test_AC3_slow_down(self):
        self.ca.answer["neworder"] = lambda ca, r: acme_ca.problem(
            "rateLimited", "too many", 429, Retry_After="7000")
        d = self.start(self.conf())
        c = self.failed(d)
        self.assertIn('l4mux_acme_failures{certificate="s"} 1',
                      d.ctl("metrics").stdout)
        self.assertIn("rateLimited: too many", c["last_error"])
        self.assertEqual("try again", c["next"])
        self.assertAlmostEqual(time.time() + 7000, c["next_at"], delta=60)
        # Over a restart as well.
        d.stop()
        d = self.start(self.conf())
        c = self.cert(d)
        self.assertEqual(1, c["failures"])
        self.assertAlmostEqual(time.time() + 7000, c["next_at"], delta=60)
        self.assertEqual(1, self.ca.count("neworder"))

    def test_AC3_five_failures_an_hour(self):
        self.ca.answer["neworder"] = lambda ca, r: (500, {}, b"")
        d = self.start(self.conf())
        for i in range(1, 5):
            self.failed(d, i)
            self.renew(d)
        c = self.failed(d, 5)
        self.assertEqual(5, self.ca.count("neworder"))
        self.assertGreater(c["next_at"], time.time() + HOUR - 120)
        r = d.ctl("renew", "s")
        self.assertEqual(1, r.returncode)
        self.assertIn("five", r.stderr)

    def test_AC3_nonsense(self):
        """Each is an error in the log, none the end of anything."""
        big = b"[" + b"1," * (5 << 20) + b"1]"
        cases = (
            ("dir", (200, {}, b"no JSON"), "not a directory"),
            ("dir", (200, {}, big), "larger than"),
            ("neworder", (200, {}, b"\xff\x00"), "no JSON object"),
            ("newaccount", (201, {"Location": "https://127.0.0.1:1/x"}, {}),
             "no URL"),
            ("order", (200, {}, {"status": ["ready"]}), "order is"))
        for resource, answer, want in cases:
            with self.subTest(want):
                self.ca.answer = {resource: lambda ca, r: answer}
                shutil.rmtree(self.state, ignore_errors=True)
                d = self.start(self.conf())
                self.assertIn(want, self.failed(d)["last_error"])
                self.assertTrue(self.served())
                d.stop()

    def test_AC3_endless(self):
        """Nobody waits for one that never decides."""
        def pending(ca, r):
            status, headers, doc = ca.on_authz(r)
            return status, headers, {**doc, "status": "pending"}
        self.ca.answer["authz"] = pending
        d = self.start(self.conf())
        self.ca.await_count("authz", 4)
        self.assertTrue(self.served())
        self.assertEqual("being had", self.cert(d)["next"])
        d.stop()

        def later(ca, r):
            status, headers, doc = pending(ca, r)
            return status, {"Retry_After": "4000"}, doc
        self.ca.answer["authz"] = later
        d = self.start(self.conf())
        self.assertIn("still pending", self.failed(d)["last_error"])

    def test_AC4_other_names_are_not_answered_for(self):
        def authz(ca, r):
            status, headers, doc = ca.on_authz(r)
            return status, headers, {**doc, "identifier": {
                "type": "dns", "value": "other.example"}}
        self.ca.answer["authz"] = authz
        d = self.start(self.conf())
        self.assertIn("other.example", self.failed(d)["last_error"])
        self.assertEqual(0, self.ca.count("chall"))

    def test_AC5_wrong_answers_change_nothing(self):
        conf = self.conf()
        d = self.again(conf)
        before, shown = self.pair(), self.served()
        other = self.ca.authority.make("other", ["s.example"])
        names = self.ca.authority.make("names", ["other.example"])

        def cert(pem):
            return lambda ca, r: (200, {}, pem.encode())
        cases = (
            ("another key", {"cert": cert(open(other["chain"]).read())}, "key"),
            ("other names", {"cert": cert(open(names["chain"]).read())}, ""),
            ("no chain", {"cert": cert("-----BEGIN CERTIFICATE-----\nxx\n")},
             "damaged"),
            ("no PEM", {"cert": cert("<html>")}, "PEM"))
        for i, (what, answer, want) in enumerate(cases):
            with self.subTest(what):
                self.ca.answer = answer
                self.renew(d)
                c = self.failed(d, i + 1)
                self.assertIn(want, c["last_error"])
                self.assertEqual(before, self.pair())
                self.assertEqual(shown, self.served())
                self.assertEqual([], glob.glob(self.state + "/certs/*.new"))
        self.ca.answer = {}
        self.renew(d)
        poll(lambda: self.served() != shown, 30, why=d.log.tail)
        self.assertEqual(0, self.cert(d)["failures"])

    def test_AC6_killed_at_every_step(self):
        conf = self.conf()
        for resource in ("newaccount", "neworder", "chall", "finalize",
                         "cert"):
            with self.subTest(resource):
                d = self.again(conf)
                before, shown = self.pair(), self.served()
                there, go = threading.Event(), threading.Event()

                def stall(ca, r):
                    there.set()
                    go.wait(30)
                self.ca.answer = {resource: stall}
                self.renew(d)
                self.assertTrue(there.wait(30), d.log.tail())
                d.remember()
                os.kill(d.pid, signal.SIGKILL)
                d.proc.wait(net.WAIT)
                go.set()
                d.kill()
                self.assertEqual(before, self.pair())
                self.assert_whole()
                self.ca.answer = {}
                d = self.start(conf)
                self.assertEqual(shown, self.served())
                # What was asked for is still wanted.
                poll(lambda: self.pair() != before, 30, why=d.log.tail)
                self.assert_whole()
                d.stop()
                shutil.rmtree(self.state)

    def test_AC6_full_disk(self):
        os.mkdir(self.state, 0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700",
                        "none", self.state], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.state])
        conf = self.conf()
        d = self.again(conf)
        before, shown = self.pair(), self.served()
        failures = 0
        for room in (0, 4096, 8192):     # key, chain, names
            with self.subTest(room=room):
                self.fill(room)
                self.renew(d)
                failures += 1
                self.failed(d, failures)
                self.assertEqual(before, self.pair())
                self.assertEqual(shown, self.served())
                os.unlink(self.state + "/fill")
        self.renew(d)
        poll(lambda: self.pair() != before, 30, why=d.log.tail)
        self.assert_whole()

    def fill(self, room):
        with open(self.state + "/fill", "wb", 0) as f:
            try:
                while f.write(b"x" * 4096):
                    pass
            except OSError:
                pass
            self.assertEqual(0, os.statvfs(self.state).f_bfree)
            os.ftruncate(f.fileno(), os.fstat(f.fileno()).st_size - room)

    def test_AC7_the_authority_says_when(self):
        conf = self.conf()
        d = self.again(conf)
        before = self.pair()
        d.stop()
        self.ca.answer["renewal"] = lambda ca, r: (
            200, {"Retry_After": "7200"}, acme_ca.window(-7200, -60))
        d = self.start(conf)
        self.ca.await_count("renewal", 1)
        poll(lambda: self.pair() != before, 30, why=d.log.tail)
        r = self.ca.orders[-1]["request"]
        self.assertRegex(r["replaces"], r"^[\w-]+\.[\w-]+$")

    def test_AC8_revoke(self):
        d = self.again(self.conf())
        before = self.pair()
        # Not while the authority is being asked when to renew.
        poll(lambda: d.ctl("revoke", "s").returncode == 0)
        self.ca.await_count("revokecert", 1)
        poll(lambda: self.pair() != before, 30, why=d.log.tail)

    def test_AC9_another_authority(self):
        second = acme_ca.CA(self.dir, certs.Authority(
            tempfile.mkdtemp(dir=self.dir)), self.plain)
        self.addCleanup(second.stop)
        os.chmod(os.path.dirname(second.ca_file), 0o755)
        with open(self.ca.ca_file, "a") as f, open(second.ca_file) as g:
            f.write(g.read())
        self.ca.answer["neworder"] = lambda ca, r: (500, {}, b"")
        d = self.start(self.conf(fallback=second.url("dir")))
        self.failed(d, 1)
        self.renew(d)
        self.failed(d, 2)
        self.renew(d)
        self.issued(d)
        self.assertEqual(1, second.count("neworder"))

    def test_AC9_staging_while_refused(self):
        second = acme_ca.CA(self.dir, certs.Authority(
            tempfile.mkdtemp(dir=self.dir)), self.plain)
        self.addCleanup(second.stop)
        with open(self.ca.ca_file, "a") as f, open(second.ca_file) as g:
            f.write(g.read())
        fetch, self.ca.fetch = self.ca.fetch, lambda *args: b"no"
        d = self.start(self.conf(staging=second.url("dir"),
                                 challenges=["http-01"]))
        self.assertIn("unauthorized", self.failed(d, 1)["last_error"])
        self.ca.fetch = fetch
        self.renew(d)
        self.issued(d)
        self.assertEqual((1, 2), (second.count("finalize"),
                                  self.ca.count("neworder")))

    def test_AC10_reload_meanwhile(self):
        """Whose names stay goes on; the others are dropped."""
        there, go = threading.Event(), threading.Event()

        def stall(ca, r):
            there.set()
            go.wait(30)
        self.ca.answer["neworder"] = stall
        conf = self.conf()
        d = self.start(conf)
        self.assertTrue(there.wait(30))
        (p,) = d.processes("acme")
        self.assertLessEqual({"uid", "chroot", "seccomp", "landlock"},
                             set(p["mechanisms"]))
        self.assertEqual("running", p["state"])
        self.assertEqual(0, d.ctl("reload").returncode)
        go.set()
        self.issued(d)
        self.assertEqual(1, self.ca.count("neworder"))

    def test_AC10_upgrade_meanwhile(self):
        """What is under way is dropped, and begun anew."""
        there, go = threading.Event(), threading.Event()

        def stall(ca, r):
            there.set()
            go.wait(30)
        self.ca.answer["neworder"] = stall
        d = self.start(self.conf())
        self.assertTrue(there.wait(30))
        r = d.ctl("upgrade")
        self.assertEqual((0, ""), (r.returncode, r.stderr))
        go.set()
        self.issued(d)
        poll(lambda: not d.processes("acme"))
        self.assert_whole()
        self.assertEqual(0, self.cert(d)["failures"])

    def test_AC11_names_changed(self):
        d = self.again(self.conf())
        d.stop()
        shown = self.pair()[0]
        self.ca.answer["neworder"] = lambda ca, r: (500, {}, b"")
        d = self.start(self.conf({"s": {"names": ["s.example", "t.example"],
                                        "root": self.dir + "/root"}}))
        # The old one is still better than none.
        self.failed(d)
        self.assertEqual(shown, self.pair()[0])
        self.assertEqual("Stand-in", self.cert(d)["issuer"])
        self.ca.answer = {}
        self.renew(d)
        poll(lambda: self.cert(d)["names"] == ["s.example", "t.example"], 30,
             why=d.log.tail)

    def test_AC13_on_renew_is_called_until_it_works(self):
        path = self.dir + "/hook"
        told = self.dir + "/told"
        with open(path, "w") as f:
            f.write("#!/bin/sh\n[ -e %s/ready ] || exit 1\n"
                    "cat \"$2\" \"$3\" >%s/$1\n" % (self.dir, told))
        os.chmod(path, 0o755)
        os.mkdir(told)
        os.chown(told, 64007, 64007)
        d = self.start(self.conf(on_renew=path))
        d.log.wait("on_renew failed", seconds=30)
        d.stop()
        open(self.dir + "/ready", "w").close()
        d = self.start(self.conf(on_renew=path))
        poll(lambda: os.path.exists(told + "/s") and
             open(told + "/s").read() == "".join(self.pair()), 30,
             why=d.log.tail)
        self.assertEqual(64007, os.stat(told + "/s").st_uid)
        d.log.wait("hook s: started")
        poll(lambda: "untold=0" in open(self.state + "/acme/s.state").read())
        mark = d.log.mark()
        self.assertEqual(0, d.ctl("reload").returncode)
        d.stop()
        self.assertNotIn("hook s: started", "\n".join(d.log.lines[mark:]))

    def test_AC12_what_is_kept_is_damaged(self):
        d = self.again(self.conf())
        d.stop()
        with open(self.state + "/certs/s/chain.pem", "w") as f:
            f.write("gone")
        self.ca.answer["neworder"] = lambda ca, r: (500, {}, b"")
        d = self.start(self.conf())
        self.assertTrue(self.served())
        self.assertTrue(self.cert(d)["self_signed"])
        self.failed(d)


class TestAcmeSecrets(AcmeCase):
    def test_P13_acme_and_master_hold_no_key(self):
        there, go = threading.Event(), threading.Event()

        def stall(ca, r):
            there.set()
            go.wait(30)
        conf = self.conf()
        d = self.again(conf)
        self.ca.answer["cert"] = stall
        self.renew(d)
        self.assertTrue(there.wait(30), d.log.tail())
        keys = glob.glob(self.state + "/certs/*/key.pem")
        self.assertGreaterEqual(len(keys), 2)
        # All of a kind begin alike, and end with the public key, which is in
        # the request, too.
        account = memscan.needles(glob.glob(self.state + "/acme/*.key"))
        public = {open(k, "rb").read().split(b"\n")[-3][:32] for k in keys}
        wanted = memscan.needles(keys)
        self.assertLessEqual(public, wanted)
        wanted -= account | public
        names = {int(p): open("/proc/%s/comm" % p).read().strip()
                 for p in map(str, harness.proc.children(d.pid))}
        self.assertIn("acme", names.values())
        for pid, name in names.items():
            hits, size = memscan.scan(pid, wanted)
            self.assertGreater(size, 100000)
            if name != "keys":
                self.assertEqual(0, hits, name)
        self.assertEqual(0, memscan.scan(d.pid, wanted)[0])
        # The control: its own key is found where it is.
        acme = [p for p, n in names.items() if n == "acme"][0]
        self.assertGreater(memscan.scan(acme, account)[0], 0)
        self.assertEqual(0, memscan.scan(d.pid, account)[0])
        go.set()
