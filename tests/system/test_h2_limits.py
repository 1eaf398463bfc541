"""H2-9, H2-12, H2-15, H2-17, P8: how long a client of HTTP/2 may take, how a
connection ends, and what it may hold."""

import threading

import h2wire
import harness
import net
import proc
from h2wire import (ACK, CANCEL, DATA, END_STREAM, HEADERS, NO_ERROR, PING,
                    WINDOW, block, frame, head)
from site_case import BIG, INDEX
from test_h2 import H2Case, u32


class DeadlineCase(H2Case):
    def ends(self, c, word="timeout", error=NO_ERROR):
        mark = self.daemon.log.mark()
        self.assertIn(c.end(), (error, "fin"))
        c.sock.close()
        self.daemon.log.wait("conn .*end=" + word, mark)


class TestH2HeadDeadline(DeadlineCase):
    limits = {"header_timeout": 2.0, "idle_timeout": 600.0}

    def test_H2_15_nothing_comes(self):
        self.ends(self.h2(start=False, ack=False))

    def test_H2_15_settings_never_acked(self):
        """Whatever else it does."""
        c = self.h2(ack=False)
        self.assertEqual(200, c.get().status)
        one = c.request(head(b"/big.bin"))      # more than its window
        self.ends(c, error=h2wire.SETTINGS_TIMEOUT)
        self.assertEqual(h2wire.SETTINGS_TIMEOUT, c.goaways[-1].code)
        self.assertGreater(len(c.answers[one].body), 0)

    def test_H2_15_settings_acked_once(self):
        """And then it may take its time."""
        c = self.h2()
        self.assertEqual(200, c.get().status)
        other = self.h2(ack=False)
        self.assertEqual(h2wire.SETTINGS_TIMEOUT, other.end())
        self.assertEqual(200, c.get().status)

    def test_H2_4_head_never_ends(self):
        c = self.h2()
        self.assertTrue(c.ping())       # SETTINGS are acknowledged
        c.send(frame(HEADERS, END_STREAM, 1, block(head())))
        self.ends(c)

    def test_H2_12_body_never_ends(self):
        c = self.h2()
        s = c.request(head(b"/", method=b"POST"), end=False)
        a = c.answer(s)
        c.until(lambda: a.reset is not None)
        self.assertEqual((405, CANCEL), (a.status, a.reset))


class TestH2Deadlines(DeadlineCase):
    limits = {"header_timeout": 2.0, "idle_timeout": 3.0}

    def test_H2_9_zero_window_for_ever(self):
        """Nothing that it sends makes it wait longer."""
        c = self.h2(settings=((h2wire.INITIAL_WINDOW, 0),), credit=False)
        s = c.request(head(b"/big.bin"))
        done = threading.Event()

        def keep_busy():
            while not done.wait(0.2):
                c.send(frame(PING, 0, 0, b"12345678"))
        t = threading.Thread(target=keep_busy)
        t.start()
        a = c.answer(s)
        done.set()
        t.join()
        self.assertEqual(CANCEL, a.reset)
        self.ends(c)

    def test_H2_9_reads_no_more(self):
        c = self.h2(rcvbuf=4096, settings=(
            (h2wire.INITIAL_WINDOW, 2**31 - 1),))
        mark = self.daemon.log.mark()
        c.send(frame(WINDOW, 0, 0, u32(2**30)))
        for _ in range(5):
            c.request(head(b"/big.bin"))
        self.daemon.log.wait("conn .*end=timeout", mark)

    def test_H2_15_idle(self):
        c = self.h2()
        c.get()
        self.ends(c)


