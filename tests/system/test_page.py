"""SP*: the status page, in Chromium.

SCREENSHOTS=DIR makes the pictures of docs/ there."""

import math
import os
import random
import re

import hello
import net
import scrape
from browser import PROGRAM, Browser
from harness import poll, free_port
from scrape import MetricsCase, SLOTS

WIDTHS = {"phone": 390, "desktop": 1280}
SECTIONS = ["charts", "targets", "upstreams", "decisions", "certificates",
            "generations", "sessions", "processes"]
EVIL = "<img src=x onerror=alert(1)>&amp;\"'.sock"

# The worst contrast of any text with what is behind it (WCAG 2.1, 1.4.3).
CONTRAST = """
(() => {
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= .03928 ?
        v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const parse = (s) => s.match(/[\\d.]+/g).map(Number);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0)
        return c;
    }
    return [255, 255, 255];
  };
  let worst = [99];
  const texts = document.createTreeWalker(document.body,
      NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !e.checkVisibility())
      continue;
    const a = light(parse(getComputedStyle(e).color)), b = light(behind(e));
    const c = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (c < worst[0])
      worst = [c, e.outerHTML.slice(0, 200)];
  }
  return worst;
})()
"""


def an_hour(n=SLOTS):
    """What a busy evening may look like."""
    r = random.Random(3)
    out = []
    for i in range(n):
        wave = 1 + .6 * math.sin(i / 37) + .25 * math.sin(i / 7)
        new = max(0, 42 * wave + r.gauss(0, 4))
        live = 310 + 90 * math.sin(i / 60) + r.gauss(0, 5)
        burst = 30 * math.exp(-((i - 230) / 9) ** 2)
        out.append([new, live, 1.1e6 * wave + r.gauss(0, 6e4),
                    9.4e6 * wave + r.gauss(0, 5e5),
                    max(0, 18 * wave + r.gauss(0, 2)),
                    max(0, .4 + burst + r.gauss(0, .2)),
                    max(.2, 7 * wave + burst / 3 + r.gauss(0, .6)), 48e6])
    return out


class PageCase(MetricsCase):
    modes = ("root",)
    dark = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser = Browser(cls.dark) if PROGRAM else None

    @classmethod
    def tearDownClass(cls):
        if cls.browser:
            cls.browser.stop()
        super().tearDownClass()

    def setUp(self):
        if not self.browser:
            self.skipTest("chromium is missing")

    def open(self, width="desktop"):
        self.browser.size(WIDTHS[width])
        self.browser.go("http://127.0.0.1:%d/" % self.scrape)
        return self.browser

    def open_with_sessions(self, n, *args):
        """What is shown may be a second old."""
        poll(lambda: self.open(*args).js(
            "document.querySelectorAll('#sessions tbody tr').length") == n)
        return self.browser

    def sessions(self, n):
        """Open ones, which end with the test."""
        for i in range(n):
            s = net.tcp(self.port)
            self.addCleanup(s.close)
            s.sendall(hello.hello(("a.example", "b.example")[i % 2]))
            net.read_line(s)


class TestPage(PageCase):
    def test_SP1_phone_and_desktop(self):
        self.sessions(6)
        scrape.history_write(self.daemon, an_hour())
        for name in WIDTHS:
            b = self.open_with_sessions(6, name)
            self.assertEqual([], b.complaints(), name)
            self.assertEqual(WIDTHS[name], b.js(
                "document.documentElement.scrollWidth"), name)
            self.assertEqual(SECTIONS, b.js(
                "[...document.querySelectorAll('section')].map(s => s.id)"))
            self.assertEqual([], b.js(
                "[...document.querySelectorAll('figure svg')].filter(s =>"
                " s.getBoundingClientRect().height < 40 ||"
                " s.querySelector('.line').getTotalLength() < 300)"
                ".map(s => s.parentElement.id)"))
            self.assertEqual(6, b.js(
                "document.querySelectorAll('figure svg').length"))
            # what is on it is in view, but for tables that scroll by
            # themselves
            self.assertEqual([], b.js(
                "[...document.querySelectorAll('section, figure, header, "
                "footer, dd')].filter(e => e.getBoundingClientRect().right >"
                " innerWidth).map(e => e.outerHTML)"), name)

    def test_SP1_nothing_from_elsewhere(self):
        b = self.open()
        self.assertEqual(["http://127.0.0.1:%d/" % self.scrape],
                         [u for u in b.requested() if u[:5] != "data:"])

    def test_SP2_refreshes_itself(self):
        """In place: the place, the focus and what did not change stay."""
        b = self.open("phone")
        total = ("[...document.querySelectorAll('#targets tbody tr')].find("
                 "r => r.cells[0].textContent === 'one').cells[3].textContent")
        before = int(b.js(total))
        b.js("scrollTo(0, 200); document.querySelector('#processes .scroll')"
             ".focus({preventScroll: true});"
             "document.getElementById('decisions').dataset.x = 1;"
             "window.mine = document.getElementById('fresh')")
        was = b.js("scrollY")
        self.assertGreater(was, 0)
        for i in range(3):
            net.who(self.port, hello.hello("a.example"))
        poll(lambda: int(b.js(total)) >= before + 3)
        self.assertEqual(was, b.js("scrollY"))
        self.assertEqual("h-processes", b.js(
            "document.activeElement.getAttribute('aria-labelledby')"))
        self.assertTrue(b.js("mine === document.getElementById('fresh')"))
        self.assertRegex(b.js("mine.textContent"), "^As of ")
        self.assertEqual([], b.complaints())

    def test_SP2_marked_text_stays(self):
        b = self.open()
        b.js("getSelection().selectAllChildren("
             "document.querySelector('#top h1'));"
             "window.mine = document.getElementById('top')")
        seen = b.js("document.getElementById('processes').outerHTML")
        poll(lambda: b.js(
            "document.getElementById('processes').outerHTML") != seen)
        self.assertTrue(b.js("mine === document.getElementById('top')"))

    def test_SP3_without_scripts(self):
        b = self.browser
        b.scripts(False)
        try:
            self.open()
            self.assertEqual([], b.complaints())
            text = scrape.get(self.scrape, "/")[2]
            self.assertIn('<noscript><meta http-equiv="refresh"', text)
            for word in ("worker.0", "blog.example", "sni a.example"):
                self.assertIn(word, text)
        finally:
            b.scripts(True)

    def test_SP4_structure(self):
        b = self.open()
        self.assertEqual(1, b.js("document.querySelectorAll('h1').length"))
        self.assertEqual("en", b.js("document.documentElement.lang"))
        self.assertEqual(len(SECTIONS), b.js(
            "document.querySelectorAll('section > h2').length"))
        self.assertEqual(0, b.js(
            "document.querySelectorAll('thead th:not([scope=col])').length"))
        self.assertEqual(0, b.js(
            "document.querySelectorAll('tbody th:not([scope=row])').length"))
        self.assertEqual([], b.js(
            "[...document.querySelectorAll('svg:not([aria-hidden])')].filter("
            "s => !s.getAttribute('aria-label')).length ? ['svg'] : []"))
        ids = b.js("[...document.querySelectorAll('[id]')].map(e => e.id)")
        self.assertEqual(len(ids), len(set(ids)))

    def test_SP5_contrast(self):
        self.sessions(2)
        for name in WIDTHS:
            worst = self.open(name).js(CONTRAST)
            self.assertGreaterEqual(worst[0], 4.5, worst)

    def test_SP7_many_sessions(self):
        self.sessions(130)
        b = self.open_with_sessions(100)
        self.assertRegex(b.js("document.getElementById('more').textContent"),
                         "^100 of 13[0-9] are shown")


