"""P12-P15, PF*: what a captured process could do, seen from outside."""

import os
import re
import signal
import ssl
import subprocess

import harness
import hello
import net
import proc
from harness import Case, free_port, poll
from site_case import SiteCase

# What is refused by other means than the death of whoever tries; in the words
# of common/selftest_tries.c.
MILD = {
    "open a file": "EPERM",
    "create a file": "EPERM",
    "clear O_NONBLOCK, ioctl": "EPERM",
    "read a sibling's memory, /proc": "EPERM",
}
MILD_TLSTERM = {
    "open a file, openat2": "ENOENT|EACCES",
    "read a sibling's memory, /proc, openat2": "ENOENT|EACCES",
    "leave the docroot": "EACCES",
    "write into the docroot": "EACCES",
}
MILD_PROXY = {
    "connect to anything but the upstream": "EACCES",
    "re-aim an accepted socket (AF_UNSPEC)": "EACCES",
}
MILD_ACME = {**MILD_PROXY, "clear O_NONBLOCK": "EPERM"}
ROLES = ("worker", "proxy", "tlsterm", "keys", "metrics", "acme")


class TestSelftest(Case):
    """P14: l4muxd --selftest-sandbox ROLE."""

    def conf(self, **more):
        dir = harness.workdir(self.mode)
        self.addCleanup(subprocess.run, ["rm", "-rf", dir])
        conf = {"listen": ("127.0.0.1:%d" % free_port(),),
                "sites": {"s": {"names": ["s.example"], "root": dir}},
                "upstreams": {"u": {"address": "127.0.0.1:9"}},
                "metrics": "127.0.0.1:%d" % free_port(),
                "fallback": "s", "control": dir + "/ctl", "state": dir,
                "users": harness.USERS,
                "acme": {"agree_to_terms": True,
                         "directory": "https://127.0.0.1:14000/dir"},
                **more}
        path = dir + "/l4mux.conf"
        harness.write_conf(path, conf)
        return path

    def selftest(self, role, path):
        return subprocess.run(
            [*harness.as_user(self.mode), harness.L4MUXD,
             "--selftest-sandbox", role, "-f", path],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=net.WAIT * 4)

    def check(self, role, path):
        r = self.selftest(role, path)
        text = r.stdout + r.stderr
        self.assertEqual(0, r.returncode, text)
        want = {**MILD, **(MILD_TLSTERM if role == "tlsterm" else
                           MILD_PROXY if role == "proxy" else
                           MILD_ACME if role == "acme" else {})}
        lines = re.findall(r"^(.+?) +(refused: (\w+)|not refused: no \w+ here)"
                           "$", r.stdout, re.M)
        self.assertGreaterEqual(len(lines), 35)
        self.assertIn("%s: %d attempts, none allowed" % (role, len(lines)),
                      text)
        for what, how, error in lines:
            if not error:       # a kernel before Landlock knew of ports
                self.assertIn(what, MILD_PROXY)
                continue
            self.assertRegex(error, "^(%s)$" % want.pop(what, "SIGSYS"), what)
        self.assertEqual({}, want)
        force = re.search(role + ": in force:(.*)", text)[1].split()
        self.assertLessEqual({"seccomp", "landlock", "no_new_privs",
                              "rlimit"}, set(force))
        if self.mode == "root":
            self.assertLessEqual({"uid", "chroot", "namespaces"}, set(force))

    def test_P14_all_is_refused_to_every_role(self):
        path = self.conf()
        for role in ROLES:
            with self.subTest(role=role):
                self.check(role, path)

    def test_P14_worker_that_takes_headers(self):
        self.check("worker", self.conf(listen=(
            {"address": "127.0.0.1:%d" % free_port(),
             "accept_proxy": ["127.0.0.1/32"]},)))

    def test_P14_role_that_is_not_there(self):
        for role in ("master", "nobody", ""):
            r = self.selftest(role, self.conf())
            self.assertEqual(2, r.returncode)
            self.assertIn("there is no", r.stderr)


def kind(what):
    """What a descriptor is, for the tables below."""
    if what == "/dev/null":
        return "null"
    m = re.match(r"(socket|pipe):|anon_inode:\[(\w+)\]|/memfd:", what)
    return (m[1] or m[2] or "memfd") if m else "path"


class WorldCase(SiteCase):
    """Sites and an upstream: a process of every role."""

    @classmethod
    def configure(cls):
        conf = super().configure()
        cls.backend = cls.keep(net.Backend("up"))
        return {**conf, "upstreams": {"up": {"address": cls.backend.address}},
                "metrics": "127.0.0.1:%d" % free_port(),
                "routes": ({"sni": "up.example", "to": "up"},)}

    def children(self):
        return [p for p in self.daemon.processes() if p["role"] != "master"]

    def page(self, sock=None):
        s = sock or self.tls()
        self.assertEqual(200, self.get("/", "blog.example", sock=s)[0])
        return s

    def relayed(self):
        with net.tcp(self.port) as s:
            s.sendall(hello.hello("up.example"))
            self.assertEqual(b"I am up\n", net.read_line(s))