class TestH2Drain(H2Case):
    def test_H2_17_goaway_twice(self):
        c = self.h2(credit=False)
        self.assertEqual(200, c.get().status)
        big = c.request(head(b"/big.bin"))
        c.until(lambda: big in c.answers and c.answers[big].body)
        mark = self.daemon.log.mark()
        self.assertEqual(0, self.daemon.ctl("reload").returncode)
        c.ack = False
        c.until(lambda: c.goaways)
        self.assertEqual((2**31 - 1, NO_ERROR), (c.goaways[0].last,
                                                 c.goaways[0].code))
        # It was under way when the client was told.
        late = c.request()
        f = c.read()
        while f.kind != PING:
            f = c.read()
        c.ack = c.credit = True
        c.send(frame(PING, ACK, 0, f.data))
        c.until(lambda: len(c.goaways) == 2)
        self.assertEqual((late, NO_ERROR), (c.goaways[1].last,
                                            c.goaways[1].code))
        never = c.request()
        c.send(frame(WINDOW, 0, 0, u32(1 << 24)),
               frame(WINDOW, 0, big, u32(1 << 24)))
        self.assertEqual(INDEX, c.answer(late).body)
        self.assertEqual(BIG, c.answer(big).body)
        self.assertEqual(NO_ERROR, c.end())
        self.assertNotIn(never, c.answers)
        c.sock.close()
        self.daemon.log.wait("conn .*end=drain", mark)

    def test_H2_17_idle_goes_at_once(self):
        c = self.h2()
        self.assertEqual(200, c.get().status)
        self.assertEqual(0, self.daemon.ctl("reload").returncode)
        self.assertEqual(NO_ERROR, c.end())
        self.assertEqual(2, len(c.goaways))

    def test_H2_17_silent_client(self):
        """Does not answer the PING: it had its second."""
        c = self.h2(ack=False)
        self.assertEqual(200, c.get().status)
        self.assertEqual(0, self.daemon.ctl("reload").returncode)
        self.assertEqual(NO_ERROR, c.end())
        self.assertEqual(2, len(c.goaways))

    def test_H2_17_new_ones_get_an_answer(self):
        """Who came and has not asked yet."""
        c = self.h2()
        self.assertTrue(c.ping())
        self.assertEqual(0, self.daemon.ctl("reload").returncode)
        self.assertEqual(INDEX, c.get().body)
        self.assertEqual(NO_ERROR, c.end())


class TestH2Memory(H2Case):
    modes = ("root",)
    more = {"processes": {"worker": 1, "tlsterm": 1, "keys": 1}}
    N = 20

    def grow(self, fields, body=None):
        """KiB that a connection costs which has as many requests as it may,
        takes nothing and sends all it can; to a daemon that has not seen
        any before."""
        sink = net.Sink()
        # What it never accepts would be alive, to the counters.
        d = self.start({**self.configure_site(),
                        "upstreams": {"app": {"address": sink.address}}})
        self.addCleanup(sink.stop)
        pid, = d.pids("tlsterm")
        before, conns = None, []
        for i in range(self.N + 5):
            if i == 5:
                before = proc.rss_kib(pid)
            c = h2wire.Client(
                net.tls(self.own_port, "blog.example", h2wire.CONTEXT),
                settings=((h2wire.INITIAL_WINDOW, 0),), credit=False)
            conns.append(c)
            self.addCleanup(c.sock.close)
            self.assertTrue(c.ping())
            for s in range(1, 200, 2):
                c.request(fields, stream=s, end=body is None)
            for s in range(1, 20, 2) if body else ():
                c.send(frame(DATA, 0, s, body))
            self.assertTrue(c.ping())
        return (proc.rss_kib(pid) - before) / self.N

    def configure_site(self):
        self.own_port = harness.free_port()
        return {"listen": ("127.0.0.1:%d" % self.own_port,),
                "sites": {"blog": {
                    "names": ["blog.example"], "root": self.root,
                    "proxy": ({"path": "/app", "to": "app"},)}},
                "fallback": "blog", **self.more}

    def test_P8_h2_files(self):
        self.assertLess(self.grow(head(b"/big.bin")), 256)

    def test_P8_h2_texts(self):
        self.assertLess(self.grow(head(b"/" + b"x" * 200)), 256)

    def test_P8_h2_requests_for_an_upstream(self):
        long = [(b"x%d" % i, b"y" * 150) for i in range(90)]
        self.assertLess(self.grow(head(b"/app/x", *long)), 256)

    def test_P8_h2_bodies_for_an_upstream(self):
        self.assertLess(self.grow(head(b"/app/x", method=b"POST"),
                                  b"x" * 12000), 256)
