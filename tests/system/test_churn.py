"""P3, P4, P5: new connections at a high rate while generations change."""

import json
import os
import subprocess
import sys

import churn
import harness
import proc
from harness import Case, free_port, poll

RATE = 1000             # of each of the two who ask; what a slow machine
                        # cannot do is not asked


class ChurnCase(Case):
    """A copy of the programs, which can be replaced, and who asks it."""

    processes = {}

    def helper(self, *args):
        p = subprocess.Popen(
            [sys.executable, os.path.join(harness.HERE, "churn.py"), *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end, p)
        return p

    def end(self, p):
        if p.poll() is None:
            p.kill()
        p.wait()
        p.stdout.close()

    def begin(self, **upstreams):
        self.top = self.tree()
        root = os.path.join(self.top, "root")
        os.mkdir(root)
        with open(os.path.join(root, "index.html"), "wb") as f:
            f.write(churn.PAGE)
        backend = int(self.helper("serve").stdout.readline())
        self.port, self.plain = free_port(), free_port()
        self.conf = {
            "listen": tuple("127.0.0.1:%d" % p
                            for p in (self.port, self.plain)),
            "upstreams": {"u": {"address": "127.0.0.1:%d" % backend},
                          **upstreams},
            "sites": {"s": {"names": ("s.example",), "root": root,
                            "http": "serve"}},
            "routes": ({"sni": "a.example", "to": "u"},
                       *({"sni": n + ".example", "to": n}
                         for n in upstreams)),
            "fallback": "reset", "log": {"connections": False},
            # Nothing that a test holds may end by itself.
            "limits": {"loop": 0, "hello_timeout": 600.0,
                       "handshake_timeout": 600.0, "header_timeout": 600.0,
                       "idle_timeout": 600.0},
            "processes": self.processes,
        }
        return self.start(self.conf, binary=os.path.join(
            self.top, "sbin", "l4muxd"))

    def ask(self, rate):
        return self.helper("ask", str(rate), *[str(self.port)] * 3,
                           "http:%d" % self.plain)

    def told(self, p):
        """What became of the connections of one who asked."""
        p.terminate()
        return json.loads(p.communicate(timeout=harness.net.WAIT * 3)[0])


class TestChurn(ChurnCase):
    """No connection is refused, reset or late; nothing is left over."""

    modes = ("root",)
    reloads = 100
    upgrades = 20

    def at_rest(self, d):
        """Descriptors and memory of master, once nobody else is left."""
        poll(lambda: len(d.status()["generations"]) == 1,
             why=lambda: "old processes stay: %s" % d.status()["processes"])
        poll(lambda: set(proc.children(d.pid)) == set(d.pids()[1:]),
             why="a process is left over")
        return len(proc.fds(d.pid)), proc.rss_kib(d.pid)

    def renew(self, d, how, times):
        for i in range(times):
            got = d.ask(how)
            self.assertTrue(got["ok"], got)

    def test_P3_P4_generations_under_load(self):
        d = self.begin()
        askers = [self.ask(RATE) for _ in range(2)]
        first = self.reloads // 4
        self.renew(d, "reload", first)
        fds, rss = self.at_rest(d)
        self.renew(d, "reload", self.reloads - first)
        after = self.at_rest(d)
        self.assertEqual(fds, after[0])
        self.assertLess(after[1], rss * 1.1 + 512)
        self.renew(d, "upgrade", self.upgrades)
        for got in map(self.told, askers):
            self.assertEqual({}, got["errors"], got)
            # The load was one: many between each two generations.
            self.assertGreater(got["done"], 5 * self.reloads, got)
        self.assertEqual(fds, self.at_rest(d)[0])
        d.assert_books()


class TestChurnUser(TestChurn):
    modes = ("user",)
    reloads = 20
    upgrades = 4
