"""ET*: what is installed beside the programs: completions, fail2ban's filter,
the script for init."""

import json
import os
import re
import shutil
import subprocess

import harness
import hello
import net
import proc
from harness import Case, L4MUXCTL, ROOT, free_port, poll

ETC = os.path.join(ROOT, "etc")
BASH = r"""
. "$1"; shift
complete -p l4muxctl >&2 || exit 1
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_l4muxctl
printf "%s\n" "${COMPREPLY[@]}"
"""


class TestCompletions(Case):
    @classmethod
    def configure(cls):
        cls.port = free_port()
        _, ups = cls.backends("one", "two")
        return {"listen": ("127.0.0.1:%d" % cls.port,), "upstreams": ups,
                "fallback": "one"}

    def commands(self):
        """As l4muxctl itself lists them."""
        r = subprocess.run([L4MUXCTL], capture_output=True, text=True)
        return set(r.stderr.partition("commands:")[2].split())

    def bash(self, *words):
        r = subprocess.run(
            ["bash", "--norc", "-c", BASH, "bash",
             os.path.join(ETC, "completions", "l4muxctl.bash"), *words],
            capture_output=True, text=True, timeout=net.WAIT,
            env={"PATH": os.path.dirname(L4MUXCTL) + ":" +
                 os.environ["PATH"]})
        self.assertEqual(0, r.returncode, r.stderr)
        self.assertEqual("complete -F _l4muxctl l4muxctl\n", r.stderr)
        return set(r.stdout.split())

    def test_ET1_bash_commands(self):
        self.assertEqual(self.commands() | {"-j", "-s"},
                         self.bash("l4muxctl", ""))
        self.assertEqual({"status", "stop"}, self.bash("l4muxctl", "st"))
        self.assertEqual({"status", "stop"},
                         self.bash("l4muxctl", "-j", "st"))

    def test_ET1_bash_arguments(self):
        sock = ("l4muxctl", "-s", self.daemon.control)
        self.assertEqual({"debug", "info", "warning", "error"},
                         self.bash(*sock, "log", ""))
        self.assertEqual({"one", "two", "undecided"},
                         self.bash(*sock, "sessions", ""))
        self.assertEqual({"two"}, self.bash(*sock, "sessions", "tw"))
        self.assertEqual({"-a", "-f", "-l", "-p", "-x"},
                         self.bash(*sock, "explain", "-"))
        self.assertEqual({"-w"}, self.bash(*sock, "renew", ""))
        self.assertEqual(set(), self.bash(*sock, "status", ""))
        with net.tcp(self.port) as s:
            s.sendall(b"SSH-2.0-x\r\n")
            net.read_exactly(s, 5)
            ids = {r["id"] for r in self.daemon.ask("sessions")["sessions"]}
            self.assertEqual(ids, self.bash(*sock, "kill", ""))

    def test_ET1_all_shells_know_all_commands(self):
        with open(os.path.join(ETC, "completions", "_l4muxctl")) as f:
            zsh = set(re.findall(r"^\t\t'([a-z]+):", f.read(), re.M))
        with open(os.path.join(ETC, "completions", "l4muxctl.fish")) as f:
            fish = set(re.findall(r"use_subcommand -a ([a-z]+)", f.read()))
        self.assertEqual(self.commands(), zsh)
        self.assertEqual(self.commands(), fish)

    def test_ET1_other_shells_read_theirs(self):
        ran = False
        for shell, name in (("zsh", "_l4muxctl"), ("fish", "l4muxctl.fish")):
            if shutil.which(shell):
                ran = True
                subprocess.run([shell, "-n", os.path.join(
                    ETC, "completions", name)], check=True)
        if not ran:
            self.skipTest("neither zsh nor fish is here")


class TestFail2ban(Case):
    def banned(self, lines):
        """The addresses fail2ban finds in the lines."""
        path = os.path.join(self.dir, "log")
        with open(path, "w") as f:
            f.write("".join(s + "\n" for s in lines))
        r = subprocess.run(
            ["fail2ban-regex", "-o", "<ip>", path,
             os.path.join(ETC, "fail2ban", "filter.d", "l4mux.conf")],
            capture_output=True, text=True, timeout=net.WAIT * 2)
        self.assertEqual("", r.stderr)
        return r.stdout.split()

    def lines(self, format):
        port = free_port()
        b = self.keep(net.Backend("one"))
        d = self.start({"listen": ("127.0.0.1:%d" % port,),
                        "upstreams": {"one": {"address": b.address}},
                        "routes": ({"sni": "a.example", "to": "one"},),
                        "fallback": "close", "log": {"format": format}})
        odd = b"conn id=1 from=9.9.9.9:1 listen=x to=y " \
            b"reason=fallback:malformed "
        net.exchange(port, hello.hello("a..b"), source="127.0.0.2")
        net.exchange(port, hello.hello("a.example", (odd,)),
                     source="127.0.0.3")
        net.exchange(port, hello.hello("z.example"), source="127.0.0.4")
        for n in (2, 3, 4):
            d.log.wait(r"127\.0\.0\.%d:" % n)
        return list(d.log.lines)

    def test_ET2_only_who_breaks_the_rules(self):
        if not shutil.which("fail2ban-regex"):
            self.skipTest("fail2ban is missing")
        self.dir = harness.workdir(self.mode)
        self.addCleanup(shutil.rmtree, self.dir)
        for format in ("text", "json"):
            lines = self.lines(format)
            self.assertEqual(["127.0.0.2"], self.banned(lines))
            head = "Nov 22 04:00:00 host l4mux[12]: "
            self.assertEqual(["127.0.0.2"],
                             self.banned([head + s for s in lines]))


