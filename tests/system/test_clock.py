"""P18, TM1, TM3: the wall clock of the daemon is set while it runs.  Only the
daemon's, of all its processes at once: never that of the machine."""

import os
import select
import signal
import ssl
import threading
import time

import certs
import h2wire
import harness
import hello
import net
from certs import DAY
from harness import free_port, poll
from preload import PreloadCase

YEARS = 3653 * DAY          # ten
STEPS = (DAY, -DAY, YEARS, -YEARS)
GET = b"GET /index.html HTTP/1.1\r\nHost: blog.example\r\n"


class ClockCase(PreloadCase):
    source = "wallclock.c"

    def setUp(self):
        super().setUp()
        os.mkdir(self.dir + "/root")
        with open(self.dir + "/root/index.html", "w") as f:
            f.write("hello\n")
        self.port, self.plain = free_port(), free_port()

    def begin(self, conf):
        self.d = self.start(conf, binary=self.programs(),
                            env={"LD_PRELOAD": self.lib})

    def conf(self, timeout=None, **more):
        names = ("hello", "handshake", "header", "idle")
        return {"listen": tuple("127.0.0.1:%d" % p
                                for p in (self.port, self.plain)),
                "sites": {"s": {"names": ["blog.example"], "http": "serve",
                                "root": self.dir + "/root"}},
                "fallback": "reset",
                "limits": {n + "_timeout": timeout for n in names},
                "log": {"format": "json", "connections": True},
                "processes": {"worker": 1, "tlsterm": 1}, **more}


def over(s):
    """Is there an end on that socket, behind what may be there to read?"""
    p = select.poll()
    p.register(s, select.POLLRDHUP)
    return p.poll(0) != []


class Shake:
    """A handshake whose client has read the answer and not gone on."""

    def __init__(self, sock):
        self.sock = sock
        self.into, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = net.tls_context().wrap_bio(
            self.into, self.out, server_hostname="blog.example")
        self.shake()
        self.sock.sendall(self.out.read())
        self.sock.recv(1, net.socket.MSG_PEEK)

    def shake(self):
        try:
            self.tls.do_handshake()
            return True
        except ssl.SSLWantReadError:
            return False

    def finish(self):
        while not self.shake():
            self.into.write(self.sock.recv(65536))
        self.tls.write(GET + b"\r\n")
        self.sock.sendall(self.out.read())
        return self.sock.recv(1) != b""


