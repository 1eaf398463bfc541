"""RE6: a flood of HTTP/2 where there are 64 MiB for all."""

import os
import ssl

import h2wire
import hello
import net
from h2wire import head
from harness import poll
from site_case import INDEX, SiteCase

LIMIT = 64 << 20
BASE = "/sys/fs/cgroup"


class Group:
    """A cgroup with a limit, of version 1 or 2."""

    def __init__(self, name):
        one = os.path.exists(BASE + "/memory/cgroup.procs")
        self.dir = os.path.join(BASE, "memory" if one else "", name)
        self.limit = "memory.limit_in_bytes" if one else "memory.max"
        self.events = "memory.oom_control" if one else "memory.events"
        swap = "memory.swappiness" if one else "memory.swap.max"
        os.mkdir(self.dir)
        try:
            self.put(self.limit, str(LIMIT))
            if os.path.exists(os.path.join(self.dir, swap)):
                self.put(swap, "0")
        except OSError:
            self.end()
            raise

    def put(self, file, text):
        # Not made where it is not: the controller may be another's.
        with open(os.path.join(self.dir, file), "r+") as f:
            f.write(text)

    def enter(self):
        self.put("cgroup.procs", "0")

    def killed(self):
        with open(os.path.join(self.dir, self.events)) as f:
            return int(dict(map(str.split, f))["oom_kill"])

    def end(self):
        def gone():
            try:
                os.rmdir(self.dir)
                return True
            except OSError:
                return False
        poll(gone, why="%s is not empty" % self.dir)


class TestMemory(SiteCase):
    modes = ("root",)               # who may make a cgroup

    @classmethod
    def configure(cls):
        cls.conf = super().configure()
        return None                 # each test has a daemon of its own

    def begin(self, **limits):
        try:
            group = Group("l4mux-test-%d" % os.getpid())
        except OSError as e:
            self.skipTest("no cgroup with a limit can be made: %s" % e)
        self.addCleanup(group.end)
        up = net.Backend("up")
        self.addCleanup(up.stop)
        app = net.Sink()            # takes requests, and never answers
        conf = {**self.conf, "processes": {"worker": 1, "tlsterm": 1},
                "limits": {"header_timeout": 600.0, "idle_timeout": 600.0,
                           "loop": 0, **limits},
                "upstreams": {"up": {"address": up.address},
                              "app": {"address": app.address}},
                "routes": ({"sni": "a.example", "to": "up"},)}
        conf["sites"] = {"blog": {**conf["sites"]["blog"], "proxy":
                                  ({"path": "/app", "to": "app"},)}}
        self.d = self.start(conf, preexec=group.enter)
        # What it never accepts would be alive, to the counters.
        self.addCleanup(app.stop)
        self.others = self.d.pids("worker"), self.d.pids("proxy"), \
            self.d.pids("keys")
        self.tlsterm, = self.d.pids("tlsterm")
        for pid in self.d.pid, self.tlsterm, *sum(self.others, []):
            with open("/proc/%d/cgroup" % pid) as f:
                self.assertIn(os.path.basename(group.dir), f.read())
        return group

    def heavy(self):
        """A connection that costs as much as one may; None: it was ended."""
        try:
            s = net.tls(self.port, "blog.example", h2wire.CONTEXT)
        except OSError:
            return None
        self.addCleanup(s.close)
        c = h2wire.Client(s, settings=((h2wire.INITIAL_WINDOW, 0),),
                          credit=False)
        fields = head(b"/app/x", *((b"x%d" % i, b"y" * 150)
                                   for i in range(90)))
        for stream in range(1, 200, 2):
            c.request(fields, stream=stream)
        return c if c.ping() else None

    def flood(self, refused):
        """Until so many were.  All of them want more than there is; returns
        those who are there."""
        held = []
        for _ in range(2 * LIMIT // (256 << 10)):
            c = self.heavy()
            if c is not None:
                held.append(c)
                continue
            refused -= 1
            if refused == 0:
                return held
        self.fail("%d connections, and no end" % len(held))

    def relay(self):
        s, data = net.tcp(self.port), hello.hello()
        self.addCleanup(s.close)
        s.sendall(data)
        want = b"I am up\n" + data
        self.assertEqual(want, net.read_exactly(s, len(want)))
        return s

    def assert_others_live(self, relayed):
        self.assertEqual(self.others, (
            self.d.pids("worker"), self.d.pids("proxy"),
            self.d.pids("keys")))
        relayed.sendall(b"still there?")
        self.assertEqual(b"still there?", net.read_exactly(relayed, 12))

    def page(self):
        try:
            with net.tls(self.port, "blog.example", h2wire.CONTEXT) as s:
                return h2wire.Client(s).get().body == INDEX
        except OSError:
            return False

    def test_RE6_sheds_before_memory_ends(self):
        group = self.begin(connections=100)
        relayed = self.relay()
        held = self.flood(refused=20)
        self.assertEqual(99, len(held))
        self.assertEqual(0, group.killed())
        self.assertEqual([self.tlsterm], self.d.pids("tlsterm"))
        self.assert_others_live(relayed)
        self.assertTrue(all(c.ping() for c in held))
        held[0].sock.close()
        poll(self.page)

    def test_RE6_only_the_one_that_took_it_dies(self):
        group = self.begin()
        relayed = self.relay()
        self.flood(refused=1)
        self.d.log.wait(r"\(pid %d\): ended by signal 9" % self.tlsterm)
        self.assertEqual(1, group.killed())
        self.assert_others_live(relayed)
        poll(self.page)
        self.assertNotEqual([self.tlsterm], self.d.pids("tlsterm"))
        self.assertEqual("up", net.who(self.port, hello.hello()))