class TestRcScript(Case):
    """ET3: etc/rc.d/l4muxd, for a Debian without systemd."""

    def setUp(self):
        self.port = free_port()
        self.backend = net.Backend("one")
        self.addCleanup(self.backend.stop)
        self.dir = harness.workdir(self.mode)
        self.addCleanup(shutil.rmtree, self.dir)
        self.conf = os.path.join(self.dir, "l4mux.conf")
        self.control = os.path.join(self.dir, "ctl.sock")
        self.write()
        sbin = os.path.join(self.dir, "sbin")
        os.mkdir(sbin)
        # The script has the usual places: these stand for them.
        self.program(sbin + "/l4muxctl", "exec %s -s %s \"$@\"" % (
            L4MUXCTL, self.control))
        self.program(sbin + "/l4muxd", "exec %s \"$@\" 2>>%s/log" % (
            harness.L4MUXD, self.dir))
        with open(os.path.join(ETC, "rc.d", "l4muxd")) as f:
            text = f.read()
        for old, new in (("@SBIN@", sbin), ("/etc/l4mux.conf", self.conf),
                         ("/etc/default/l4muxd", self.dir + "/default")):
            self.assertIn(old, text)
            text = text.replace(old, new)
        self.script = os.path.join(self.dir, "l4muxd")
        with open(self.script, "w") as f:
            f.write(text)
        os.chmod(self.script, 0o755)

    def write(self, more=""):
        harness.write_conf(self.conf, harness.conf_text({
            "listen": ("127.0.0.1:%d" % self.port,),
            "upstreams": {"one": {"address": self.backend.address}},
            "fallback": "one", "control": self.control,
            "state": self.dir + "/state",
            **({"users": harness.USERS} if self.mode == "root" else {}),
            }) + more)

    def program(self, path, text):
        with open(path, "w") as f:
            f.write("#!/bin/sh\n%s\n" % text)
        os.chmod(path, 0o755)

    def rc(self, *words):
        r = subprocess.run([*harness.as_user(self.mode), self.script, *words],
                           capture_output=True, text=True,
                           stdin=subprocess.DEVNULL, timeout=net.WAIT * 3)
        return r.returncode, r.stdout

    def pid(self):
        r = subprocess.run([L4MUXCTL, "-s", self.control, "-j", "status"],
                           capture_output=True, text=True)
        return json.loads(r.stdout)["pid"] if r.returncode == 0 else None

    OK, FAILED = "l4muxd(ok)\n", "l4muxd(failed)\n"

    def test_ET3_from_start_to_stop(self):
        self.assertEqual((1, self.FAILED), self.rc("check"))
        self.assertEqual((0, self.OK), self.rc("stop"))     # nothing to do
        self.assertEqual((0, self.OK), self.rc("configtest"))
        try:
            self.assertEqual((0, self.OK), self.rc("start"))
            pid = self.pid()
            self.assertEqual("one", net.who(self.port, b"x"))
            self.assertEqual((0, self.OK), self.rc("status"))
            self.assertEqual((0, self.OK), self.rc("start"))
            self.assertEqual(pid, self.pid())
            self.assertEqual((0, self.OK), self.rc("reload"))
            self.write("nonsense = 1;\n")
            for what in ("configtest", "reload", "restart"):
                self.assertEqual(1, self.rc(what)[0], what)
            self.assertEqual("one", net.who(self.port, b"x"))
            self.assertEqual(pid, self.pid())
            self.write()
            self.assertEqual((0, self.OK * 2), self.rc("restart"))
            self.assertNotIn(self.pid(), (None, pid))
        finally:
            pid = self.pid()
            self.assertEqual((0, self.OK), self.rc("stop"))
        self.assertEqual((1, self.FAILED), self.rc("status"))
        poll(lambda: not proc.alive(pid))

    def test_ET3_what_does_not_start(self):
        self.write("nonsense = 1;\n")
        self.assertEqual((1, self.FAILED), self.rc("start"))
        with open(self.dir + "/log") as f:
            self.assertRegex(f.read(), r"l4mux\.conf:\d+: .*nonsense")
        self.assertEqual((2, ""), self.rc("dance"))
        self.assertEqual((2, ""), self.rc())

    def test_ET3_flags_of_the_machine(self):
        """/etc/default/l4muxd: -n starts nothing, and the script sees it."""
        with open(self.dir + "/default", "w") as f:
            f.write("daemon_flags=-n\n")
        self.assertEqual(0, self.rc("start")[0])
        self.assertEqual((1, self.FAILED), self.rc("check"))
