"""CT*: the control socket and l4muxctl."""

import grp
import json
import os
import re
import socket
import subprocess
import tempfile

import harness
import hello
import net
from harness import Case, L4MUXCTL, free_port

SANDBOX = ("seccomp", "landlock", "no_new_privs")


class TestControl(Case):
    @classmethod
    def configure(cls):
        cls.port = free_port()
        _, ups = cls.backends("one", "two")
        return {
            "listen": ("127.0.0.1:%d" % cls.port,),
            "upstreams": ups,
            "routes": (
                {"sni": ["a.example", "*.a.example"], "to": "one"},
                {"sni": "b.example", "not": {"alpn": "h2"}, "to": "two"},
                {"from": "198.51.100.0/24", "to": "reset"},
                {"protocol": "ssh", "to": "close", "log": False},
            ),
            "fallback": "one",
            "limits": {"hello_timeout": 5.0},
        }

    def raw(self, data, shut=True):
        """What the daemon answers to these bytes."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(net.WAIT)
            s.connect(self.daemon.control)
            try:
                s.sendall(data)
                if shut:
                    s.shutdown(socket.SHUT_WR)
            except BrokenPipeError:
                pass
            return net.read_end(s)[0]

    def alive(self):
        self.assertTrue(self.daemon.status()["ok"])
        self.assertEqual("one", net.who(self.port, hello.hello("a.example")))

    # status and the rest, as documents

    def test_CT0_status_document(self):
        doc = self.daemon.status()
        self.assertRegex(doc["version"], r"^\d+\.\d+\.\d+$")
        self.assertEqual(self.daemon.pid, doc["pid"])
        self.assertEqual("running", doc["state"])
        self.assertEqual(self.mode == "root", doc["privileged"])
        self.assertEqual("strict", doc["sandbox"])
        self.assertEqual(self.daemon.conf_path, doc["config"])
        self.assertGreaterEqual(doc["uptime_s"], 0)
        self.assertEqual([doc["generation"]],
                         [g["id"] for g in doc["generations"]])
        self.assertEqual(["127.0.0.1:%d" % self.port],
                         doc["listeners"][0]["addresses"])
        self.assertEqual(["one", "two"], [t["name"] for t in doc["targets"]])
        self.assertEqual(5, doc["limits"]["hello_timeout_s"])
        self.assertEqual(self.mode != "root", bool(doc["warnings"]))

    def test_CT0_status_names_every_process(self):
        doc = self.daemon.status()
        listed = {p["pid"] for p in doc["processes"]}
        real = set(harness.proc.children(self.daemon.pid)) | {doc["pid"]}
        self.assertEqual(real, listed)
        self.assertEqual("master", doc["processes"][0]["role"])
        for p in doc["processes"]:
            self.assertEqual("running", p["state"])
            self.assertGreater(p["rss_kib"], 0)
            self.assertEqual(0, p["restarts"])

    def test_CT0_status_tells_the_sandbox(self):
        want = set(SANDBOX)
        if self.mode == "root":
            want |= {"uid", "chroot"}
        for p in self.daemon.processes():
            if p["role"] == "master":
                continue
            self.assertLessEqual(want, set(p["mechanisms"]), p["role"])
            self.assertGreaterEqual(p["landlock_abi"], 1)
            self.assertEqual("2", harness.proc.status(p["pid"], "Seccomp"))
            self.assertEqual("1", harness.proc.status(p["pid"], "NoNewPrivs"))
            self.assertEqual("0000000000000000",
                             harness.proc.status(p["pid"], "CapEff"))

    def test_CT0_each_role_its_uid(self):
        if self.mode != "root":
            return
        for p in self.daemon.processes():
            uids = set(harness.proc.status(p["pid"], "Uid").split())
            want = "0" if p["role"] == "master" else harness.USERS[p["role"]]
            self.assertEqual({want}, uids)

    def test_CT0_routes_document(self):
        doc = self.daemon.ask("routes")
        self.assertEqual([
            ("sni a.example *.a.example", "one", True),
            ("sni b.example, not (alpn h2)", "two", True),
            ("from 198.51.100.0/24", "reset", True),
            ("protocol ssh", "close", False),
        ], [(r["text"], r["to"], r["log"]) for r in doc["routes"]])
        self.assertEqual([1, 2, 3, 4], [r["rule"] for r in doc["routes"]])
        self.assertEqual({"unknown", "silent", "malformed", "oversized"},
                         set(doc["fallback"]))
        for f in doc["fallback"].values():
            self.assertEqual(("one", "upstream"), (f["to"], f["kind"]))

    def test_CT0_upstreams_document(self):
        doc = self.daemon.ask("upstreams")
        self.assertEqual(["one", "two"], [u["name"] for u in
                                          doc["upstreams"]])
        for u in doc["upstreams"]:
            self.assertEqual("none", u["send_proxy"])
            self.assertEqual("round-robin", u["balance"])
            self.assertEqual(1, len(u["backends"]))

    # explain

    def explained(self, *words):
        return self.daemon.ask(" ".join(("explain",) + words))

    def test_EX1_which_rule(self):
        for words, to, reason in (
                (("sni=a.example",), "one", "route:1"),
                (("sni=X.A.EXAMPLE.",), "one", "route:1"),
                (("sni=b.example",), "two", "route:2"),
                (("sni=b.example", "alpn=http/1.1"), "two", "route:2"),
                (("sni=b.example", "alpn=h2"), "one", "fallback:unknown"),
                (("sni=z.example", "from=198.51.100.7"), "reset", "route:3"),
                (("proto=ssh",), "close", "route:4"),
                (("malformed=1",), "one", "fallback:malformed"),
                (("host=a.example",), "one", "fallback:unknown")):
            doc = self.explained(*words)
            self.assertEqual(("take", to, reason),
                             (doc["verdict"], doc["to"], doc["reason"]),
                             words)

    def test_EX2_every_rule_tried(self):
        doc = self.explained("sni=b.example", "alpn=h2")
        self.assertEqual([(1, "sni"), (2, "not"), (3, "from"),
                          (4, "protocol")],
                         [(r["rule"], r["no"]) for r in doc["rules"]])
        doc = self.explained("sni=b.example")
        self.assertEqual([(1, "sni"), (2, "")],
                         [(r["rule"], r["no"]) for r in doc["rules"]])

    def test_EX3_not_decided(self):
        doc = self.explained("wait=tls", "wait=ssh", "need=5")
        self.assertEqual(("wait", 5), (doc["verdict"], doc["need"]))

    def test_EX4_refused_words(self):
        for words in (("sni",), ("nope=1",), ("sni=a..b",), ("from=x",),
                      ("from=1.2.3.4/8",), ("proto=gopher",),
                      ("listen=:1",), ("malformed=2",), ("need=-1",),
                      ("hello=maybe",), ("alpn=",)):
            doc = self.explained(*words)
            self.assertFalse(doc["ok"], words)
            self.assertIn(words[0], doc["error"])

    def test_EX5_recorded_bytes(self):
        cases = ((hello.hello("a.example"), 0, "one"),
                 (hello.hello("b.example", ("h2",)), 0, "fallback:unknown"),
                 (hello.hello("b.example"), 0, "two"),
                 (b"SSH-2.0-x\r\n", 0, "close"),
                 (hello.hello("a..b"), 0, "fallback:malformed"),
                 (hello.hello("a.example")[:50], 0, "wait for"),
                 (b"", 0, "wait for"))
        for data, code, want in cases:
            with tempfile.NamedTemporaryFile() as f:
                f.write(data)
                f.flush()
                r = self.daemon.ctl("explain", "-x", f.name)
                self.assertEqual(code, r.returncode, r.stderr)
                self.assertIn(want, r.stdout.splitlines()[0])

    def test_EX6_from_the_command_line(self):
        r = self.daemon.ctl("explain", "-a", "h2", "-f", "198.51.100.1",
                            "-l", "127.0.0.1:%d" % self.port, "b.example")
        self.assertEqual(0, r.returncode, r.stderr)
        self.assertRegex(r.stdout, r"^reset  \(route:3, line \d+\)\n")
        self.assertIn("no: not", r.stdout)
        self.assertIn("takes it", r.stdout)
        r = self.daemon.ctl("explain", "-p", "ssh")
        self.assertTrue(r.stdout.startswith("close  (route:4"), r.stdout)

    # l4muxctl

    def test_CT8_text_of_every_command(self):
        for command, words in (
                ("status", ("l4mux ", "running", "one", "worker.0",
                            "proxy.two.0", "seccomp")),
                ("routes", ("sni a.example *.a.example", "fallback",
                            "oversized")),
                ("upstreams", ("one", "round-robin")),
                ("sessions", ()),
                ("metrics", ("l4mux_generation 1", "# EOF"))):
            r = self.daemon.ctl(command)
            self.assertEqual((0, ""), (r.returncode, r.stderr))
            for w in words:
                self.assertIn(w, r.stdout)
            for line in r.stdout.splitlines():
                self.assertEqual(line, line.rstrip())

    def test_CT8_status_fits_a_screen(self):
        lines = self.daemon.ctl("status").stdout.splitlines()
        self.assertLess(len(lines), 24)
        wide = [s for s in lines if len(s) > 80 and
                not s.startswith(("config", "warning"))]
        self.assertEqual([], wide)

    def test_CT8_json_is_the_document(self):
        some = {"explain": ("a.example",), "log": ("info",)}
        for command in ("status", "routes", "upstreams", "explain", "log",
                        "sessions", "metrics"):
            args = some.get(command, ())
            r = self.daemon.ctl("-j", command, *args)
            self.assertEqual((0, ""), (r.returncode, r.stderr))
            self.assertTrue(json.loads(r.stdout)["ok"])
            self.assertTrue(r.stdout.startswith('{"ok":true,'))
            self.assertTrue(r.stdout.isascii())

    def documented(self, command):
        """Words of that command's section of docs/control.md, between the
        headings; a process has its counters from common/stats.h."""
        with open(os.path.join(harness.ROOT, "docs", "control.md")) as f:
            text = f.read()
        section = re.search(r"^## %s\n(.*?)(?=^## |\Z)" % command, text,
                            re.M | re.S)
        self.assertTrue(section, "no section on " + command)
        return set(re.findall(r"\w+", section[1])) | {"ok"}

    def members(self, doc, skip):
        """Names of all members of a document, however deep."""
        if isinstance(doc, list):
            for x in doc:
                yield from self.members(x, skip)
        elif isinstance(doc, dict):
            for k, v in doc.items():
                yield k
                if k not in skip:
                    yield from self.members(v, skip)

    def test_CT8_every_member_is_documented(self):
        s = net.tcp(self.port)          # somebody to be listed
        self.addCleanup(s.close)
        s.sendall(hello.hello("a.example"))
        net.read_line(s)
        for command in ("status", "routes", "upstreams", "sessions",
                        "metrics", "explain", "log info"):
            doc = self.daemon.ask(command)
            self.assertTrue(doc["ok"], doc)
            got = set(self.members(doc, {"counters", "labels"}))
            self.assertEqual(set(), got - self.documented(
                command.split()[0]), command)

    def test_CT8_exit_codes(self):
        for args, code in (
                (("status",), 0),
                (("explain", "-f", "nowhere", "x.example"), 1),
                (("explain", "-x", "/nonexistent"), 1),
                ((), 2), (("nonsense",), 2), (("status", "extra"), 2),
                (("-z", "status"), 2), (("explain",), 2),
                (("kill",), 2), (("kill", "1", "2"), 2), (("log",), 2),
                (("sessions", "a", "b"), 2), (("-j", "top"), 2),
                (("kill", "none"), 1), (("log", "loud"), 1),
                (("sessions", "nowhere"), 1), (("top",), 1),
                (("explain", "a", "b"), 2), (("explain", "-q", "a"), 2),
                (("renew",), 2), (("renew", "a", "b"), 2),
                (("renew", "-q", "a"), 2), (("renew", "-w", "x", "a"), 2),
                (("renew", "-w", "3601", "a"), 2), (("renew", "a"), 1),
                (("explain", "-x", "/dev/null", "a"), 2),
                (("explain", "-a", "h2", "-x", "/dev/null"), 2),
                (("-s", "/nonexistent/socket", "status"), 3),
                (("-s", "/" + "x" * 200, "status"), 3),
                (("-s", "/dev/null", "status"), 3)):
            r = self.daemon.ctl(*args)
            self.assertEqual(code, r.returncode, (args, r.stderr))
            self.assertEqual(code != 0, bool(r.stderr), args)
            if code:
                self.assertEqual("", r.stdout)

    def test_CT8_a_stranger_answers(self):
        """What is no l4muxd is not believed."""
        path = os.path.join(tempfile.mkdtemp(prefix="l4mux-ctl-"), "s")
        for answer in (b"", b"{", b"[]\n", b'{"ok":1}\n', b"\x1b[2Jhi\n"):
            with net.listener(path=path) as s:
                p = subprocess.Popen(
                    [L4MUXCTL, "-s", path, "status"],
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                c, _ = s.accept()
                net.read_line(c)
                c.sendall(answer)
                c.close()
                out, err = p.communicate(timeout=net.WAIT)
            os.unlink(path)
            self.assertEqual((3, b""), (p.returncode, out), answer)
            self.assertNotIn(b"\x1b", err)
        os.rmdir(os.path.dirname(path))

    def test_CT8_output_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            r = subprocess.run([L4MUXCTL, "-s", self.daemon.control,
                                "status"], stdout=full,
                               stderr=subprocess.PIPE)
        self.assertEqual(1, r.returncode)

    # hostile clients

    def test_CT1_others_are_refused(self):
        mode = os.stat(self.daemon.control).st_mode & 0o777
        self.assertEqual(0o660, mode)
        if self.mode != "root":
            return
        r = self.daemon.ctl("status", user="user")
        self.assertEqual(3, r.returncode)
        # Not by the mode alone: before a byte is read.
        os.chmod(self.daemon.control, 0o666)
        try:
            r = self.daemon.ctl("status", user="user")
            self.assertEqual(3, r.returncode)
            self.assertEqual("", r.stdout)
        finally:
            os.chmod(self.daemon.control, 0o660)
        self.alive()

    def test_CT1_group_is_let_in(self):
        try:
            gid = grp.getgrnam("l4mux").gr_gid
        except KeyError:
            return
        if self.mode != "root":
            return
        cmd = ["setpriv", "--reuid=%d" % harness.NOBODY,
               "--regid=%d" % harness.NOBODY, "--groups=%d" % gid, "--"]
        r = subprocess.run([*cmd, L4MUXCTL, "-s", self.daemon.control,
                            "status"], capture_output=True)
        self.assertEqual(0, r.returncode, r.stderr)

    def test_CT2_garbage(self):
        for data in (b"\n", b" \n", b"\0\n", b"status\0\n", b"\xff\xfe\n",
                     b"status\r\n", b"status%\n", b"status%0\n",
                     b"status%00\n", b"status%zz\n", b"STATUS\n",
                     b"status extra\n", b"nonsense\n", b"explain \x1b\n",
                     b"x " * 97 + b"\n", b"x" * 4095 + b"\n",
                     b"x" * 4096 + b"\n", b"\n" * 100):
            doc = json.loads(self.raw(data))
            self.assertFalse(doc["ok"], data)
            self.assertTrue(doc["error"])
        self.alive()

    def test_CT2_no_newline(self):
        self.assertEqual(b"", self.raw(b"stat"))
        self.assertEqual(b"", self.raw(b""))
        got = self.raw(b"x" * (1 << 20))
        self.assertTrue(got == b"" or not json.loads(got)["ok"])
        self.alive()

    def test_CT2_idle_client_is_dropped(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(net.WAIT)
            s.connect(self.daemon.control)
            s.sendall(b"sta")
            self.assertEqual(b"", net.read_end(s)[0])
        self.alive()

    def test_CT4_many_idle_clients(self):
        held = []
        try:
            for i in range(1000):
                s = socket.socket(socket.AF_UNIX)
                s.settimeout(net.WAIT)
                held.append(s)
                try:
                    s.connect(self.daemon.control)
                except BlockingIOError:
                    break
                if i % 100 == 0:
                    self.alive()
            self.alive()
        finally:
            for s in held:
                s.close()

    def test_CT4_slow_reader(self):
        held = []
        for i in range(50):
            s = socket.socket(socket.AF_UNIX)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            s.connect(self.daemon.control)
            s.sendall(b"status\n")
            held.append(s)
        self.alive()
        for s in held:
            s.close()
        self.alive()

    def test_CT4_client_that_goes_away(self):
        for i in range(50):
            s = socket.socket(socket.AF_UNIX)
            s.connect(self.daemon.control)
            s.sendall(b"status\n")
            s.close()
        self.alive()


class TestControlPath(Case):
    """CT5: what is at the socket's path when the daemon starts."""

    def conf(self, **more):
        port = free_port()
        return {"listen": ("127.0.0.1:%d" % port,), "fallback": "close",
                "upstreams": {"u": {"address": "127.0.0.1:9"}}, **more}

    def refused(self, prepare, dir=None):
        dir = dir or harness.workdir(self.mode)
        self.addCleanup(subprocess.run, ["rm", "-rf", dir])
        path = os.path.join(dir, "ctl.sock")
        prepare(path)
        before = os.lstat(path) if os.path.lexists(path) else None
        with self.assertRaisesRegex(AssertionError, "exited 1"):
            self.start_keeping(dir)
        return path, before

    def start_keeping(self, dir):
        """Like start(), but the directory stays when it fails."""
        class Kept(harness.Daemon):
            def clean(self):
                self.notify.close()
                self.log.join(net.WAIT)
                self.proc.stderr.close()
                for n in ("notify", "l4mux.conf"):
                    os.unlink(os.path.join(self.dir, n))
        d = Kept(self.conf(), self.mode, dir=dir)
        d.kill()

    def test_CT5_file_or_symlink(self):
        def regular(path):
            open(path, "w").close()

        def symlink(path):
            os.symlink("/nonexistent", path)
        for prepare in (regular, symlink):
            path, before = self.refused(prepare)
            self.assertEqual(before.st_ino, os.lstat(path).st_ino)

    def test_CT5_directory_for_all(self):
        dir = harness.workdir(self.mode)
        os.chmod(dir, 0o777)
        self.refused(lambda path: None, dir)

    def test_CT5_a_living_one_stays(self):
        d = self.start(self.conf())
        before = os.lstat(d.control).st_ino
        with self.assertRaisesRegex(AssertionError, "exited 1"):
            harness.Daemon(self.conf(control=d.control), self.mode)
        self.assertEqual(before, os.lstat(d.control).st_ino)
        self.assertTrue(d.status()["ok"])

    def test_CT5_stale_socket_is_replaced(self):
        dir = harness.workdir(self.mode)
        s = socket.socket(socket.AF_UNIX)
        path = os.path.join(dir, "ctl.sock")
        s.bind(path)
        s.close()
        owner = os.stat(dir)
        os.chown(path, owner.st_uid, owner.st_gid)
        d = self.start(self.conf(), dir=dir)
        self.assertTrue(d.status()["ok"])


