"""H2-*: HTTP/2."""

import struct

import h2wire
import net
import proc
from h2wire import (CANCEL, COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS,
                    END_STREAM, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR,
                    FRAME_SIZE_ERROR, GOAWAY, HEADERS, NO_ERROR, PADDED, PING,
                    PREFACE, PRIORITY, PROTOCOL_ERROR, RST, SETTINGS,
                    STREAM_CLOSED, WINDOW, block, frame, head, integer,
                    literal)
from site_case import BIG, INDEX, SiteCase

CALM = ENHANCE_YOUR_CALM


def u32(n):
    return struct.pack(">I", n)


class H2Case(SiteCase):
    def h2(self, name="blog.example", rcvbuf=None, **kwargs):
        s = net.tls(self.port, name, h2wire.CONTEXT, rcvbuf=rcvbuf)
        self.addCleanup(s.close)
        self.assertEqual("h2", s.selected_alpn_protocol())
        return h2wire.Client(s, **kwargs)

    def works(self):
        """Others are served as if nothing had happened."""
        self.assertEqual(INDEX, self.h2().get().body)


class TestH2(H2Case):
    def test_H2_0_files(self):
        c = self.h2()
        for path, want in ((b"/", INDEX), (b"/sub/page.txt", b"page\n"),
                           (b"/empty.txt", b""), (b"/big.bin", BIG)):
            a = c.get(path)
            self.assertEqual((200, len(want)), (a.status, len(a.body)))
            self.assertEqual(want, a.body, path)
            self.assertEqual((str(len(want)), "l4mux", "yes"),
                             (a.fields["content-length"],
                              a.fields["server"], a.fields["x-test"]))
            self.assertRegex(a.fields["date"], r"GMT$")
            self.assertNotIn("connection", a.fields)
        a = c.get(b"/", method=b"HEAD")
        self.assertEqual((200, str(len(INDEX)), b""), (
            a.status, a.fields["content-length"], a.body))
        a = c.get(b"/nothing")
        self.assertEqual((404, b"<p>not here\n"), (a.status, a.body))
        self.assertEqual(405, c.get(b"/", method=b"POST").status)
        self.assertEqual(400, c.get(b"/../x").status)
        a = c.get(b"/sub/page.txt", (b"range", b"bytes=1-2"))
        self.assertEqual((206, b"ag"), (a.status, a.body))
        etag = c.get(b"/style.css").fields["etag"].encode()
        a = c.get(b"/style.css", (b"if-none-match", etag))
        self.assertEqual((304, b""), (a.status, a.body))
        self.assertNotIn("content-length", a.fields)
        self.assertEqual(204, c.get(b"*", method=b"OPTIONS").status)

    def test_H2_0_counters(self):
        def counted():
            return [self.daemon.counter("tlsterm", k)
                    for k in ("requests", "responses_2xx", "responses_4xx")]
        before = counted()
        c = self.h2()
        c.get()
        c.get(b"/nothing")
        self.assertEqual([2, 1, 1],
                         [a - b for a, b in zip(counted(), before)])

    def test_H2_0_alpn(self):
        for offer, want in ((("h2", "http/1.1"), "h2"),
                            (("http/1.1", "h2"), "h2"),
                            (("http/1.1",), "http/1.1"), ((), None)):
            s = self.tls(ctx=net.tls_context(offer))
            self.assertEqual(want, s.selected_alpn_protocol())

    def test_H2_0_misdirected(self):
        c = self.h2("open.example")
        for name, want in ((b"open.example", 200), (b"OPEN.example:44", 200),
                           (b"www.blog.example", 421)):
            self.assertEqual(want, c.get(authority=name).status, name)
        self.assertEqual(302, self.h2("www.blog.example").get(
            authority=b"www.blog.example").status)

    def test_H2_0_many_at_a_time(self):
        c = self.h2()
        streams = [c.request(head(b"/sub/page.txt" if i % 2 else b"/big.bin"))
                   for i in range(40)]
        for i, s in enumerate(streams):
            self.assertEqual(b"page\n" if i % 2 else BIG,
                             c.answer(s).body)

    def test_H2_0_streams_share(self):
        """Neither waits for the other's end."""
        c = self.h2()
        one, two = (c.request(head(b"/big.bin")) for _ in range(2))
        c.until(lambda: c.answers[one].done or c.answers[two].done
                if one in c.answers and two in c.answers else False)
        least = min(len(c.answers[s].body) for s in (one, two))
        self.assertGreater(least, len(BIG) // 2)
        for s in (one, two):
            self.assertEqual(BIG, c.answer(s).body)

    def test_H2_0_bodies_nobody_wants(self):
        c = self.h2()
        a = c.upload(head(b"/", method=b"POST"), b"x" * 200000)
        self.assertEqual((405, None), (a.status, a.reset))
        a = c.upload(head(b"/", method=b"POST"), b"x" * 3000000)
        self.assertEqual((405, NO_ERROR), (a.status, a.reset))
        self.assertEqual(200, c.get().status)

    def test_H2_0_cut_anywhere(self):
        """A request with a body, of which a part came before."""
        fields = block(head(method=b"POST"))
        body = frame(DATA, END_STREAM, 1, b"body")
        for flags, more in ((0, b""), (0x20, b"\0\0\0\0\x10"),
                            (PADDED, b"\0")):
            request = frame(HEADERS, END_HEADERS | flags, 1, more + fields)
            for cut in range(1, 24):
                c = self.h2()
                c.sock.sendall(request[:cut])
                c.sock.sendall(request[cut:] + body)
                self.assertEqual(405, c.answer(1).status, (flags, cut))

    def test_H2_1_rapid_reset(self):
        c = self.h2()
        get = block(head(b"/big.bin"))
        cpu = self.daemon.cpu("tlsterm")
        c.send(*(frame(HEADERS, 5, s, get) + frame(RST, 0, s, u32(CANCEL))
                 for s in range(1, 801, 2)))
        self.assertEqual(CALM, c.end())
        self.assertLess(c.goaways[-1].last, 2 * 300)
        c = self.h2()
        for i in range(1, 200001, 2 * 50):
            if not c.send(*(frame(HEADERS, 5, s, get) +
                            frame(RST, 0, s, u32(CANCEL))
                            for s in range(i, i + 100, 2))):
                break
        else:
            self.fail("100000 resets are too many")
        self.assertLess(self.daemon.cpu("tlsterm") - cpu, 2.0)
        self.works()

    def test_H2_1_some_resets_are_fine(self):
        c = self.h2()
        for s in range(1, 100, 2):
            c.send(frame(HEADERS, 5, s, block(head(b"/big.bin"))),
                   frame(RST, 0, s, u32(CANCEL)))
        c.next = 101
        self.assertEqual(200, c.get().status)

    def made_to_reset(self, *wrong, fields=head(b"/big.bin"), flags=5,
                      want=CALM):
        """Streams that it has to reset, one after the other; or the
        connection goes with the first."""
        c = self.h2(credit=False)
        for s in range(1, 2000, 2):
            if not c.send(frame(HEADERS, flags, s, block(fields)),
                          *(f(s) for f in wrong)):
                break
        self.assertEqual(want, c.end())
        self.works()

    def test_H2_2_made_you_reset(self):
        self.made_to_reset(lambda s: frame(WINDOW, 0, s, u32(0)),
                           want=PROTOCOL_ERROR)

    def test_H2_2_window_overflow(self):
        self.made_to_reset(lambda s: frame(WINDOW, 0, s, u32(2**31 - 1)))

    def test_H2_2_malformed(self):
        self.made_to_reset(fields=head(b"/", (b"connection", b"x")))

    def test_H2_2_half_closed(self):
        self.made_to_reset(lambda s: frame(DATA, 0, s, b"x"),
                           want=STREAM_CLOSED)

    def test_H2_2_refused_streams(self):
        c = self.h2(ack=False, settings=((h2wire.INITIAL_WINDOW, 0),))
        for s in range(1, 1000, 2):
            if not c.send(frame(HEADERS, 5, s, block(head(b"/big.bin")))):
                break
        self.assertIn(c.end(), (CALM, PROTOCOL_ERROR))
        served = [a for a in c.answers.values() if a.status]
        self.assertLessEqual(len(served), 100)
        self.works()

    def continuation_flood(self, start, n, data):
        c = self.h2(ack=False)
        c.send(start)
        for _ in range(n):
            if not c.send(frame(CONTINUATION, 0, 1, data)):
                break
        self.assertEqual(CALM, c.end())
        self.works()

    def test_H2_4_continuation_flood(self):
        start = frame(HEADERS, END_STREAM, 1, block(head()))
        self.continuation_flood(start, 8, b"")
        self.continuation_flood(start, 1000, b"")
        self.continuation_flood(start, 1000, literal(b"a", b"b" * 10))
        self.continuation_flood(start, 5, literal(b"a", b"b" * 16300))
        # Four bytes for one, in a code that is meant to shorten.
        long = b"\xff\xff\xff\xcf\xff\xff\xfc" * 2300
        self.continuation_flood(start, 5, b"\0\1a" + integer(
            len(long), 7, 0x80) + long)

    def test_H2_4_continuation_on_a_reset_stream(self):
        c = self.h2()
        c.send(frame(HEADERS, 5, 1, block(head(b"/big.bin"))),
               frame(RST, 0, 1, u32(CANCEL)),
               frame(HEADERS, END_STREAM, 1, block(head())),
               *(frame(CONTINUATION, 0, 1, b"") for _ in range(100)))
        self.assertIn(c.end(), (CALM, STREAM_CLOSED))

    def test_H2_4_some_continuations_are_fine(self):
        c = self.h2()
        data = block(head(b"/", (b"x", b"y" * 1000)))
        cut = [data[i:i + 200] for i in range(0, len(data), 200)]
        self.assertLessEqual(len(cut), 7)
        c.send(frame(HEADERS, END_STREAM, 1, cut[0]),
               *(frame(CONTINUATION, 0, 1, x) for x in cut[1:-1]),
               frame(CONTINUATION, END_HEADERS, 1, cut[-1]))
        self.assertEqual(200, c.answer(1).status)

    def test_H2_5_too_many_fields(self):
        c = self.h2()
        few = [(b"x%d" % i, b"y") for i in range(98)]
        self.assertEqual(200, c.get(b"/", *few).status)
        many = [(b"x%d" % i, b"y") for i in range(101)]
        self.assertEqual(431, c.get(b"/", *many).status)
        self.assertEqual(431, c.answer(self.big_head(c, 26)).status)
        self.assertEqual(200, c.answer(self.big_head(c, 20)).status)
        self.assertEqual(414, c.get(b"/" + b"x" * 8192).status)
        self.assertEqual(200, c.get().status)

    def big_head(self, c, kib):
        """A request of that size, in two frames."""
        stream, c.next = c.next, c.next + 2
        data = block(head() + [(b"x%d" % i, b"y" * 1000)
                               for i in range(kib)])
        c.send(frame(HEADERS, END_STREAM, stream, data[:16384]),
               frame(CONTINUATION, END_HEADERS, stream, data[16384:]))
        return stream

    def test_H2_5_indexed_bomb(self):
        """One byte on the wire stands for 4 KiB."""
        c = self.h2()
        # A field that fills the dynamic table, then references to it.
        c.send(frame(HEADERS, 5, 1, block(head()) +
                     literal(b"x", b"y" * 3900, 0x40)))
        self.assertEqual(200, c.answer(1).status)
        cpu = self.daemon.cpu("tlsterm")
        c.send(frame(HEADERS, 5, 3, block(head()) + b"\xbe" * 16000))
        self.assertEqual(CALM, c.end())
        self.assertLess(self.daemon.cpu("tlsterm") - cpu, 1.0)
        self.works()

    def hpack_error(self, data, want=COMPRESSION_ERROR):
        c = self.h2()
        c.send(frame(HEADERS, 5, 1, data))
        self.assertEqual(want, c.end(), data)

    def test_H2_6_table_size_updates(self):
        get = block(head())
        self.hpack_error(integer(4097, 5, 0x20) + get)
        self.hpack_error(integer(2**31, 5, 0x20) + get)
        self.hpack_error(get + integer(0, 5, 0x20))
        c = self.h2()
        c.send(frame(HEADERS, 5, 1, integer(0, 5, 0x20) +
                     integer(4096, 5, 0x20) + get))
        self.assertEqual(200, c.answer(1).status)
        c = self.h2()
        c.send(frame(HEADERS, 5, 1, integer(0, 5, 0x20) * 1000 + get))
        self.assertIn(c.answer(1).status or c.end(),
                      (200, COMPRESSION_ERROR))

    def test_H2_7_hpack_broken(self):
        get = block(head())
        for bad in (b"\x00\x81\xff\x00", b"\x00\x01x\x84\xff\xff\xff\xff",
                    b"\x7f" + b"\xff" * 5, b"\xff" * 6, b"\x80",
                    b"\xff\x80\x80\x01", b"\x00\x7f\xff\xff\xff\xff\xff",
                    b"\x00\x05abc"):
            self.hpack_error(get + bad)
        self.works()

    def flood(self, data, want=(CALM,), **kwargs):
        """Sends until the other side has enough, without a look at what it
        has to say; its memory stays what it was."""
        c = self.h2(rcvbuf=4096, **kwargs)
        c.read()
        rss = max(proc.rss_kib(p) for p in self.daemon.pids("tlsterm"))
        sent = 0
        while sent < 50_000_000 and c.send(data):
            sent += len(data)
        self.assertLess(sent, 50_000_000)
        self.assertLess(max(proc.rss_kib(p) for p in self.daemon.pids(
            "tlsterm")) - rss, 4096)
        got = c.end()
        # What we sent last may not have got through.
        self.assertIn(got, want + ("reset",))
        self.works()

    def test_H2_8_settings(self):
        self.flood(frame(SETTINGS) * 100)

    def test_H2_8_ping(self):
        self.flood(frame(PING, 0, 0, b"12345678") * 100)

    def test_H2_8_empty_data(self):
        self.flood(frame(HEADERS, END_HEADERS, 1, block(head())) +
                   frame(DATA, 0, 1) * 3000)

    def test_H2_8_padding_only(self):
        self.flood(frame(HEADERS, END_HEADERS, 1, block(head())) +
                   frame(DATA, 8, 1, b"\0") * 3000)

    def test_H2_8_zero_headers(self):
        c = self.h2()
        c.send(*(frame(HEADERS, 5, s) for s in range(1, 801, 2)))
        self.assertEqual(CALM, c.end())
        c = self.h2()
        # Names without a length.
        c.send(*(frame(HEADERS, 5, s, b"\x00\x00\x00" * 10)
                 for s in range(1, 801, 2)))
        self.assertEqual(CALM, c.end())

    def test_H2_8_priority(self):
        self.flood(frame(PRIORITY, 0, 1, u32(3) + b"\1") * 100)

    def test_H2_8_unknown(self):
        self.flood(frame(0xb0, 0, 0, b"x") * 100)

    def test_H2_8_window_updates(self):
        self.flood(frame(WINDOW, 0, 0, u32(1)) * 100)

    def test_H2_8_many_pings_are_fine(self):
        c = self.h2()
        for _ in range(500):
            self.assertTrue(c.ping())
        self.assertEqual(200, c.get().status)

    def test_H2_8_small_windows_cost(self):
        """A byte at a time (CVE-2019-9511)."""
        c = self.h2(settings=((h2wire.INITIAL_WINDOW, 1),), credit=False)
        s = c.request(head(b"/big.bin"))
        c.until(lambda: s in c.answers and c.answers[s].body)
        body = c.answers[s]
        while len(body.body) < 30000:
            n = len(body.body) + 100
            # One in each record.
            for _ in range(100):
                c.send(frame(WINDOW, 0, s, u32(1)))
            if not c.until(lambda: len(body.body) >= n):
                break
        self.assertEqual(CALM, c.end())
        self.assertLess(len(c.answers[s].body), 30000)

    def test_H2_9_settings(self):
        for k, v in ((h2wire.INITIAL_WINDOW, 1),
                     (h2wire.HEADER_TABLE_SIZE, 2**32 - 1),
                     (h2wire.HEADER_TABLE_SIZE, 0),
                     (h2wire.MAX_FRAME, 2**24 - 1),
                     (h2wire.INITIAL_WINDOW, 2**31 - 1),
                     (h2wire.MAX_STREAMS, 0), (0xffff, 7)):
            c = self.h2(settings=((k, v),))
            if k == h2wire.HEADER_TABLE_SIZE:
                c.hpack.allow(v)
            for _ in range(2):
                a = c.get()
                self.assertEqual((200, INDEX), (a.status, a.body), (k, v))
        for k, v, want in ((h2wire.MAX_FRAME, 1, PROTOCOL_ERROR),
                           (h2wire.MAX_FRAME, 2**24, PROTOCOL_ERROR),
                           (h2wire.INITIAL_WINDOW, 2**31,
                            FLOW_CONTROL_ERROR), (2, 2, PROTOCOL_ERROR)):
            self.assertEqual(want, self.h2(settings=((k, v),)).end())

    def test_H2_9_window_zero_then_open(self):
        c = self.h2(settings=((h2wire.INITIAL_WINDOW, 0),))
        s = c.request()
        c.until(lambda: s in c.answers and c.answers[s].status)
        self.assertTrue(c.ping())
        self.assertEqual(b"", c.answers[s].body)
        c.send(frame(WINDOW, 0, s, u32(1000)))
        self.assertEqual(INDEX, c.answer(s).body)

    def test_H2_9_window_shrinks_below_zero(self):
        c = self.h2(credit=False)
        s = c.request(head(b"/big.bin"))
        c.until(lambda: s in c.answers and len(c.answers[s].body) == 65535)
        c.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 10)),
               frame(WINDOW, 0, 0, u32(1000000)))
        self.assertTrue(c.ping())
        self.assertEqual(65535, len(c.answers[s].body))
        c.send(frame(WINDOW, 0, s, u32(65525 + 5)))
        c.until(lambda: len(c.answers[s].body) > 65535)
        self.assertTrue(c.ping())
        self.assertEqual(65540, len(c.answers[s].body))

    def malformed(self, fields, want=PROTOCOL_ERROR, flags=5):
        c = self.h2()
        c.send(frame(HEADERS, flags, 1, block(fields)))
        a = c.answer(1)
        self.assertEqual((want, None), (a.reset, a.status), fields)
        c.next = 3
        self.assertEqual(200, c.get().status)

    def test_H2_11_pseudo_fields(self):
        for fields in (
                head() + [(b":path", b"/")],
                head() + [(b":method", b"GET")],
                head() + [(b"a", b"b"), (b":status", b"200")],
                [(b"a", b"b")] + head(),
                head() + [(b":unknown", b"x")],
                head(method=None), head(scheme=None), head(path=None),
                head(authority=None), head(path=b""), head(path=b"x"), head(path=b"*"), head() + [(b":protocol", b"websocket")]):
            self.malformed(fields)

    def test_H2_11_fields(self):
        for f in ((b"Upper", b"x"), (b"connection", b"close"),
                  (b"keep-alive", b"1"), (b"proxy-connection", b"x"),
                  (b"transfer-encoding", b"chunked"), (b"upgrade", b"h2c"),
                  (b"te", b"gzip"), (b"te", b"trailers, gzip"),
                  (b"x", b"a\rb"), (b"x", b"a\nb"), (b"x", b"a\0b"),
                  (b"x", b" a"), (b"x", b"a "), (b"x", b"\ta"),
                  (b"", b"x"), (b"a b", b"x"), (b"a:", b"x"),
                  (b"x\r\n", b"x"), (b"x", b"a\x7fb"),
                  (b"host", b"other.example"), (b"content-length", b"+1"),
                  (b"content-length", b"0, 0")):
            self.malformed(head(b"/", f))
        c = self.h2()
        for f in ((b"te", b"trailers"), (b"host", b"blog.example"),
                  (b"x", b""), (b"x", b"a\tb \xc3\xa9"),
                  (b"cookie", b"a=b"), (b"expect", b"100-continue")):
            self.assertEqual(200, c.get(b"/", f).status, f)
        self.assertEqual(200, c.get(
            b"/", (b"host", b"blog.example"), authority=None).status)

    def test_H2_11_targets(self):
        c = self.h2()
        for kwargs, want in (
                ({"method": b"FROB"}, 501), ({"method": b"TRACE"}, 405),
                ({"scheme": b"ftp"}, 400),
                ({"path": b"/a#b"}, 400), ({"path": b"/%00"}, 400)):
            self.assertEqual(want, c.get(**kwargs).status, kwargs)
        for name in (b"a/b", b"", b"u@blog.example", b"blog.example:99999",
                     b"a?b", b"blog.example,x", b"a b"):
            a = c.get(authority=name)
            self.assertIn(a.status or a.reset, (400, PROTOCOL_ERROR), name)
        a = c.answer(c.request([(b":method", b"CONNECT"),
                                (b":authority", b"blog.example:443")]))
        self.assertEqual(405, a.status)
        self.assertEqual(200, c.get().status)

    def test_H2_12_content_length(self):
        post = head(b"/", (b"content-length", b"5"), method=b"POST")
        for body in (b"1234", b"123456", b""):
            c = self.h2()
            c.request(post, body)
            a = c.answer(1)
            c.until(lambda: a.reset is not None)
            self.assertEqual(PROTOCOL_ERROR, a.reset, body)
        self.malformed(post)
        c = self.h2()
        self.assertEqual(405, c.answer(c.request(post, b"12345")).status)
        self.malformed(post + [(b"content-length", b"5")], flags=4)

    def test_H2_14_input_after_the_end(self):
        for wrong in (frame(WINDOW, 0, 0, u32(0)), frame(PING, 0, 0, b"x"),
                      frame(PING, 0, 1, b"12345678"),
                      frame(HEADERS, 5, 1, b"\x80")):
            c = self.h2()
            c.send(wrong, frame(PING, 0, 0, b"x"), frame(SETTINGS, 0, 0,
                                                         b"x"),
                   frame(DATA, 0, 1, b"x" * 20000), b"\xff" * 100)
            self.assertIn(c.end(), (PROTOCOL_ERROR, FRAME_SIZE_ERROR,
                                    COMPRESSION_ERROR, "reset"))
            # Not a byte after the last word.
            self.assertEqual(1, len(c.goaways))
        self.works()

    def test_H2_14_nothing_after_goaway(self):
        c = self.h2(credit=False)
        c.request(head(b"/big.bin"))
        c.until(lambda: 1 in c.answers and c.answers[1].body)
        c.send(frame(PING, 0, 0, b"x"))
        seen = []
        while (f := c.read()) is not None:
            seen.append(f.kind)
        self.assertEqual(GOAWAY, seen[-1])

    def test_H2_14_client_goaway(self):
        c = self.h2()
        s = c.request(head(b"/big.bin"))
        c.send(frame(GOAWAY, 0, 0, u32(0) + u32(0)))
        self.assertEqual(BIG, c.answer(s).body)
        self.assertIn(c.end(), (NO_ERROR, "fin"))

    def test_H2_15_preface(self):
        s = PREFACE + frame(SETTINGS) + frame(HEADERS, 5, 1, block(head()))
        for cut in range(1, len(PREFACE) + 10):
            c = self.h2(start=False)
            c.send(s[:cut])
            c.send(s[cut:])
            self.assertEqual(200, c.answer(1).status, cut)
        c = self.h2(start=False)
        for i in range(len(s)):
            c.send(s[i:i + 1])
        self.assertEqual(200, c.answer(1).status)

    def test_H2_15_no_preface(self):
        for data in (b"GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n",
                     PREFACE[:-1] + b"x", b"\x16\x03\x01" + b"\0" * 40,
                     PREFACE + frame(HEADERS, 5, 1, block(head())),
                     PREFACE + frame(PING, 0, 0, b"12345678"),
                     PREFACE + PREFACE):
            c = self.h2(start=False)
            c.send(data)
            self.assertIn(c.end(), (PROTOCOL_ERROR, FRAME_SIZE_ERROR))
        self.works()

    def test_H2_15_preface_is_not_http1(self):
        s = self.tls()
        s.sendall(PREFACE + frame(SETTINGS))
        self.assertTrue(net.read_end(s)[0].startswith(b"HTTP/1.1 400 "))

    def test_H2_16_stream_ids(self):
        get = block(head())
        for first, second, want in ((2, None, PROTOCOL_ERROR),
                                    (5, 3, PROTOCOL_ERROR),
                                    (0, None, PROTOCOL_ERROR)):
            c = self.h2()
            c.send(frame(HEADERS, 5, first, get))
            if second:
                self.assertEqual(200, c.answer(first).status)
                c.send(frame(HEADERS, 5, second, get))
            self.assertEqual(want, c.end())
        c = self.h2()
        c.send(frame(HEADERS, 5, 2**31 - 1, get))
        self.assertEqual(200, c.answer(2**31 - 1).status)

    def test_H2_16_idle_streams(self):
        for data in (frame(RST, 0, 7, u32(8)), frame(DATA, 1, 7, b"x"),
                     frame(WINDOW, 0, 7, u32(1)), frame(RST, 0, 0, u32(8)),
                     frame(HEADERS, 5, 1, block(head()))[:9 + 3] + b"x"):
            c = self.h2()
            c.send(data)
            if data[3] == HEADERS:
                c.sock.close()
                continue
            self.assertEqual(PROTOCOL_ERROR, c.end())
        self.works()

    def test_H2_16_closed_stream(self):
        for data in (frame(DATA, 0, 1, b"x"),
                     frame(HEADERS, 5, 1, block(head()))):
            c = self.h2()
            self.assertEqual(200, c.get().status)
            c.send(data)
            self.assertEqual(STREAM_CLOSED, c.end())
