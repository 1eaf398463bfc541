"""Live sessions go on in the next generation, as if nothing had happened."""

import hashlib
import os
import random
import resource
import select
import socket
import threading

import harness
import hello
import net
import proc
from harness import Case, free_port, poll

MIB = 1024 * 1024
HELLO = hello.hello("sink.example")


class HandoverCase(Case):
    upgradable = False

    def setUp(self):
        self.port = free_port()
        self.sink = net.Sink(backlog=1024)
        self.addCleanup(self.sink.stop)
        kwargs = {}
        if self.upgradable:
            kwargs["binary"] = os.path.join(self.tree(), "sbin", "l4muxd")
        self.d = self.start(self.conf(), **kwargs)

    def conf(self, first="close", **more):
        """`first`: what another rule, which nobody takes, leads to."""
        return {"listen": ("127.0.0.1:%d" % self.port,),
                "upstreams": {"sink": {"address": self.sink.address, **more}},
                "routes": ({"sni": "b.example", "to": first},
                           {"sni": "sink.example", "to": "sink"}),
                "fallback": "close"}

    def write(self, conf):
        harness.write_conf(self.d.conf_path, self.d.complete(conf))

    def renew(self, how="reload"):
        got = self.d.ask(how)
        self.assertTrue(got["ok"], got)

    def settled(self):
        """The old generation has ended."""
        poll(lambda: len(self.d.status()["generations"]) == 1,
             why=lambda: "old processes stay: %s" % [
                 p for p in self.d.processes() if p["state"] != "running"])

    def pair(self, **kwargs):
        client = net.tcp(self.port, **kwargs)
        self.addCleanup(client.close)
        client.sendall(HELLO)
        backend = self.sink.accept()
        self.addCleanup(backend.close)
        self.assertEqual(HELLO, net.read_exactly(backend, len(HELLO)))
        return client, backend

    def echo(self, pair, data=b"ping"):
        for a, b in (pair, pair[::-1]):
            a.sendall(data)
            self.assertEqual(data, net.read_exactly(b, len(data)))

    def proxy(self):
        """The one there is, when all is settled."""
        p, = self.d.processes("proxy")
        return p


