"""DN*: what becomes of a site's connections when a generation ends."""

import net
from harness import poll
from site_case import BIG, INDEX, SiteCase


class DrainCase(SiteCase):
    limits = {"handshake_timeout": 60.0, "header_timeout": 60.0,
              "idle_timeout": 60.0}

    def renew(self):
        """Returns when who has connections knows that they are the last."""
        old = self.daemon.status()["generation"]
        got = self.daemon.ask("reload")
        self.assertTrue(got["ok"], got)
        poll(lambda: not [p for p in self.daemon.processes("tlsterm")
                          if p["generation"] == old and
                          p["state"] == "running"])

    def settled(self):
        poll(lambda: len(self.daemon.status()["generations"]) == 1,
             why=lambda: "old processes stay: %s" % [
                 p for p in self.daemon.processes()
                 if p["state"] != "running"])

    def begin_big(self, s):
        """The head of a large answer, and some of its body."""
        s.sendall(b"GET /big.bin HTTP/1.1\r\nHost: open.example\r\n\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += net.read_exactly(s, 1)
        return net.read_exactly(s, 1000)


class TestDrain(DrainCase):
    """Nothing is cut, and nothing keeps the old processes for long."""

    more = {"drain": 600.0}

    def both(self, **kwargs):
        """The same site with TLS and without, one after the other.  Python's
        ssl insists on a close_notify at the end."""
        for make in (net.tcp, lambda *a, **k: net.tls(
                self.port, "open.example", **k)):
            with make(self.plain, **kwargs) as s:
                yield s
                self.assertEqual(b"", s.recv(1))
            self.settled()

    def test_DN1_kept_connection_ends_in_order(self):
        for s in self.both():
            self.assertEqual(200, self.get("/", sock=s)[0])
            self.renew()

    def test_DN2_answer_under_way_is_finished(self):
        for s in self.both(rcvbuf=4096):
            part = self.begin_big(s)
            self.renew()
            self.assertEqual(BIG, part + net.read_exactly(
                s, len(BIG) - len(part)))

    def test_DN3_first_request_is_answered_and_the_last(self):
        for i in range(2):      # the second: one more generation between
            s = self.tls()
            for _ in range(i + 1):
                self.renew()
            status, fields, body = self.get("/", "blog.example", sock=s)
            self.assertEqual((200, INDEX, "close"),
                             (status, body, fields["connection"]))
            self.assertEqual(b"", s.recv(1))
            self.settled()

    def test_DN4_pipelined_requests(self):
        """The one that was begun is answered; those behind it may be asked
        again elsewhere, for they were not."""
        with net.tcp(self.plain, rcvbuf=4096) as s:
            part = self.begin_big(s)
            s.sendall(b"GET / HTTP/1.1\r\nHost: open.example\r\n\r\n" * 3)
            self.renew()
            self.assertEqual(BIG, part + net.read_exactly(
                s, len(BIG) - len(part)))
            got = net.read_end(s)[0]
            self.assertLessEqual(got.count(b"HTTP/1.1 "), 1)
            self.assertEqual(got.count(b"HTTP/1.1 "),
                             got.lower().count(b"connection: close"))
        self.settled()


class TestDrainLimit(DrainCase):
    more = {"drain": 0.5}

    def test_DN5_then_it_is_over(self):
        with net.tcp(self.plain, rcvbuf=4096) as s:
            self.begin_big(s)
            mark = self.daemon.log.mark()
            self.renew()
            self.settled()      # although nobody reads
            self.daemon.log.wait("1 connections did not end in time", mark)
            self.assertLess(len(net.read_end(s)[0]), len(BIG))
