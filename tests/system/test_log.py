"""LG*: the line of a connection, its formats, and a log that is stuck."""

import json
import os
import re
import socket
import stat
import subprocess

import harness
import hello
import net
from harness import Case, free_port, poll

FIELDS = ("id", "from", "listen", "to", "reason", "sni", "alpn", "in", "out",
          "ms", "end")


class LogCase(Case):
    def conf(self, **log):
        self.port = free_port()
        b = net.Backend("one")
        self.addCleanup(b.stop)
        return {"listen": ("127.0.0.1:%d" % self.port,),
                "upstreams": {"one": {"address": b.address}},
                "routes": ({"sni": "a.example", "to": "one"},),
                "fallback": "close", "log": log}

    def say(self, name="a.example", alpn=("h2", "x y")):
        data = hello.hello(name, alpn)
        net.exchange(self.port, data)
        return data


class TestLog(LogCase):
    def test_LG1_fields_of_the_text_line(self):
        d = self.start(self.conf())
        data = self.say()
        line = d.log.wait("conn ")
        keys = re.findall(r" ([a-z]+)=", line)
        self.assertEqual(list(FIELDS), keys)
        self.assertRegex(line, r" to=one reason=route:1 sni=a\.example ")
        self.assertRegex(line, r" in=%d out=%d " % (len(data),
                                                    len(data) + 9))

    def test_LG2_same_fields_in_json(self):
        d = self.start(self.conf(format="json"))
        data = self.say()
        doc = json.loads(d.log.wait(r'"sni"'))
        self.assertLessEqual(set(FIELDS), set(doc))
        self.assertEqual(("one", "route:1", "a.example", len(data), "fin"),
                         (doc["to"], doc["reason"], doc["sni"], doc["in"],
                          doc["end"]))
        for line in d.log.lines:        # every line, not this one alone
            json.loads(line)

    def test_LG2_json_of_odd_bytes(self):
        d = self.start(self.conf(format="json"))
        self.say(alpn=(b'"\\\n\x00\xff', "h2"))
        doc = json.loads(d.log.wait(r'"sni"'))
        self.assertRegex(doc["alpn"], r"^[\x20-\x7e]*$")

    def test_LG3_no_connections(self):
        d = self.start(self.conf(connections=False))
        self.say()
        d.assert_books()
        d.stop()
        self.assertFalse([s for s in d.log.lines if "a.example" in s])

    def test_LG3_level(self):
        d = self.start(self.conf(level="error"))
        self.say()
        d.log.wait("conn ")             # its line has no level
        self.assertFalse([s for s in d.log.lines if "ready" in s])

    def test_LG3_verbose(self):
        d = self.start(self.conf(level="error"), args=("-d", "-v"))
        d.log.wait("ready")

    def test_LG4_a_reader_that_stops(self):
        """Nobody reads the log: connections go on, lines are counted."""
        r, w = os.pipe()
        self.addCleanup(os.close, r)
        conf = self.conf()
        d = self.start(conf, wrap=("bash", "-c", 'exec "$@" 2>&%d' % w,
                                   "bash"), pass_fds=(w,))
        os.close(w)
        for i in range(1500):           # a pipe holds some 400 lines
            self.assertEqual("one", net.who(self.port, hello.hello()))
        poll(lambda: d.counter("proxy", "log_dropped") > 0,
             why="no line was dropped")
        d.assert_books()