class TestClock(ClockCase):
    def start_with(self, timeout):
        up = net.Backend("up")
        self.addCleanup(up.stop)
        self.begin(self.conf(
            timeout, upstreams={"up": {"address": up.address,
                                       "idle_timeout": timeout}},
            routes=({"sni": "a.example", "to": "up"},)))

    # connections in every state in which something waits for a client

    def tcp(self, port=None):
        s = net.tcp(port or self.port)
        self.addCleanup(s.close)
        return s

    def tls(self, ctx=None):
        s = net.tls(self.port, "blog.example", ctx)
        self.addCleanup(s.close)
        return s

    def silent(self):
        s = self.tcp()
        return s, lambda: self.relays(s, hello.hello())

    def part(self):
        s, data = self.tcp(), hello.hello()
        s.sendall(data[:60])
        return s, lambda: self.relays(s, data[60:], data)

    def shake(self):
        h = Shake(self.tcp())
        return h.sock, h.finish

    def fresh(self):
        s = self.tls()
        return s, lambda: self.is_page(s, GET + b"\r\n")

    def half(self):
        s = self.tls()
        s.sendall(GET)
        return s, lambda: self.is_page(s, b"\r\n")

    def kept(self):
        s = self.tls()
        self.is_page(s, GET + b"\r\n")
        return s, lambda: self.is_page(s, GET + b"\r\n")

    def kept_plain(self):
        s = self.tcp(self.plain)
        self.is_page(s, GET + b"\r\n")
        return s, lambda: self.is_page(s, GET + b"\r\n")

    def h2(self):
        c = h2wire.Client(self.tls(h2wire.CONTEXT))
        self.assertTrue(c.ping())
        return c.sock, c.ping

    def relayed(self):
        s = self.tcp()
        self.relays(s, hello.hello())
        return s, lambda: self.echoes(s)

    STATES = (silent, part, shake, fresh, half, kept, kept_plain, h2, relayed)

    def relays(self, s, rest, sent=None):
        s.sendall(rest)
        want = b"I am up\n" + (sent or rest)
        self.assertEqual(want, net.read_exactly(s, len(want)))
        return True

    def echoes(self, s):
        s.sendall(b"still there?")
        self.assertEqual(b"still there?", net.read_exactly(s, 12))
        return True

    def is_page(self, s, request):
        s.sendall(request)
        got = b""
        while not got.endswith(b"\r\n\r\nhello\n"):
            part = s.recv(4096)
            self.assertTrue(part, "end after %r" % got)
            got += part
        return True

    def one_of_each(self):
        self.assertEqual("up", net.who(self.port, hello.hello()))
        with net.tls(self.port, "blog.example") as s:
            self.is_page(s, GET + b"\r\n")

    def load(self):
        """New connections without end, until it is told to."""
        self.over, self.failed, self.done = threading.Event(), [], 0

        def run():
            while not self.over.is_set():
                try:
                    self.one_of_each()
                    self.done += 1
                except (OSError, AssertionError) as e:
                    self.failed.append(repr(e))
                    return
        t = threading.Thread(target=run)
        t.start()

        def end():
            self.over.set()
            t.join()
        self.addCleanup(end)
        return end

    def seen(self, off):
        """Each process has that clock, and went round its loop with it."""
        mark = self.d.log.mark()
        net.exchange(self.port, hello.hello("nobody.example"), fin=False)
        self.one_of_each()
        want = {"worker": None, "proxy": None, "tlsterm": None}

        def all_there():
            for line in self.d.log.lines[mark:]:
                m = harness.json.loads(line)
                if m["role"] in want:
                    want[m["role"]] = m["time"] - time.time()
            return None not in want.values()
        poll(all_there, why=lambda: "no lines of %s" % want)
        for role, got in want.items():
            self.assertAlmostEqual(off, got, delta=3600, msg=role)
        (c,) = self.d.ask("certificates")["certificates"]
        self.assertAlmostEqual(364 - off / DAY, c["days_left"], delta=1,
                               msg="master")

    def test_TM1_no_connection_ends(self):
        self.start_with(600.0)
        pids = sorted(self.d.pids())
        held = [(f.__name__, *f(self)) for f in self.STATES]
        end = self.load()
        for off in STEPS:
            self.tell(off)
            self.seen(off)
            was = self.done
            poll(lambda: self.done > was + 2 or self.failed)
            self.assertEqual([], self.failed)
            self.assertEqual([], [n for n, s, _ in held if over(s)], off)
            self.assertEqual(pids, sorted(self.d.pids()))
        for name, _, goes_on in held:
            self.assertTrue(goes_on(), name)
        end()
        self.assertEqual([], self.failed)

    def ended(self, s, *what):
        """When: whatever it was told before."""
        try:
            while s.recv(65536):
                pass
        except TimeoutError:
            self.fail("no end: %s %d" % what)
        except OSError:
            pass
        return time.monotonic()

    def test_TM1_timeouts_are_what_they_were(self):
        limit = 2.0
        self.start_with(limit)
        for off in STEPS:
            self.tell(0)
            began = [(time.monotonic(), f.__name__, f(self)[0])
                     for f in self.STATES]
            self.tell(off)
            self.seen(off)
            for at, name, s in began:
                self.assertGreaterEqual(self.ended(s, name, off) - at, limit,
                                        (name, off))

    def test_TM1_who_died_is_replaced(self):
        self.start_with(600.0)
        for off in STEPS:
            self.tell(off)
            pid, = self.d.pids("proxy", "up")
            os.kill(pid, signal.SIGKILL)
            poll(lambda: self.d.pids("proxy", "up") not in ([], [pid]))
            self.assertEqual("up", net.who(self.port, hello.hello()))


class TestEarly(ClockCase):
    def start_before_its_time(self):
        """Master looks at the dates when one of them comes, which is soon."""
        ca = certs.Authority(self.dir, harness.NOBODY if self.mode == "user"
                             and os.geteuid() == 0 else None)
        for late in (4, 20, 60):
            self.tell(0)
            conf = self.conf(600.0, log={})
            conf["sites"]["s"]["certificate"] = ca.make(
                "blog.example", end=30 * DAY + late)
            self.begin(conf)
            self.tell(-2 * DAY)
            (c,) = self.d.ask("certificates")["certificates"]
            if "expires on" not in "".join(self.d.log.lines):
                return c
            self.d.stop()

    def test_TM3_it_is_not_valid_yet(self):
        """The clock is set back: it says so, and goes on."""
        c = self.start_before_its_time()
        text = ("site s: the certificate %s/blog.example.pem is not valid "
                "before %s" % (self.dir, time.strftime(
                    "%Y-%m-%d", time.gmtime(c["not_before"]))))
        self.assertEqual([text], c["warnings"])
        self.d.log.wait("error: " + text.replace(".", r"\."), seconds=90)
        self.assertIn(text, self.d.status()["warnings"])
        net.tls(self.port, "blog.example").close()
        # A reload refuses it, and changes nothing.
        r = self.d.ctl("reload")
        self.assertEqual(1, r.returncode)
        self.assertIn("is not valid before", r.stderr)
        net.tls(self.port, "blog.example").close()
        self.tell(0)
        self.assertNotIn(text, self.d.status()["warnings"])
