"""ME*, TO*: what l4muxctl shows of the counters: OpenMetrics, and top."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import termios
import time

import harness
import hello
import net
from harness import Case, L4MUXCTL, free_port, poll

# The package belongs to the interpreter of the system, which may be another.
PYTHON = "/usr/bin/python3"
PARSE = """
import json, sys
from prometheus_client.openmetrics import parser
print(json.dumps({f.name: [f.type, len(f.samples), f.documentation] for f in
      parser.text_string_to_metric_families(sys.stdin.read())}))
"""


class MetricsCase(Case):
    @classmethod
    def configure(cls):
        cls.port = free_port()
        _, ups = cls.backends("one", "two")
        cls.dead, address = net.dead_address()
        ups["gone"] = {"address": address}
        return {
            "listen": ("127.0.0.1:%d" % cls.port,),
            "upstreams": ups,
            "sites": {"blog": {"names": ["blog.example"], "root": "/usr",
                               "certificate": "self-signed"}},
            "routes": ({"sni": "a.example", "to": "one"},
                       {"sni": "b.example", "to": "two"},
                       {"sni": "c.example", "to": "gone"}),
            "fallback": "close",
        }

    @classmethod
    def tearDownClass(cls):
        cls.dead.close()
        super().tearDownClass()


class TestMetrics(MetricsCase):
    def text(self):
        r = self.daemon.ctl("metrics")
        self.assertEqual((0, ""), (r.returncode, r.stderr))
        return r.stdout

    def value(self, name, **labels):
        """The sum over generations of one sample."""
        total = 0
        for line in self.text().splitlines():
            if re.match(re.escape(name) + r"[{ ]", line) and all(
                    '%s="%s"' % kv in line for kv in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def test_ME1_the_format_is_openmetrics(self):
        """By the parser of the reference implementation, which is strict."""
        try:
            subprocess.run([PYTHON, "-c", "import prometheus_client"],
                           check=True, stderr=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError):
            self.skipTest("python3-prometheus-client is missing")
        net.who(self.port, hello.hello("a.example"))
        r = subprocess.run([PYTHON, "-c", PARSE], input=self.text(),
                           capture_output=True, text=True)
        self.assertEqual((0, ""), (r.returncode, r.stderr))
        families = json.loads(r.stdout)
        for name, kind in (("l4mux_build", "info"),
                           ("l4mux_state", "stateset"),
                           ("l4mux_target_connections", "counter"),
                           ("l4mux_decisions", "counter"),
                           ("l4mux_process_accepted", "counter"),
                           ("l4mux_process_sandbox", "gauge"),
                           ("l4mux_backend_up", "gauge")):
            got, samples, text = families[name]
            self.assertEqual(kind, got, name)
            self.assertGreater(samples, 0, name)
            self.assertTrue(text, name)

    def test_ME1_one_line_each_and_the_end(self):
        lines = self.text().splitlines()
        self.assertEqual("# EOF", lines[-1])
        self.assertEqual(1, lines.count("# EOF"))
        samples = [s.rsplit(" ", 1)[0] for s in lines if s[0] != "#"]
        self.assertEqual(len(samples), len(set(samples)))
        for s in lines:
            self.assertRegex(
                s, r'^(# (TYPE|HELP) [a-z0-9_]+ .+|# EOF|'
                r'[a-z0-9_]+(\{[a-z0-9_]+="[^"]*"(,[a-z0-9_]+="[^"]*")*\})? '
                r'[0-9]+(\.[0-9]+)?)$')

    def test_ME2_they_count(self):
        def counts():
            return (self.value("l4mux_target_connections_total",
                               target="one"),
                    self.value("l4mux_target_failed_total", target="gone"),
                    self.value("l4mux_decisions_total", reason="route:1"),
                    self.value("l4mux_decisions_total",
                               reason="fallback:malformed"),
                    self.value("l4mux_process_accepted_total"))
        before = counts()
        net.who(self.port, hello.hello("a.example"))
        net.who(self.port, hello.hello("a.example"))
        net.who(self.port, hello.hello("c.example"))
        net.who(self.port, hello.hello("a..b"))
        poll(lambda: [a - b for a, b in zip(counts(), before)] ==
             [2, 1, 2, 1, 4], why=lambda: str((before, counts())))

    def test_ME3_sandbox_and_health(self):
        self.assertEqual(1, self.value("l4mux_process_sandbox",
                                       process="keys.0",
                                       mechanism="seccomp"))
        net.who(self.port, hello.hello("b.example"))
        self.assertEqual(1, self.value("l4mux_backend_up", upstream="two"))
        self.assertEqual(1, self.value("l4mux_state", l4mux_state="running"))
        self.assertEqual(0, self.value("l4mux_state",
                                       l4mux_state="stopping"))

    def test_ME4_the_document(self):
        doc = self.daemon.ask("metrics")
        for f in doc["families"]:
            self.assertEqual({"name", "type", "help", "samples"}, set(f))
            for s in f["samples"]:
                self.assertEqual({"labels", "buckets", "count", "sum"} if
                                 f["type"] == "histogram" else
                                 {"labels", "value"}, set(s))

    def test_ME5_no_series_falls_over_a_reload(self):
        net.who(self.port, hello.hello("a.example"))

        def series():
            out = {}
            for line in self.text().splitlines():
                if line[0] != "#" and "_total" in line:
                    key, v = line.rsplit(" ", 1)
                    out[key] = float(v)
            return out
        before = series()
        self.assertEqual(0, self.daemon.ctl("reload").returncode)
        after = series()
        for key in set(before) & set(after):
            self.assertGreaterEqual(after[key], before[key], key)
        self.assertTrue([k for k in after if 'generation="2"' in k])


class TestRates(MetricsCase):
    def test_ME6_status_tells_rates(self):
        for i in range(20):
            net.who(self.port, hello.hello("a.example"))

        def rate(name):
            return [t["rate"] for t in self.daemon.status()["targets"]
                    if t["name"] == name][0]
        poll(lambda: rate("one") > 0)
        self.assertEqual(0, rate("two"))
        r = self.daemon.ctl("status")
        self.assertIn("NEW/S", r.stdout)
        self.assertEqual(0, self.daemon.ctl("reload").returncode)
        self.assertEqual(0, rate("one"))    # of the generation


class Screen:
    """As much of a terminal as top needs; anything else is a mistake."""

    def __init__(self, rows, cols):
        self.rows, self.cols = rows, cols
        self.cells = [[" "] * cols for _ in range(rows)]
        self.x = self.y = 0
        self.alternate = False
        self.rest = ""

    def feed(self, text):
        text, self.rest = self.rest + text, ""
        i = 0
        while i < len(text):
            if text[i] == "\x1b":
                m = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])").match(text, i)
                if not m:
                    self.rest = text[i:]
                    return
                self.escape(*m.groups())
                i = m.end()
                continue
            self.put(text[i])
            i += 1

    def escape(self, arg, what):
        if arg == "?1049":
            self.alternate = what == "h"
        elif what == "H" and arg == "":
            self.x = self.y = 0
        elif what == "K" and arg == "":
            row = self.cells[self.y]
            row[self.x:] = [" "] * (self.cols - self.x)
        elif what != "m" and arg != "?25":
            raise AssertionError("unknown sequence %r %r" % (arg, what))

    def put(self, c):
        if c == "\r":
            self.x = 0
        elif c == "\n":
            self.y += 1
            if self.y >= self.rows:
                raise AssertionError("the screen scrolls")
        else:
            if self.x >= self.cols:
                raise AssertionError("a line is too long")
            self.cells[self.y][self.x] = c
            self.x += 1

    def lines(self):
        return ["".join(r).rstrip() for r in self.cells]


class TestTop(MetricsCase):
    def top(self, rows=24, cols=80):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        fcntl.ioctl(slave, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, cols, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.addCleanup(os.close, slave)
        self.proc = subprocess.Popen(
            [L4MUXCTL, "-s", self.daemon.control, "top"], stdin=slave,
            stdout=slave, stderr=subprocess.PIPE)
        self.addCleanup(self.end)
        self.master = master
        self.screen = Screen(rows, cols)
        return self.screen

    def end(self):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()
        self.proc.stderr.close()

    def until(self, what):
        end = time.monotonic() + net.WAIT
        while not what():
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [],
                                              left)[0]:
                raise AssertionError("\n".join(self.screen.lines()))
            self.screen.feed(os.read(self.master, 65536).decode())

    def has(self, pattern):
        return any(re.search(pattern, s) for s in self.screen.lines())

    def drawn(self):
        """The whole first screen: this is its end."""
        return self.has(" n name$")

    def finish(self):
        os.write(self.master, b"q")
        self.until(lambda: not self.screen.alternate)
        self.assertEqual(0, self.proc.wait(net.WAIT))
        self.assertEqual(self.before, termios.tcgetattr(self.slave))

    def test_TO1_one_screen(self):
        s = self.top()
        self.until(self.drawn)
        self.assertTrue(s.alternate)
        for word in (r"^l4mux \d.*running", r"^one +upstream", r"^blog +site",
                     r"^worker\.0 .* \d+/1$", r"^keys\.0 ", r"^q quit",
                     r" HEALTH$", r" PID/GEN$", r" unknown$"):
            self.assertTrue(self.has(word), word)
        self.finish()

    def test_TO2_rates_and_bars(self):
        self.top()
        self.until(self.drawn)

        def busy():
            net.who(self.port, hello.hello("a.example"))
            return self.has(r"^one +upstream +\d+ +[1-9][0-9.]* +##########")
        self.until(busy)
        self.finish()

    def test_TO3_sorts(self):
        self.top()
        self.until(self.drawn)

        def names():
            return [s.split()[0] for s in self.screen.lines()
                    if re.match(r"(blog|gone|one|two) ", s)]
        os.write(self.master, b"n")
        self.until(lambda: names() == ["blog", "gone", "one", "two"])
        for i in range(3):
            net.who(self.port, hello.hello("b.example"))
        os.write(self.master, b"t")
        self.until(lambda: names() and (
            self.has("^one .* 0 ") or names()[0] in ("one", "two")))
        self.finish()

    def test_TO4_any_size(self):
        for rows, cols in ((24, 80), (6, 20), (2, 5), (60, 200), (12, 80)):
            s = self.top(rows, cols)
            self.until(lambda: self.has("^q" + " quit"[:cols - 1]))
            self.assertLessEqual(len(s.lines()), rows)
            self.finish()

    def test_TO5_signals_restore_the_terminal(self):
        self.top()
        self.until(self.drawn)
        self.proc.terminate()
        self.until(lambda: not self.screen.alternate)
        self.assertEqual(0, self.proc.wait(net.WAIT))
        self.assertEqual(self.before, termios.tcgetattr(self.slave))

    def test_TO6_in_tmux(self):
        """A terminal of its own kind, at the size that is always there."""
        if not shutil.which("tmux"):
            self.skipTest("tmux is missing")
        dir = harness.workdir("root")
        self.addCleanup(shutil.rmtree, dir)
        sock = os.path.join(dir, "tmux")

        def tmux(*words):
            return subprocess.run(["tmux", "-S", sock, "-f", "/dev/null",
                                   *words], capture_output=True, text=True,
                                  env={**os.environ, "LANG": "C.UTF-8"})

        def screen():
            return tmux("capture-pane", "-p").stdout.splitlines()
        self.addCleanup(tmux, "kill-server")
        r = tmux("new-session", "-d", "-x", "80", "-y", "24",
                 "echo before; %s -s %s top; echo after; cat" %
                 (L4MUXCTL, self.daemon.control))
        self.assertEqual((0, ""), (r.returncode, r.stderr))
        poll(lambda: len(screen()) == 24 and
             screen()[-1].startswith("q quit"), why=lambda: str(screen()))
        for i in range(3):
            net.who(self.port, hello.hello("a.example"))
        poll(lambda: [s for s in screen() if re.match(
            r"one +upstream +\d+ +[1-9][0-9.]* +#", s)],
            why=lambda: str(screen()))
        shown = screen()
        self.assertTrue(shown[0].startswith("l4mux "), shown)
        self.assertEqual(1, len([s for s in shown if "TARGET" in s]), shown)
        tmux("send-keys", "n")
        poll(lambda: [s.split()[0] for s in screen() if re.match(
            r"(blog|gone|one|two) ", s)] == ["blog", "gone", "one", "two"])
        # smaller and larger: drawn anew, and nothing scrolls
        for rows, cols in ((12, 60), (40, 132)):
            tmux("resize-window", "-x", str(cols), "-y", str(rows))
            poll(lambda: len(screen()) == rows and
                 screen()[-1].startswith("q quit") and
                 screen()[0].startswith("l4mux "), why=lambda: str(screen()))
        tmux("send-keys", "q")
        poll(lambda: screen()[:2] == ["before", "after"],
             why=lambda: str(screen()))