class TestFlood(LogCase):
    """RE9: lines nobody wants are limited, and the rest is counted."""

    def flood(self, n, **log):
        d = self.start({**self.conf(**log), "processes": {"worker": 1}})
        for i in range(n):
            net.exchange(self.port, hello.hello("a..b"))
        d.assert_books()
        return d

    def conns(self, d, reason):
        return [s for s in d.log.lines if re.search(
            r'(event":"|^)conn\b.*reason(=|":")' + reason, s)]

    def total(self, d, n):
        """Lines that were written and those that are said to be missing."""
        def left():
            return sum(int(re.search(r"lines=(\d+)", s).group(1))
                       for s in d.log.lines if s.startswith("more "))
        poll(lambda: len(self.conns(d, "fallback:malformed")) + left() == n,
             why=lambda: d.log.tail())
        return left()

    def test_RE9_summary(self):
        d = self.flood(60, rate=2)
        left = self.total(d, 60)
        self.assertGreater(left, 0)
        self.assertEqual(left, d.counter("worker", "log_limited"))
        self.assertEqual(0, d.counter("worker", "log_dropped"))

    def test_RE9_no_limit(self):
        d = self.flood(150, rate=0)
        self.assertEqual(0, self.total(d, 150))

    def test_RE9_a_summary_comes_without_another_line(self):
        d = self.flood(10, rate=1)
        d.log.wait(r"^more reason=fallback:malformed lines=\d+$")

    def test_RE9_json(self):
        d = self.flood(30, rate=1, format="json")
        doc = json.loads(d.log.wait(r'"event":"more"'))
        self.assertEqual("fallback:malformed", doc["reason"])
        self.assertGreater(doc["lines"], 0)

    def test_RE9_others_are_not_limited(self):
        d = self.start(self.conf(rate=1))
        for i in range(30):
            net.exchange(self.port, hello.hello("a..b"))
            self.say(alpn=())
        poll(lambda: len(self.conns(d, "route:1")) == 30)


class TestStuckLog(LogCase):
    """DK1: whatever becomes of standard error, connections go on."""

    def into(self, path, flags=">>"):
        return self.start(self.conf(), wrap=(
            "bash", "-c", 'p=$1; shift; exec "$@" 2%s"$p"' % flags, "bash",
            path))

    def serves(self, n=20):
        for i in range(n):
            self.assertEqual("one", net.who(self.port, hello.hello()))

    def folder(self):
        d = harness.workdir(self.mode)
        self.addCleanup(subprocess.run, ["rm", "-rf", d])
        return d

    def conf(self, **log):
        return {**super().conf(**log), "fallback": "one"}

    def test_DK1_full(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        d = self.into("/dev/full")
        self.serves()
        poll(lambda: d.counter("proxy", "log_dropped") >= 20)

    def test_DK1_a_full_file_system(self):
        """Half lines are ended, and there is no gap when it has room again."""
        dir = self.folder()
        if os.geteuid() != 0 or subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=8k,mode=777", "tmpfs",
                 dir], capture_output=True).returncode:
            self.skipTest("cannot mount")
        self.addCleanup(subprocess.run, ["umount", dir])
        path = os.path.join(dir, "log")
        d = self.into(path)
        with open(os.path.join(dir, "ballast"), "wb") as f:
            try:
                f.write(b"x" * 65536)
            except OSError:
                pass
        self.serves(100)

        def whole():
            with open(path) as f:
                return [s for s in f.read().splitlines()
                        if re.match(r"conn id=.* end=\w+$", s)]
        # A line is written after its client has seen the end.
        poll(lambda: d.counter("proxy", "log_dropped") + len(whole()) >= 100)
        before = d.counter("proxy", "log_dropped")
        self.assertGreater(before, 0)
        subprocess.run(["mount", "-o", "remount,size=1m", dir], check=True)
        self.serves(20)
        self.assertEqual(before, d.counter("proxy", "log_dropped"))
        d.assert_books()
        with open(path) as f:
            lines = f.read().splitlines()
        self.assertGreaterEqual(len(whole()), 20)
        self.assertFalse([s for s in lines if s.count("conn id=") > 1])
        self.assertTrue(all(re.match(r"conn id=", s)
                            for s in lines[-20:]), lines[-20:])

    def test_DK1_fifo_without_a_reader(self):
        path = os.path.join(self.folder(), "fifo")
        os.mkfifo(path)
        os.chmod(path, 0o666)
        d = self.into(path, "<>")
        self.serves(20)
        d.assert_books()

    def test_DK1_a_reader_that_goes(self):
        r, w = os.pipe()
        d = self.start(self.conf(), wrap=(
            "bash", "-c", 'exec "$@" 2>&%d' % w, "bash"), pass_fds=(w,))
        os.close(w)
        os.close(r)
        self.serves(5)
        poll(lambda: d.counter("proxy", "log_dropped") >= 5)

    def test_DK4_copied_and_truncated(self):
        path = os.path.join(self.folder(), "log")
        open(path, "w").close()
        os.chmod(path, 0o666)
        d = self.into(path)
        self.serves(3)
        poll(lambda: open(path).read().count("conn id=") == 3)
        os.truncate(path, 0)
        self.serves(2)
        poll(lambda: open(path).read().count("conn id=") == 2)
        with open(path, "rb") as f:
            self.assertNotIn(b"\0", f.read())
        d.assert_books()