class TestStatus(WorldCase):
    """What the kernel says of every process."""

    def test_P14_status_of_every_role(self):
        for p in self.children():
            def field(key):
                return proc.status(p["pid"], key)
            self.assertEqual("1", field("NoNewPrivs"), p["name"])
            self.assertEqual("2", field("Seccomp"), p["name"])
            self.assertEqual("1", field("Threads"), p["name"])
            for cap in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                self.assertEqual(0, int(field(cap), 16), (p["name"], cap))
            if self.mode == "root":
                uid = harness.USERS[p["role"]]
                self.assertEqual([uid] * 4, field("Uid").split())
                self.assertEqual([uid] * 4, field("Gid").split())
                self.assertEqual("", field("Groups"))
                self.assertEqual(0, int(field("CapBnd"), 16))

    def test_P14_limits(self):
        for p in self.children():
            with open("/proc/%d/limits" % p["pid"]) as f:
                text = f.read()
            for what in ("core file size", "processes"):
                self.assertRegex(text, r"Max %s +0 +0 " % what)

    def test_P14_namespaces(self):
        if self.mode != "root":
            return

        def spaces(pid):
            return {n: os.readlink("/proc/%d/ns/%s" % (pid, n))
                    for n in ("net", "ipc", "uts", "mnt")}
        own = spaces(self.daemon.pid)
        for p in self.children():
            for n, id in spaces(p["pid"]).items():
                if p["role"] == "proxy" and n in ("net", "mnt"):
                    self.assertEqual(own[n], id)    # it connects
                else:
                    self.assertNotEqual(own[n], id, (p["name"], n))
        nets = [spaces(p["pid"])["net"] for p in self.children()
                if p["role"] != "proxy"]
        self.assertEqual(len(nets), len(set(nets)))

    def test_P14_descriptors_are_what_the_role_needs(self):
        """Beside channel and log: its listeners, its end of inboxes and of
        channels to keys, the directories it serves, its loop."""
        tlsterms = len(self.daemon.pids("tlsterm"))
        want = {
            # 8 and the log again: the reserve for a full table
            "worker": {"socket": 1 + 2 + 2, "log": 2},
            "proxy": {"socket": 1 + 1},
            # "blog", "open" and "off" have a docroot
            "tlsterm": {"socket": 1 + 1 + 1, "path": 3},
            "keys": {"socket": 1 + tlsterms},
            "metrics": {"socket": 1 + 1},
        }
        shared = set(proc.fds(self.daemon.pid).values())
        for p in self.children():
            fds = proc.fds(p["pid"])
            log = fds[2]
            count = {}
            for fd, what in fds.items():
                k = "log" if what == log else kind(what)
                count[k] = count.get(k, 0) + 1
                if k == "socket" and fd != 3:
                    self.assertIn(what, shared, p["name"])
            self.assertEqual({"null": 2, "log": 1, "eventpoll": 1,
                              "signalfd": 1, **want[p["role"]]}, count,
                             p["name"])

    def test_P14_environment(self):
        """Nothing, but for what the C library is told."""
        for p in self.children():
            with open("/proc/%d/environ" % p["pid"], "rb") as f:
                text = f.read()
            if os.environ.get("GLIBC_TUNABLES"):
                self.assertTrue(text.startswith(b"GLIBC_TUNABLES="), text)
            else:
                self.assertEqual(b"", text)

    def test_P14_programs_link_what_they_need(self):
        """No TLS, HTTP, compression or JSON library where none is needed."""
        libs = {}
        for role in ROLES:
            r = subprocess.run(
                ["ldd", os.path.join(harness.BUILD, "libexec/l4mux", role)],
                capture_output=True, text=True, check=True)
            libs[role] = set(re.findall(r"^\s+(lib[\w+-]+)\.so", r.stdout,
                                        re.M))
        base = {"libc", "libconfig", "libseccomp", "libbsd", "libmd"}
        for role in ("worker", "proxy"):
            self.assertLessEqual(libs[role], base, role)
        self.assertLessEqual(libs["keys"], base | {"libcrypto", "libz",
                                                   "libzstd"})
        self.assertLessEqual(libs["metrics"], base | {"libjansson"})
        self.assertIn("libssl", libs["tlsterm"])    # the control