class TestHandover(HandoverCase):
    def test_HO10_the_old_process_is_not_needed(self):
        pair = self.pair()
        self.echo(pair)
        old = self.d.pids("proxy")
        self.renew()
        self.settled()
        self.assertFalse(any(map(proc.alive, old)))
        self.echo(pair)
        c = self.proxy()["counters"]
        self.assertEqual((1, 0, 1, 0), (c["taken_over"], c["received"],
                                        c["live"], c["ended"]))
        upstream, = self.d.ask("upstreams")["upstreams"]
        self.assertEqual((1, 0), (upstream["live"], upstream["total"]))

    def test_HO11_line_says_what_it_was(self):
        """Listener and rule have other numbers, or are gone."""
        pair = self.pair()
        other = free_port()
        conf = self.conf()
        conf["listen"] = ("127.0.0.1:%d" % other,)
        conf["routes"] = conf["routes"][1:]
        self.write(conf)
        self.renew()
        self.renew()
        self.settled()
        self.echo(pair)
        for s in pair:
            s.close()
        line = self.d.log.wait("conn .*end=fin")
        self.assertRegex(line, "listen=127.0.0.1:%d to=sink reason=route:2 "
                         "sni=sink.example" % self.port)
        self.assertRegex(line, " in=%d out=4 " % (len(HELLO) + 4))

    def test_HO12_half_closed(self):
        up, down = self.pair(), self.pair()
        up[0].shutdown(socket.SHUT_WR)
        self.assertEqual(b"", up[1].recv(1))
        down[1].shutdown(socket.SHUT_WR)
        self.assertEqual(b"", down[0].recv(1))
        for _ in range(3):
            self.renew()
        self.settled()
        for a, b in (up[::-1], down):
            a.sendall(b"the rest")
            a.shutdown(socket.SHUT_WR)
            self.assertEqual((b"the rest", "fin"), net.read_end(b))

    def test_HO13_reset_goes_through(self):
        pair = self.pair()
        self.renew()
        self.settled()
        net.reset(pair[1])
        self.assertEqual((b"", "reset"), net.read_end(pair[0]))

    def test_HO14_removed_upstream_drains(self):
        pair = self.pair()
        conf = self.conf()
        conf["upstreams"]["other"] = conf["upstreams"].pop("sink")
        conf["routes"][1]["to"] = "other"
        self.write(conf)
        self.renew()
        self.renew()
        self.echo(pair)
        poll(lambda: ["running", "draining"] == [
            p["state"] for p in self.d.processes("proxy")],
            why=lambda: self.d.processes("proxy"))
        for s in pair:
            s.close()
        self.settled()

    def test_HO15_seconds_drain(self):
        self.write(self.conf(drain=0.5))
        self.renew()
        self.settled()
        pair = self.pair()
        self.write(self.conf())
        self.renew()
        self.assertEqual((b"", "reset"), net.read_end(pair[0]))
        self.d.log.wait("end=drain")
        self.settled()

    def test_HO16_stop_ends_them(self):
        """Nothing is handed to whom is to end as well."""
        self.write({**self.conf(), "drain": 0.3})
        self.renew()
        pair = self.pair()
        self.renew()
        self.d.stop()
        self.assertEqual(b"", net.read_end(pair[0])[0])

    def test_HO17_connecting_is_waited_for(self):
        """The backend's queue is full: the session has no other end yet."""
        full = net.Sink(backlog=0)
        self.addCleanup(full.stop)
        held = []
        while True:
            s = socket.socket()
            self.addCleanup(s.close)
            s.setblocking(False)
            s.connect_ex(full.sock.getsockname())
            held.append(s)
            if not select.select([], [s], [], 0.2)[1]:
                break
        conf = self.conf(connect_timeout=30.0)
        conf["upstreams"]["sink"]["address"] = full.address
        self.write(conf)
        self.renew()
        client = net.tcp(self.port)
        self.addCleanup(client.close)
        client.sendall(HELLO)
        poll(lambda: self.d.counter("proxy", "received") == 1)
        # The one in between ends first: nobody writes to its inbox any more.
        for _ in range(2):
            self.renew()
            poll(lambda: "draining" in [
                p["state"] for p in self.d.processes("proxy")])
        last = self.d.status()["generation"]
        poll(lambda: {last, last - 2} == {
            g["id"] for g in self.d.status()["generations"]},
            why=lambda: self.d.status()["generations"])
        for s in held:
            full.accept().close()
            s.close()
        backend = full.accept()
        self.addCleanup(backend.close)
        self.assertEqual(HELLO, net.read_exactly(backend, len(HELLO)))
        self.settled()
        self.echo((client, backend))
        self.assertEqual(1, self.proxy()["counters"]["taken_over"])