class TestEscaping(Case):
    """CT7: no byte of a client drives a log, a terminal or a parser."""

    @classmethod
    def configure(cls):
        cls.port = free_port()
        _, ups = cls.backends("one")
        return {"listen": ("127.0.0.1:%d" % cls.port,), "upstreams": ups,
                "fallback": "one", "routes": (
                    {"sni": "a.example", "to": "one"},)}

    def test_CT7_alpn_in_the_log(self):
        mark = self.daemon.log.mark()
        odd = b'\n\x1b[2J"%n\\ \x9b\xff='
        net.who(self.port, hello.hello("a.example", [odd]))
        line = self.daemon.log.wait(r"sni=a\.example", mark)
        self.assertRegex(line, r"^[\x20-\x7e]*$")
        self.assertIn(r"\x1b", line)
        self.assertEqual(1, len([s for s in self.daemon.log.lines[mark:]
                                 if "conn " in s]))
        self.assertTrue(all(re.match(r"^[\x20-\x7e]*$", s)
                            for s in self.daemon.log.lines[mark:]))

    def test_CT7_explain_quotes_what_was_asked(self):
        r = self.daemon.ctl("explain", "\x1b]0;x\x07\n.example")
        self.assertEqual(1, r.returncode)
        self.assertRegex(r.stderr, r"^[\x20-\x7e]*\n$")
        self.assertIn(r"\x5cx1b", r.stderr)     # escaped by both
        r = self.daemon.ctl("-j", "explain", "\x9b\xff\xe9.example")
        self.assertEqual(1, r.returncode)
        self.assertTrue(r.stdout.isascii())

    def test_CT7_answers_are_escaped_when_printed(self):
        """Strings of the document that would clear a screen."""
        doc = {"ok": True, "version": "\x1b[2J", "state": "\x9b2J",
               "warnings": ["\x1b]0;x\x07"], "config": "a\nb",
               "targets": [{"name": "\r\x08\x7f", "kind": "\u202e"}],
               "processes": [{"role": "\x1b", "name": "\n", "pid": 1,
                              "mechanisms": ["\x1b[31m"]}],
               "listeners": [{"name": "\x00\x1b"}]}
        path = os.path.join(tempfile.mkdtemp(prefix="l4mux-ctl-"), "s")
        with net.listener(path=path) as s:
            p = subprocess.Popen([L4MUXCTL, "-s", path, "status"],
                                 stdout=subprocess.PIPE)
            c, _ = s.accept()
            net.read_line(c)
            c.sendall(json.dumps(doc).encode())
            c.close()
            out, _ = p.communicate(timeout=net.WAIT)
        os.unlink(path)
        os.rmdir(os.path.dirname(path))
        self.assertEqual(0, p.returncode)
        self.assertRegex(out.decode("latin-1"), r"^[\x20-\x7e\n]*$")
