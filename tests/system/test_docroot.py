"""A docroot that is replaced as a whole, as deploy tools do."""

import itertools
import os
import threading
import time

import net
from harness import poll
from site_case import SiteCase


class DocrootCase(SiteCase):
    more = {"processes": {"worker": 1, "tlsterm": 2, "keys": 1}}

    @classmethod
    def configure(cls):
        conf = super().configure()
        cls.site = cls.tmp + "/site"
        for name in ("1", "2", "dir"):
            cls.make(name)
        os.symlink("1", cls.tmp + "/current")
        conf["sites"]["link"] = {"names": ["link.example"], "http": "serve",
                                 "root": cls.tmp + "/current"}
        conf["sites"]["dir"] = {"names": ["dir.example"], "http": "serve",
                                "root": cls.tmp + "/dir"}
        return conf

    @classmethod
    def make(cls, name):
        os.mkdir(cls.tmp + "/" + name)
        with open("%s/%s/index.html" % (cls.tmp, name), "w") as f:
            f.write(name)
        return cls.tmp + "/" + name

    def served(self, host):
        status, _, body = self.get("/", host)
        self.assertEqual(200, status)
        return body.decode()

    def becomes(self, host, want):
        poll(lambda: self.served(host) == want,
             why=lambda: "%s, not %s" % (self.served(host), want))

    def switch(self, to):
        os.symlink(to, self.tmp + "/new")
        os.rename(self.tmp + "/new", self.tmp + "/current")


class TestDocroot(DocrootCase):
    def test_DR1_link_switched(self):
        self.becomes("link.example", "1")
        self.switch("2")
        self.becomes("link.example", "2")
        self.switch("1")
        self.becomes("link.example", "1")

    def test_DR2_renamed(self):
        """Another directory takes its name; in between there is none."""
        self.assertEqual("dir", self.served("dir.example"))
        os.rename(self.tmp + "/dir", self.tmp + "/old")
        gen = self.daemon.status()["generation"]
        for _ in range(5):
            self.assertEqual("dir", self.served("dir.example"))
        self.make("next")
        os.rename(self.tmp + "/next", self.tmp + "/dir")
        self.becomes("dir.example", "next")
        poll(lambda: self.daemon.status()["generation"] > gen)
        # What is no directory is none to be served.
        os.rename(self.tmp + "/dir", self.tmp + "/dir2")
        with open(self.tmp + "/dir", "w") as f:
            f.write("a file")
        self.assertEqual("next", self.served("dir.example"))
        os.unlink(self.tmp + "/dir")
        os.rename(self.tmp + "/dir2", self.tmp + "/dir")
        self.assertEqual("next", self.served("dir.example"))

    def test_DR3_nothing_is_lost(self):
        """Neither a request while it happens, nor a download."""
        path = self.make("3") + "/big"
        data = os.urandom(1_000_000) * 20
        with open(path, "wb") as f:
            f.write(data)
        self.switch("3")
        self.becomes("link.example", "3")
        # For a moment there are still old processes that take connections.
        poll(lambda: len(self.daemon.processes("worker")) == 1,
             why="there is an old worker")
        with net.tcp(self.plain, rcvbuf=4096) as s:
            s.sendall(b"GET /big HTTP/1.1\r\nHost: link.example\r\n\r\n")
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += net.read_exactly(s, 1)
            over = threading.Event()
            wrong = []

            def ask():
                while not over.is_set():
                    try:
                        if self.served("link.example") not in "12":
                            over.wait(0.001)
                    except Exception as e:
                        wrong.append(e)
            t = threading.Thread(target=ask)
            t.start()
            try:
                for to in ("1", "2"):
                    self.switch(to)
                    self.becomes("link.example", to)
            finally:
                over.set()
                t.join()
            self.assertEqual([], wrong)
            self.assertEqual(data, net.read_exactly(s, len(data)))

    def test_DR4_with_a_configuration_that_is_broken(self):
        """It is not read: the one in force goes on."""
        before = self.served("link.example")
        with open(self.daemon.conf_path) as f:
            text = f.read()
        with open(self.daemon.conf_path, "w") as f:
            f.write("broken")
        try:
            to = "2" if before != "2" else "1"
            self.switch(to)
            self.becomes("link.example", to)
        finally:
            with open(self.daemon.conf_path, "w") as f:
                f.write(text)
        self.assertEqual(0, self.daemon.ctl("reload").returncode)


class TestSwitched(DocrootCase):
    def test_DR5_switched_all_the_time(self):
        """By whoever owns a site: others have a daemon that does not start
        new processes all the time.  The third pause is four seconds."""
        over = threading.Event()

        def switch():
            for to in itertools.cycle("21"):
                self.switch(to)
                if over.wait(0.1):
                    return
        t = threading.Thread(target=switch)
        t.start()
        at, began = [], self.daemon.status()["generation"]
        try:
            for i in range(1, 5):
                poll(lambda: self.daemon.status()["generation"] >= began + i,
                     why="no new generation")
                at.append(time.monotonic())
        finally:
            over.set()
            t.join()
            self.switch("1")
        # Each is seen a little later than it was.
        self.assertGreater(at[3] - at[2], 3)