class Stream(threading.Thread):
    """Random bytes one way, for as long as told; compares hashes."""

    def __init__(self, src, dst, seed, pause=None):
        super().__init__()
        self.src, self.dst = src, dst
        self.rnd = random.Random(seed)
        self.pause = pause or (lambda n: 65536)
        self.sent, self.got = hashlib.sha256(), hashlib.sha256()
        self.bytes = 0
        self.done = threading.Event()
        self.fault = None
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        self.start()

    def run(self):
        block = self.rnd.randbytes(MIB)
        try:
            while not self.done.is_set():
                at = self.rnd.randrange(MIB // 2)
                part = block[at:at + self.rnd.randrange(1, MIB // 2)]
                self.sent.update(part)
                self.src.sendall(part)
            self.src.shutdown(socket.SHUT_WR)
        except OSError as e:
            self.fault = e

    def read(self):
        try:
            while part := self.dst.recv(self.pause(self.bytes)):
                self.got.update(part)
                self.bytes += len(part)
        except OSError as e:
            self.fault = e

    def check(self, case):
        self.join()
        self.reader.join()
        case.assertIsNone(self.fault)
        case.assertGreater(self.bytes, 0)
        case.assertEqual(self.sent.digest(), self.got.digest())


class TestBytes(HandoverCase):
    upgradable = True

    def streams(self, count, pause=None):
        out = []
        for i in range(count):
            client, backend = self.pair()
            out.append(Stream(client, backend, i, pause))
            out.append(Stream(backend, client, 100 + i, pause))
        return out

    def finish(self, streams):
        for s in streams:
            s.done.set()
        for s in streams:
            s.check(self)
        self.settled()
        self.assertEqual(0, self.d.counter("proxy", "ipc_bad"))

    def test_HO20_no_byte_lost_or_doubled(self):
        """Spliced both ways while generations follow one another."""
        streams = self.streams(3)
        for i in range(12):
            self.renew("upgrade" if i % 4 == 3 else "reload")
        self.finish(streams)

    def test_HO21_slow_readers(self):
        """Always something in a buffer or a pipe."""
        rnd = random.Random(21)
        streams = self.streams(3, lambda n: rnd.choice((100, 3000, 40000)))
        for _ in range(12):
            self.renew()
        self.finish(streams)

    def fill(self, pairs):
        """Both directions, until nothing moves: [(reader, hash)]."""
        sends, rnd = {}, random.Random(22)
        block = rnd.randbytes(65536)
        for pair in pairs:
            for a, b in (pair, pair[::-1]):
                a.setblocking(False)
                sends[a] = (b, hashlib.sha256())
        while True:
            _, ready, _ = select.select([], list(sends), [], 0.3)
            if not ready:
                return sends.values()
            for a in ready:
                try:
                    n = a.send(block)
                    sends[a][1].update(block[:n])
                except BlockingIOError:
                    pass

    def test_HO22_nobody_reads(self):
        """Full pipes, full buffers, stuck for generations."""
        pairs = [self.pair() for _ in range(8)]
        full = self.fill(pairs)
        for i in range(5):
            self.renew("upgrade" if i == 2 else "reload")
        self.settled()
        for pair in pairs:
            for s in pair:
                s.setblocking(True)
                s.settimeout(net.WAIT)
                s.shutdown(socket.SHUT_WR)
        for reader, want in full:
            got, end = net.read_end(reader)
            self.assertEqual("fin", end)
            self.assertEqual(want.hexdigest(),
                             hashlib.sha256(got).hexdigest())


class TestMany(HandoverCase):
    """A thousand sessions, twenty reloads, five upgrades."""

    upgradable = True
    many = 1000

    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 4 * self.many:
            self.skipTest("%d descriptors are not enough" % hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE,
                        (soft, hard))
        super().setUp()

    def rest(self):
        self.settled()
        pids = [self.d.pid, *self.d.pids("proxy")]
        return [len(os.listdir("/proc/%d/fd" % pid)) for pid in pids]

    def rss(self):
        return self.proxy()["rss_kib"]

    def test_HO30_thousand_sessions(self):
        pairs = []
        for _ in range(self.many):
            pairs.append(self.pair())
            self.echo(pairs[-1])        # an answer: no loop is suspected
        self.renew()
        fds, rss = self.rest(), self.rss()
        for i in range(20):
            self.renew("upgrade" if i % 4 == 3 else "reload")
            for pair in pairs[i::20]:
                self.echo(pair)
        self.assertEqual(fds, self.rest())
        self.assertLess(self.rss(), rss * 1.3 + 1024)
        for pair in pairs:
            self.echo(pair, b"all")
        c = self.proxy()["counters"]
        self.assertEqual((self.many, self.many, 0, 0), (
            c["taken_over"], c["live"], c["ended"], c["ipc_bad"]))
        for client, backend in pairs:
            client.close()
            backend.close()

    def test_HO31_in_a_hurry(self):
        """The next generation comes before the last is done."""
        pairs = [self.pair() for _ in range(200)]
        for _ in range(20):
            self.renew()
        self.settled()
        for pair in pairs:
            self.echo(pair)
        self.assertEqual(200, self.proxy()["counters"]["live"])

    def test_HO32_pings_while_it_happens(self):
        """Every one is answered, in order; bench/handover measures."""
        pairs = [self.pair() for _ in range(300)]
        fault, done, count = [], threading.Event(), [0]

        def ping():
            try:
                while not done.is_set():
                    for pair in pairs:
                        self.echo(pair, b"%064d" % count[0])
                        count[0] += 1
            except (OSError, AssertionError) as e:
                fault.append(e)
        thread = threading.Thread(target=ping)
        thread.start()
        for _ in range(5):
            self.renew()
            self.settled()
        done.set()
        thread.join()
        self.assertEqual([], fault)