class TestPictures(PageCase):
    """As a host with a blog, a VPN and a Reality server would see it."""

    HEIGHTS = {"phone": 1180, "desktop": 1000}

    @classmethod
    def configure(cls):
        cls.port, cls.scrape = 443, 9144
        cls.dead, address = net.dead_address()
        _, ups = cls.backends("reality", "ocserv")
        ups["git"] = {"address": [address]}
        return {
            "listen": (":443", ":80"), "metrics": "127.0.0.1:9144",
            "sites": {"blog": {"names": ["example.org"], "root": "/usr",
                               "certificate": "self-signed"}},
            "upstreams": ups, "fallback": "blog",
            "routes": ({"sni": "www.example.net", "to": "reality"},
                       {"sni": "vpn.example.org", "to": "ocserv"},
                       {"protocol": "ssh", "to": "git"}),
        }

    @classmethod
    def setUpClass(cls):
        cls.wanted = os.environ.get("SCREENSHOTS")
        if cls.wanted and os.environ.get("OWN_NETWORK"):
            super().setUpClass()
        else:
            cls.wanted = cls.browser = cls.daemon = None

    @classmethod
    def tearDownClass(cls):
        if cls.wanted:
            super().tearDownClass()

    def setUp(self):
        if self.wanted:
            super().setUp()

    def test_pictures(self):
        if not self.wanted:
            return
        net.exchange(443, b"SSH-2.0-x\r\n")
        for i in range(12):
            name = ("www.example.net", "vpn.example.org")[i % 3 == 0]
            s = net.tcp(443)
            self.addCleanup(s.close)
            s.sendall(hello.hello(name) + bytes(1000 * i))
            net.read_line(s)
        scrape.history_write(self.daemon, an_hour())
        for name in WIDTHS:
            b = self.open_with_sessions(12, name)
            b.js("[...document.querySelectorAll('dd')].at(-1).textContent ="
                 " '/etc/l4mux.conf'")
            b.size(WIDTHS[name], self.HEIGHTS[name])
            b.screenshot(os.path.join(self.wanted, "status-%s.png" % name),
                         whole=False)


class TestDark(PageCase):
    dark = True

    def test_SP5_contrast(self):
        b = self.open()
        self.assertLess(b.js(
            "parseInt(getComputedStyle(document.body).backgroundColor"
            ".match(/\\d+/)[0])"), 64)
        worst = b.js(CONTRAST)
        self.assertGreaterEqual(worst[0], 4.5, worst)


class TestEvil(PageCase):
    """Names that are markup stay names."""

    @classmethod
    def configure(cls):
        conf = super().configure()
        conf["upstreams"]["evil"] = {"address": "unix:/tmp/" + EVIL}
        return {**conf, "routes": (*conf["routes"],
                                   {"sni": "e.example", "to": "evil"})}

    def test_SP6_markup_is_text(self):
        net.exchange(self.port, hello.hello("e.example"))
        b = self.open()
        self.assertEqual([], b.complaints())
        self.assertEqual(0, b.js("document.querySelectorAll('img').length"))
        self.assertTrue(b.js(
            "[...document.querySelectorAll('#upstreams td')].some("
            "c => c.textContent === 'unix:/tmp/%s')" %
            EVIL.replace("'", "\\'")))
        text = scrape.get(self.scrape, "/metrics")[2]
        self.assertIn(r"onerror=alert(1)>&amp;\"'.sock", text)
