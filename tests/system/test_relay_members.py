"""The proxy alone: PROXY headers, members of an upstream, and their health."""

import select
import socket

import net
import relay
from harness import free_port, poll
from test_relay import RelayCase


class TestHeader(RelayCase):
    def one(self, version, peer, local, fail_first=False, **kwargs):
        sink = self.sink(**kwargs)
        address = [self.dead(), sink.address] if fail_first else sink.address
        p = self.proxy(address, send_proxy=version)
        client, conn = relay.connected_pair()
        with client, conn:
            client.sendall(b"first")
            client.shutdown(socket.SHUT_WR)
            select.select([conn], [], [], net.WAIT)
            p.give([conn.fileno()], [relay.record(peer=peer, local=local)])
            with sink.accept() as backend:
                head = net.read_proxy_header(backend)
                self.assertEqual((b"first", "fin"), net.read_end(backend))
        return head

    def test_PP10_families(self):
        v4 = ("192.0.2.7", 4000), ("198.51.100.1", 443)
        v6 = ("2001:db8::7", 4000), ("2001:db8::1", 443)
        for version, number in (("v1", 1), ("v2", 2)):
            for peer, local in (v4, v6):
                head = self.one(version, peer, local)
                self.assertEqual((number, peer, local),
                                 (head[0], head[2], head[3]))

    def test_PP10_unix(self):
        head = self.one("v2", ("192.0.2.7", 1), ("192.0.2.1", 2),
                        path=self.directory() + "/s")
        self.assertEqual(("192.0.2.7", 1), head[2])

    def test_PP10_once_after_fail_over(self):
        head = self.one("v2", ("192.0.2.7", 1), ("192.0.2.1", 2),
                        fail_first=True)
        self.assertEqual(("192.0.2.7", 1), head[2])

    def test_PP10_without_addresses(self):
        self.assertEqual((2, 0, None, None, b""), self.one("v2", None, None))

    def test_PP10_with_the_first_bytes(self):
        """One segment: the backend never sees a header alone."""
        sink = self.sink()
        p = self.proxy(sink.address, send_proxy="v2")
        client, conn = relay.connected_pair()
        with client, conn:
            client.sendall(b"first")
            select.select([conn], [], [], net.WAIT)
            p.give([conn.fileno()])
            with sink.accept() as backend:
                self.assertTrue(backend.recv(1000).endswith(b"first"))

    def test_PP10_silent_client(self):
        """The header does not wait for bytes that may never come."""
        sink = self.sink()
        p = self.proxy(sink.address, send_proxy="v2")
        client, backend = self.pair(p, sink)
        self.assertEqual(2, net.read_proxy_header(backend)[0])