class TestSyslog(LogCase):
    """DK2: /dev/log in a mount namespace of the daemon's own."""
    modes = ("root",)

    def setUp(self):
        self.dir = harness.workdir(self.mode)
        self.addCleanup(subprocess.run, ["rm", "-rf", self.dir])
        self.dev = os.path.join(self.dir, "dev")
        os.mkdir(self.dev)
        for name, minor in (("null", 3), ("urandom", 9)):
            os.mknod(os.path.join(self.dev, name), 0o666 | stat.S_IFCHR,
                     os.makedev(1, minor))
            os.chmod(os.path.join(self.dev, name), 0o666)
        if subprocess.run(["unshare", "-m", "true"],
                          capture_output=True).returncode:
            self.skipTest("no mount namespaces")

    def syslogd(self):
        path = os.path.join(self.dev, "log")
        if os.path.exists(path):
            os.unlink(path)
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(s.close)
        s.bind(path)
        os.chmod(path, 0o666)
        s.settimeout(net.WAIT)
        return s

    def run_daemon(self, **log):
        return self.start(self.conf(target="syslog", **log), wrap=(
            "unshare", "-m", "bash", "-c",
            'mount --bind %s /dev && exec "$@"' % self.dev, "bash"))

    def until(self, s, pattern):
        while True:
            line = s.recv(8192).decode()
            if re.search(pattern, line):
                return line

    def test_DK2_lines(self):
        s = self.syslogd()
        self.run_daemon()
        self.say()
        line = self.until(s, "conn ")
        self.assertRegex(line, r"^<30>l4mux\[\d+\]: conn id=\d+ .* end=fin$")

    def test_DK2_json(self):
        s = self.syslogd()
        self.run_daemon(format="json")
        self.say()
        line = self.until(s, '"conn"')
        json.loads(line.partition("]: ")[2])

    def test_DK2_absent_at_the_start(self):
        d = self.run_daemon()
        self.say()
        poll(lambda: any("/dev/log" in w for w in d.status()["warnings"]))
        s = self.syslogd()
        poll(lambda: not any("/dev/log" in w
                             for w in d.status()["warnings"]))
        self.say()
        self.until(s, "conn ")

    def test_DK2_comes_back(self):
        s = self.syslogd()
        d = self.run_daemon()
        self.say()
        self.until(s, "conn ")
        s.close()
        self.say()
        poll(lambda: d.counter("proxy", "log_dropped") > 0)
        poll(lambda: d.status()["warnings"])
        s = self.syslogd()
        poll(lambda: not d.status()["warnings"])
        # All processes have it again, also those that wrote nothing since.
        self.say()
        self.until(s, "conn ")

    def test_DK2_P17_a_reader_that_stops(self):
        self.syslogd()
        d = self.run_daemon()
        for i in range(400):
            self.say(alpn=())
        poll(lambda: d.counter("proxy", "log_dropped") > 0)
        d.assert_books()

    def test_LG5_target_stays(self):
        s = self.syslogd()
        d = self.run_daemon()
        with open(d.conf_path) as f:
            text = f.read()
        harness.write_conf(d.conf_path, text.replace('"syslog"', '"stderr"'))
        r = d.ctl("reload")
        self.assertEqual(1, r.returncode)
        self.assertIn("log.target does not change", r.stderr)
        self.say()
        self.until(s, "conn ")
