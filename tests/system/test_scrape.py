"""ME*: what the metrics listener serves to Prometheus, and to anybody else who
finds it."""

import json
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import time

import harness
import hello
import net
import proc
import scrape
from harness import Case, free_port, poll
from scrape import MetricsCase, get, raw, samples

PYTHON = "/usr/bin/python3"
OPEN = "application/openmetrics-text; version=1.0.0"
PROMETHEUS = ("application/openmetrics-text;version=1.0.0;q=0.5,"
              "application/openmetrics-text;version=0.0.1;q=0.4,"
              "text/plain;version=0.0.4;q=0.3,*/*;q=0.2")
PARSE = """
import json, sys
%s
print(json.dumps({f.name: f.type for f in
      parser.text_string_to_metric_families(sys.stdin.read())}))
"""
IDLE = 1000


def families(text, module):
    """As the reference implementation reads them."""
    r = subprocess.run([PYTHON, "-c", PARSE % module], input=text,
                       capture_output=True, text=True)
    if r.returncode:
        raise AssertionError(r.stderr)
    return json.loads(r.stdout)


class TestScrape(MetricsCase):
    def test_ME7_what_prometheus_accepts(self):
        status, fields, text = self.get(accept=PROMETHEUS)
        self.assertEqual(200, status)
        self.assertEqual(OPEN + "; charset=utf-8", fields["content-type"])
        self.assertEqual(str(len(text)), fields["content-length"])
        self.assertEqual("close", fields["connection"])
        self.assertEqual("Accept", fields["vary"])
        self.assertTrue(text.endswith("\n# EOF\n"))
        for accept in (None, "*/*", "text/plain;version=0.0.4"):
            status, fields, text = self.get(accept=accept)
            self.assertEqual(200, status)
            self.assertEqual("text/plain; version=0.0.4; charset=utf-8",
                             fields["content-type"])
            self.assertNotIn("# EOF", text)

    def test_ME7_both_formats_are_what_they_say(self):
        try:
            subprocess.run([PYTHON, "-c", "import prometheus_client"],
                           check=True, stderr=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError):
            self.skipTest("python3-prometheus-client is missing")
        for module, accept, kind in (
                ("from prometheus_client.openmetrics import parser",
                 PROMETHEUS, "stateset"),
                ("from prometheus_client import parser", None, "gauge")):
            got = families(self.get(accept=accept)[2], module)
            self.assertEqual("counter", got["l4mux_target_connections"])
            self.assertEqual("histogram", got["l4mux_connect_seconds"])
            self.assertEqual(kind, got["l4mux_state"])

    def test_ME8_promtool_has_nothing_to_say(self):
        if not shutil.which("promtool"):
            self.skipTest("promtool is missing")
        net.who(self.port, hello.hello("a.example"))
        r = subprocess.run(["promtool", "check", "metrics"],
                           input=self.get()[2], capture_output=True,
                           text=True)
        self.assertEqual((0, "", ""), (r.returncode, r.stdout, r.stderr))

    def test_ME8_the_same_as_l4muxctl(self):
        def names(text):
            return [s for s in samples(text) if 'role="master"' not in s]
        r = self.daemon.ctl("metrics")
        self.assertEqual(names(r.stdout),
                         names(self.get(accept=PROMETHEUS)[2]))

    def test_ME9_times(self):
        def count(name, text=None, **labels):
            want = ['%s="%s"' % kv for kv in labels.items()]
            return sum(v for k, v in samples(text or self.get()[2]).items()
                       if k.startswith(name) and all(w in k for w in want))
        # What the listener has may be a second old.
        now = self.daemon.ctl("metrics").stdout
        before = count("l4mux_connect_seconds_count", now, upstream="one")
        shakes = count("l4mux_handshake_seconds_count", now)
        for i in range(3):
            net.who(self.port, hello.hello("a.example"))
        with net.tls(self.port, "blog.example"):
            pass
        poll(lambda: (
            count("l4mux_connect_seconds_count", upstream="one") - before,
            count("l4mux_handshake_seconds_count") - shakes) == (3, 1))
        self.assertEqual(0, count("l4mux_connect_seconds_count",
                                  upstream="gone"))
        for name in ("connect", "handshake"):
            name = "l4mux_%s_seconds" % name
            self.assertEqual(count(name + "_count"),
                             count(name + "_bucket", le="+Inf"))
        self.assertGreater(count("l4mux_handshake_seconds_sum"), 0)

    def test_ME10_methods_and_paths(self):
        status, fields, body = self.get(method="HEAD")
        self.assertEqual((200, ""), (status, body))
        self.assertGreater(int(fields["content-length"]), 1000)
        for path in ("/x", "/metrics/", "//", "/..", "/%6detrics"):
            self.assertEqual(404, self.get(path)[0], path)
        status, fields, _ = self.get(method="POST")
        self.assertEqual((405, "GET, HEAD"), (status, fields["allow"]))
        self.assertEqual(200, self.get("http://any.example/metrics")[0])

    def test_ME10_garbage(self):
        for data, want in (
                (b"GET /" + b"a" * 3000, 414),
                (b"GET / HTTP/1.1\r\nA: " + b"a" * 9000, 431),
                (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 3000, 431),
                (b"GET / HTTP/2.0\r\n\r\n", 505),
                (b"GET / HTTP/1.1\r\nA\r\n\r\n", 400),
                (b"GET / HTTP/1.1\n\n", 400),
                (b"\0\0\0\0\r\n", 400),
                (hello.hello("a.example") + b"\r\n", 400)):
            self.assertEqual(want, raw(self.scrape, data)[0], data[:40])

    def test_ME10_any_bytes_in_any_pieces(self):
        r = random.Random(7)
        pid = self.pid()
        for i in range(200):
            data = bytearray(b"GET /metrics HTTP/1.1\r\nHost: a\r\n"
                             b"Accept: text/plain\r\n\r\n")
            for k in range(r.randrange(4)):
                data[r.randrange(len(data))] = r.randrange(256)
            with net.tcp(self.scrape) as s:
                cut = r.randrange(len(data))
                try:
                    s.sendall(data[:cut])
                    s.sendall(data[cut:])
                    s.shutdown(socket.SHUT_WR)
                except OSError:
                    continue
                net.read_end(s)
        self.assertEqual(200, self.get()[0])
        self.assertEqual(pid, self.pid())

    def test_ME10_headers_of_the_page(self):
        status, fields, text = self.get("/")
        self.assertEqual(200, status)
        csp = fields["content-security-policy"]
        nonce = re.search(r"script-src 'nonce-([0-9a-f]{32})'", csp)[1]
        self.assertIn("default-src 'none'", csp)
        self.assertEqual(2, text.count('nonce="%s"' % nonce))
        self.assertEqual(1, text.count("<script"))
        self.assertEqual("no-store", fields["cache-control"])
        self.assertEqual("nosniff", fields["x-content-type-options"])
        self.assertEqual([], re.findall(
            r"<[^>]* (?:src|href)=\"(?!data:|/metrics\")[^>]*", text))
        self.assertEqual([], re.findall(r"<[^>]* (?:style|on[a-z]+)=", text))

    def test_ME11_nobody_is_in_the_way(self):
        """A thousand who say nothing, and one who does not read."""
        idle = []
        try:
            for i in range(IDLE):
                idle.append(net.tcp(self.scrape))
            slow = net.tcp(self.scrape, rcvbuf=1024)
            idle.append(slow)
            slow.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            for i in range(5):
                self.assertEqual(200, self.get()[0])
                self.assertEqual(200, self.get("/")[0])
                net.who(self.port, hello.hello("a.example"))
        finally:
            for s in idle:
                s.close()
        turned = self.daemon.counter("metrics", "turned_away")
        self.assertGreater(turned, IDLE / 2)

    def test_ME12_each_has_its_time(self):
        """Who does not finish the request, or does not read the answer."""
        silent = net.tcp(self.scrape)
        part = net.tcp(self.scrape)
        part.sendall(b"GET / HTTP/1.1\r\nHost")
        began = time.monotonic()
        for s in (silent, part):
            self.assertEqual(b"", net.read_end(s)[0])
            s.close()
        self.assertGreater(time.monotonic() - began, 3)

    def test_ME12_a_drip_does_not_prolong_it(self):
        """One deadline, however often something comes."""
        with net.tcp(self.scrape) as s:
            s.sendall(b"GET / HTTP/1.1\r\nA: ")
            sent = 0
            while not select.select([s], [], [], 0.3)[0]:
                s.sendall(b"a")
                sent += 1
                self.assertLess(sent, net.WAIT / 0.3)
            self.assertEqual(b"", s.recv(1))

    def test_ME13_killed(self):
        """Somebody else's connections are none of its business."""
        with net.tcp(self.port) as s:
            s.sendall(hello.hello("a.example"))
            self.assertEqual(b"I am one\n", net.read_line(s))
            old = self.pid()
            os.kill(old, signal.SIGKILL)
            poll(lambda: [p for p in self.daemon.processes("metrics")
                          if p["state"] == "running" and p["pid"] != old])
            self.assertEqual(200, self.get()[0])
            self.assertEqual(200, self.get("/")[0])
            s.sendall(b"still here\n")
            self.assertTrue(net.read_exactly(s, 11))

    def test_ME13_stopped(self):
        """The page of a daemon one of whose processes does not answer."""
        pid = self.daemon.pids("worker")[0]
        proc.stop(pid)
        try:
            pages = set()       # the second was made after the stop
            while len(pages) < 2:
                status, _, text = self.get("/")
                self.assertEqual(200, status)
                pages.add(text)
            self.assertEqual(200, self.get()[0])
        finally:
            proc.go_on(pid)