class TestMembers(RelayCase):
    def test_UP10_all_down(self):
        p = self.proxy([self.dead(), self.dead()])
        for i in range(3):
            self.assertEqual("reset", self.ask(p))
        self.assertEqual(3, p.stat("connect_failed"))
        self.assertEqual(["down", "down"], [p.state(0), p.state(1)])
        self.assertEqual(6, p.cell(0, "failed") + p.cell(1, "failed"))

    def test_UP11_down_is_skipped(self):
        """One failure is enough for a while."""
        b = self.backend()
        p = self.proxy([self.dead(), b.address])
        for i in range(10):
            self.assertEqual("b", self.ask(p))
        self.assertEqual(1, p.cell(0, "failed"))
        self.assertEqual(10, p.cell(1, "total"))
        self.assertEqual(["down", "up"], [p.state(0), p.state(1)])

    def test_UP12_comes_back(self):
        """Skipped for a second or so, not for ever; used at once where
        there is no other."""
        port = free_port()
        p = self.proxy("127.0.0.1:%d" % port)
        self.assertEqual("reset", self.ask(p))
        self.assertEqual("down", p.state(0))
        with socket.create_server(("127.0.0.1", port)):
            p.client().close()
            poll(lambda: p.state(0) == "up")

    def test_UP13_connect_timeout(self):
        """P12, RE8: a backend that does not answer."""
        b = self.backend()
        p = self.proxy([self.full(), b.address], connect_timeout=0.3)
        self.assertEqual("b", self.ask(p))
        self.assertEqual("down", p.state(0))
        alone = self.proxy(self.full(), connect_timeout=0.3)
        self.assertEqual("reset", self.ask(alone))

    def test_UP14_client_gives_up_while_connecting(self):
        p = self.proxy(self.full(), connect_timeout=60.0)
        c = p.client()
        poll(lambda: p.stat("live") == 1)
        net.reset(c)
        poll(lambda: p.stat("live") == 0)
        p.log.wait("end=client-reset")

    def test_UP15_bytes_kept_for_the_next_address(self):
        sink = self.sink()
        p = self.proxy([self.full(), sink.address], connect_timeout=0.3)
        client, backend = self.pair(p, sink)
        client.sendall(b"kept")
        self.assertEqual(b"kept", net.read_exactly(backend, 4))

    def test_UP16_round_robin(self):
        two = [self.backend(n) for n in "ab"]
        p = self.proxy([b.address for b in two])
        self.assertEqual("abababab", "".join(self.ask(p) for i in range(8)))

    def test_UP17_least_conn(self):
        sinks = [self.sink() for i in range(2)]
        p = self.proxy([s.address for s in sinks], balance="least-conn")
        self.pair(p, sinks[0])
        held, end = self.pair(p, sinks[1])
        held.close()
        end.close()
        poll(lambda: p.stat("live") == 1)
        for i in range(3):              # the first one is busy
            c, e = self.pair(p, sinks[1])
            c.close()
            e.close()
            poll(lambda: p.stat("live") == 1)

    def test_UP18_hash(self):
        four = [self.backend(n) for n in "abcd"]
        p = self.proxy([b.address for b in four], balance="hash")
        peers = [("198.51.100.%d" % i, 5) for i in range(30)]
        first = [self.ask(p, peer=a) for a in peers]
        again = [self.ask(p, peer=(a[0], 6)) for a in peers]
        self.assertEqual(first, again)
        self.assertEqual(set("abcd"), set(first))
        four[0].stop()
        after = [self.ask(p, peer=a) for a in peers]
        for was, now in zip(first, after):
            self.assertEqual(was if was != "a" else now, now)

    def test_UP19_unix_backlog_is_waited_for(self):
        path = self.directory() + "/s"
        sink = self.sink(path=path, backlog=0)
        p = self.proxy("unix:" + path)
        clients = [p.client() for i in range(5)]
        for c in clients:
            self.addCleanup(c.close)
            with sink.accept() as b:
                b.sendall(b"hi")
        for c in clients:
            self.assertEqual((b"hi", "fin"), net.read_end(c))
        self.assertEqual(0, p.stat("connect_failed"))

    def test_UP20_unix_sockets_in_two_directories(self):
        b = [self.backend(n, path=self.directory() + "/s") for n in "ab"]
        p = self.proxy([x.address for x in b])
        self.assertEqual("abab", "".join(self.ask(p) for i in range(4)))

    def test_UP21_name_without_address(self):
        """Ready all the same; resets; goes so that a new one looks again."""
        p = self.proxy("nowhere.invalid:443")
        self.assertEqual("reset", self.ask(p))
        p.log.wait("nowhere.invalid")
        self.assertEqual(0, p.proc.wait(net.WAIT * 2))


class TestHealth(RelayCase):
    conf = {"interval": 0.1, "timeout": 0.5, "rise": 2, "fall": 2}

    def test_HC1_down_and_up(self):
        port = free_port()
        p = self.proxy("127.0.0.1:%d" % port, health=self.conf)
        poll(lambda: p.state(0) == "down")
        with socket.create_server(("127.0.0.1", port)):
            poll(lambda: p.state(0) == "up")
        poll(lambda: p.state(0) == "down")
        self.assertEqual(0, p.stat("received"))

    def test_HC2_local_header(self):
        """L23: what ocserv takes for a probe."""
        sink = self.sink()
        p = self.proxy(sink.address, send_proxy="v2", health=self.conf)
        with sink.accept() as b:
            self.assertEqual((2, 0, None, None, b""),
                             net.read_proxy_header(b))
            self.assertEqual((b"", "fin"), net.read_end(b))
        poll(lambda: p.state(0) == "up")

    def test_HC3_none_without_the_group(self):
        """L8: nothing connects before a client does."""
        sink = self.sink()
        p = self.proxy(sink.address)
        self.pair(p, sink)              # some turns of its loop
        self.assertFalse(sink.pending())