class TestRandom(WorldCase):
    modes = ("root",)       # who else may look into them

    def secrets(self, pid):
        """Where the program was loaded, and the bytes that its canary is made
        of (AT_RANDOM)."""
        with open("/proc/%d/maps" % pid) as f:
            base = f.readline().split("-")[0]
        with open("/proc/%d/auxv" % pid, "rb") as f:
            auxv = f.read()
        at = {}
        for i in range(0, len(auxv), 16):
            at[int.from_bytes(auxv[i:i + 8], "little")] = \
                int.from_bytes(auxv[i + 8:i + 16], "little")
        with open("/proc/%d/mem" % pid, "rb", 0) as f:
            f.seek(at[25])
            return base, f.read(16)

    def test_PF12_nothing_learned_holds_for_the_next(self):
        """Every process, respawned ones too, has places of its own."""
        seen = []
        for i in range(3):
            for role in ROLES:
                for pid in self.daemon.pids(role):
                    seen.append(self.secrets(pid))
            old = set(self.daemon.pids("tlsterm"))
            for pid in old:
                os.kill(pid, signal.SIGKILL)
            poll(lambda: all(p["state"] == "running" and p["pid"] not in old
                             for p in self.daemon.processes("tlsterm")))
            seen = list(dict.fromkeys(seen))
        bases, randoms = zip(*seen)
        self.assertGreaterEqual(len(seen), 6 + 2 + 2)
        self.assertEqual(len(seen), len(set(bases)))
        self.assertEqual(len(seen), len(set(randoms)))


class TestDeath(WorldCase):
    def holders(self):
        """A kept connection at each tlsterm: {instance: socket}."""
        held = {}

        def requests():
            return {p["instance"]: p["counters"]["requests"]
                    for p in self.daemon.processes("tlsterm")}
        def open_one():
            before = requests()
            s = self.page()
            after = requests()
            mine, = [k for k in after if after[k] > before[k]]
            held[mine] = s
            return mine
        first = open_one()
        pid, = [p["pid"] for p in self.daemon.processes("tlsterm")
                if p["instance"] == first]
        proc.stop(pid)          # then the other one has to
        try:
            open_one()
        finally:
            proc.go_on(pid)
        self.assertEqual({0, 1}, set(held))
        return held

    def end(self, role, instance, sig):
        p, = [p for p in self.daemon.processes(role)
              if p["instance"] == instance]
        os.kill(p["pid"], sig)

        def back():
            q, = [q for q in self.daemon.processes(role)
                  if q["instance"] == instance]
            return (q["state"] == "running" and q["pid"] != p["pid"] and q)
        q = poll(back, why="%s did not come back" % role)
        self.assertEqual(p["restarts"] + 1, q["restarts"])
        self.assertEqual("signal %d" % sig, q["last_exit"])

    def test_PF1_tlsterm_takes_only_its_own(self):
        for sig in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT,
                    signal.SIGSYS):
            held = self.holders()
            self.end("tlsterm", 0, sig)
            self.page(held[1])
            with self.assertRaises((OSError, AssertionError)):
                self.page(held[0])
            self.page()
            self.relayed()

    def test_PF1_keys_takes_nothing(self):
        for sig in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT,
                    signal.SIGSYS):
            held = self.holders()
            self.end("keys", 1, sig)
            for s in held.values():
                self.page(s)
            self.page()


class TestTickets(WorldCase):
    """TL13 and resumption between processes."""

    more = {"tls": {"tickets": 2.0}, "log": {"level": "debug"}}
    ROTATED = "tickets: a new key"

    def resumes(self, ctx, session):
        s = ctx.wrap_socket(net.tcp(self.port), session=session,
                            server_hostname="blog.example")
        with s:
            self.page(s)
            return s.session_reused

    def ticket(self, ctx):
        with net.tls(self.port, "blog.example", ctx) as s:
            self.page(s)
            return s.session

    def rotations(self):
        return sum(self.ROTATED in s for s in self.daemon.log.lines)

    def rotate(self):
        self.daemon.log.wait(self.ROTATED, self.daemon.log.mark())

    def between(self, made, n, what):
        """What is found n rotations after the ticket was made; None when the
        machine was too slow to tell."""
        while self.rotations() < made + n:
            self.rotate()
        got = what()
        return got if self.rotations() == made + n else None

    def check(self, version):
        ctx = net.tls_context(versions=(version,) * 2)
        for i in range(20):
            made = self.rotations()
            session = self.ticket(ctx)
            if self.rotations() != made:
                continue
            once = self.between(made, 1, lambda: self.resumes(ctx, session))
            twice = self.between(made, 2, lambda: self.resumes(ctx, session))
            if once is not None and twice is not None:
                self.assertTrue(once, "refused after one rotation")
                self.assertFalse(twice, "taken after two rotations")
                return
        self.fail("too slow")

    def test_TL13_ticket_keys_rotate(self):
        for v in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.check(v)

    def handshakes(self, key):
        return {p["pid"]: p["counters"][key]
                for p in self.daemon.processes("tlsterm")}

    def resumed_elsewhere(self, ctx):
        """Does another process take the ticket?  None when the key was
        replaced meanwhile."""
        made = self.rotations()
        before = self.handshakes("handshakes")
        session = self.ticket(ctx)
        first, = [k for k, n in self.handshakes("handshakes").items()
                  if n > before[k]]
        proc.stop(first)
        try:
            before = self.handshakes("resumed")
            again = self.resumes(ctx, session)
            by = [k for k, n in self.handshakes("resumed").items()
                  if n > before[k]]
        finally:
            proc.go_on(first)
        if self.rotations() != made:
            return None
        return again and by != [first]

    def test_TL9_resumption_in_another_process(self):
        ctx = net.tls_context()
        for i in range(20):
            if (got := self.resumed_elsewhere(ctx)) is not None:
                self.assertTrue(got)
                return
        self.fail("too slow")