class TestDashboard(MetricsCase):
    """etc/grafana/l4mux.json against what is really served."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(os.path.join(harness.ROOT, "etc/grafana/l4mux.json")) as f:
            cls.board = json.load(f)

    def queries(self):
        for p in self.board["panels"]:
            for t in p["targets"]:
                yield p["title"], t["expr"]

    def test_ME17_every_series_is_there(self):
        """Names, and the labels that are summed over or shown."""
        net.who(self.port, hello.hello("a.example"))
        there = {}
        text = self.daemon.ctl("metrics").stdout
        for key in samples(text):
            name, _, labels = key.partition("{")
            there.setdefault(name, set()).update(
                re.findall(r'(\w+)="', labels))
        seen = 0
        for title, expr in self.queries():
            used = re.findall(r"l4mux_\w+(?=\{)", expr)
            self.assertTrue(used, title)
            seen += len(used)
            have = {"instance"}
            for name in used:
                self.assertIn(name, there, title)
                have |= there[name]
            for labels in re.findall(r"by \(([^)]*)\)", expr):
                self.assertLessEqual(set(labels.split(", ")), have, title)
            for label in re.findall(r"(\w+)=~?\"", expr):
                self.assertIn(label, have, title)
        self.assertGreater(seen, 30)

    def test_ME17_every_query_is_one(self):
        """By the parser of Prometheus."""
        if not shutil.which("promtool"):
            self.skipTest("promtool is missing")
        dir = harness.workdir(self.mode)
        self.addCleanup(shutil.rmtree, dir)
        path = os.path.join(dir, "rules.json")      # JSON is YAML
        with open(path, "w") as f:
            json.dump({"groups": [{"name": "board", "rules": [
                {"record": "x:%d" % i,
                 "expr": expr.replace("$__rate_interval", "5m")}
                for i, (_, expr) in enumerate(self.queries())]}]}, f)
        r = subprocess.run(["promtool", "check", "rules", path],
                           capture_output=True, text=True)
        self.assertEqual(0, r.returncode, r.stdout + r.stderr)

    def test_ME17_panels_do_not_overlap(self):
        cells = set()
        for p in self.board["panels"]:
            g = p["gridPos"]
            self.assertLessEqual(g["x"] + g["w"], 24)
            mine = {(x, y) for x in range(g["x"], g["x"] + g["w"])
                    for y in range(g["y"], g["y"] + g["h"])}
            self.assertFalse(mine & cells, p["title"])
            cells |= mine
        ids = [p["id"] for p in self.board["panels"]]
        self.assertEqual(len(ids), len(set(ids)))


class TestMaster(MetricsCase):
    def test_ME14_master_reads_nothing_from_it(self):
        """A client is in the hands of the metrics process and no other."""
        before = set(proc.fds(self.daemon.pid).values())
        with net.tcp(self.scrape) as s:
            s.sendall(b"GET / HTTP/1.1\r\n")
            poll(lambda: self.daemon.processes("metrics")[0]["live"] > 0)
            now = set(proc.fds(self.daemon.pid).values())
            self.assertEqual([], [f for f in now - before
                                  if f.startswith("socket")])
        for p in self.daemon.processes():
            if p["role"] in ("master", "metrics"):
                continue
            listeners = set(proc.fds(self.pid()).values()) & set(
                proc.fds(p["pid"]).values())
            self.assertEqual([], [f for f in listeners
                                  if f.startswith("socket")], p["role"])

    def test_ME14_history_is_kept(self):
        if self.mode != "root":
            return              # who else may look into master
        poll(lambda: len(scrape.history_read(self.daemon)) > 0,
             seconds=net.WAIT * 3)
        before = scrape.history_read(self.daemon)
        self.assertEqual(0, self.daemon.ctl("reload").returncode)
        os.kill(self.pid(), signal.SIGKILL)
        poll(lambda: len(scrape.history_read(self.daemon)) > len(before),
             seconds=net.WAIT * 3)
        self.assertLessEqual(set(before), set(
            scrape.history_read(self.daemon)))


class TestListener(Case):
    def conf(self, *ports, **more):
        _, ups = type(self).backends("one")
        return {"listen": ("127.0.0.1:%d" % ports[0],), "upstreams": ups,
                "fallback": "one", **more}

    def test_ME15_it_comes_and_goes(self):
        ports = [free_port() for i in range(3)]
        conf = self.conf(*ports)
        d = self.start(conf)

        def change(**more):
            harness.write_conf(d.conf_path, d.complete({**conf, **more}))
            r = d.ctl("reload")
            self.assertEqual((0, ""), (r.returncode, r.stderr))
        self.assertEqual([], d.processes("metrics"))
        change(metrics="127.0.0.1:%d" % ports[1])
        self.assertEqual(200, get(ports[1])[0])
        change(metrics="127.0.0.1:%d" % ports[2])
        self.assertEqual(200, get(ports[2])[0])
        poll(lambda: net.refused(ports[1]))
        change()
        poll(lambda: net.refused(ports[2]))
        poll(lambda: not d.processes("metrics"))

    def test_ME15_taken(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            try:
                self.start(self.conf(free_port(), metrics="127.0.0.1:%d" %
                                     s.getsockname()[1]))
            except AssertionError as e:
                self.assertRegex(str(e), r"l4mux\.conf:\d+: listen .*"
                                 r"Address already in use")
            else:
                self.fail("two have one address")

    def test_ME15_reloads_refuse_nobody(self):
        ports = [free_port(), free_port()]
        d = self.start(self.conf(*ports, metrics="127.0.0.1:%d" % ports[1]))
        for i in range(5):
            r = subprocess.Popen([harness.L4MUXCTL, "-s", d.control,
                                  "reload"], stdout=subprocess.DEVNULL)
            while r.poll() is None:
                self.assertEqual(200, get(ports[1])[0])
            self.assertEqual(0, r.returncode)
        poll(lambda: "l4mux_generation 6\n" in get(ports[1])[2])

    def test_ME16_without_master(self):
        """Nobody answers it: its clients are told."""
        ports = [free_port(), free_port()]
        d = self.start(self.conf(*ports, metrics="127.0.0.1:%d" % ports[1]))
        self.assertEqual(200, get(ports[1])[0])
        proc.stop(d.pid)
        try:
            poll(lambda: get(ports[1])[0] == 503)
        finally:
            proc.go_on(d.pid)
        poll(lambda: get(ports[1])[0] == 200)