class TestAlone(WorldCase):
    """Each with a daemon of its own."""

    def test_CT9_full_table_in_tlsterm(self):
        """The message is lost and counted; the next hand-off is in step."""
        # of its own: handed and received do not add up afterwards
        self.daemon = self.start(self.configure())
        pids = self.daemon.pids("tlsterm")
        limits = {pid: proc.nofile(pid) for pid in pids}
        for pid in pids:
            proc.limit_nofile(pid, max(proc.fds(pid)) + 1)
        try:
            before = self.daemon.counter("tlsterm", "ipc_lost")
            for i in range(3):
                with net.tcp(self.port) as s:
                    s.sendall(hello.hello("blog.example"))
                    net.read_end(s)
            poll(lambda: self.daemon.counter("tlsterm", "ipc_lost") ==
                 before + 3)
        finally:
            for pid in pids:
                proc.limit_nofile(pid, limits[pid])
        for i in range(6):
            self.page()
        self.assertEqual(set(pids), set(self.daemon.pids("tlsterm")))

    def test_P14_other_settings_of_malloc(self):
        """Sandboxes are sensitive to what the C library does."""
        for tunables in ("glibc.malloc.perturb=85:"
                         "glibc.malloc.tcache_count=0",
                         "glibc.malloc.arena_max=1:"
                         "glibc.malloc.mmap_threshold=4096"):
            d = self.start(self.configure(),
                           env={"GLIBC_TUNABLES": tunables})
            for p in d.processes():
                if p["role"] != "master":
                    with open("/proc/%d/environ" % p["pid"], "rb") as f:
                        # the C library cuts it into pieces
                        self.assertEqual(
                            b"GLIBC_TUNABLES=%s:" % tunables.encode(),
                            f.read().replace(b"\0", b":"))
            pids = set(d.pids())
            for i in range(5):
                self.page()
                self.relayed()
            self.assertEqual(pids, set(d.pids()))
            d.stop()

    def bounded(self, caps, *more):
        """As a service manager starts it that leaves these capabilities."""
        conf = self.configure()
        self.daemon = self.start(conf, wrap=(
            "setpriv", "--bounding-set=-all,+" + ",+".join(caps), *more,
            "--"))
        for i in range(3):
            self.page()
            self.relayed()
        return [set(p["mechanisms"]) for p in self.children()]

    def test_P23_capabilities_of_the_unit(self):
        """etc/l4mux.service: all but namespaces stays in force."""
        if self.mode != "root":
            return
        with open(os.path.join(harness.ROOT, "etc/l4mux.service")) as f:
            caps = re.findall(r"CAP_(\w+)", "".join(
                s for s in f if s.startswith("CapabilityBoundingSet=")))
        for m in self.bounded([c.lower() for c in caps]):
            self.assertLessEqual({"uid", "chroot", "no_new_privs", "landlock",
                                  "seccomp", "rlimit"}, m)
            self.assertNotIn("namespaces", m)

    def test_P23_capabilities_of_the_other_unit(self):
        """etc/l4mux-unprivileged.service: a low port, and no more."""
        if self.mode != "root":
            return
        one = "net_bind_service"
        self.mode = "user"      # whose the directory is
        uid = ["--reuid=%d" % harness.NOBODY, "--regid=%d" % harness.NOBODY,
               "--clear-groups"]
        saved, harness.as_user = harness.as_user, lambda mode: []
        try:
            got = self.bounded([one], *uid, "--inh-caps=+" + one,
                               "--ambient-caps=+" + one)
        finally:
            harness.as_user = saved
        for m in got:
            self.assertLessEqual({"no_new_privs", "landlock", "seccomp",
                                  "rlimit"}, m)
        for p in self.children():
            for cap in ("CapEff", "CapAmb"):
                self.assertEqual(0, int(proc.status(p["pid"], cap), 16))
