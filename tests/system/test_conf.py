"""CF*: configurations that are wrong, and l4muxd -n."""

import os
import re
import subprocess
import tempfile

import harness
import net
from harness import Case, as_user, conf_text, run_l4muxd, write_conf

GOOD = {
    "listen": ("127.0.0.1:20443", ":20080"),
    "users": harness.USERS,
    "upstreams": {
        "reality": {"address": "127.0.0.1:20444"},
        "ocserv": {"address": ["127.0.0.1:4443", "unix:/run/x.sock"],
                   "send_proxy": "v2", "idle_timeout": 10.5},
    },
    "routes": ({"sni": ["a.example"], "to": "reality"},
               {"sni": "*.b.example", "not": {"alpn": ["h2"]},
                "to": "ocserv"}),
    "fallback": {"unknown": "reality", "silent": "close"},
    "limits": {"hello_timeout": 3.0, "hello_bytes": 16384},
}


class ConfCase(Case):
    def setUp(self):
        self.dir = harness.workdir(self.mode)
        self.addCleanup(subprocess.run, ["rm", "-rf", self.dir])
        self.path = os.path.join(self.dir, "test.conf")

    def check(self, conf, *args, path=None):
        """l4muxd -n on a configuration (dict or text)."""
        if conf is not None:
            write_conf(self.path, conf)
        return subprocess.run(
            [*as_user(self.mode), harness.L4MUXD, "-n", *args, "-f",
             path or self.path],
            capture_output=True, text=True, timeout=net.WAIT, cwd="/",
            errors="replace")

    def wrong(self, conf, *words, lines=None):
        """Refused with FILE:LINE: message on stderr, one error a line."""
        r = self.check(conf)
        self.assertEqual((1, ""), (r.returncode, r.stdout), conf)
        errors = r.stderr.splitlines()
        for e in errors:
            self.assertRegex(e, r"^%s:\d+: ." % re.escape(self.path))
        for w in words:
            self.assertIn(w, r.stderr)
        if lines is not None:
            self.assertEqual(lines, [int(e.split(":")[1]) for e in errors],
                             r.stderr)
        return errors


class TestConf(ConfCase):
    def test_CF0_good(self):
        r = self.check(GOOD)
        self.assertEqual((0, "configuration OK\n", ""),
                         (r.returncode, r.stdout, r.stderr))

    def test_CF0_nothing_is_started_or_bound(self):
        port = harness.free_port()
        with net.listener() as s:
            conf = {**GOOD, "listen": ("127.0.0.1:%d" %
                                       s.getsockname()[1],)}
            r = self.check(conf)
            self.assertEqual(0, r.returncode, r.stderr)

    def test_CF1_all_errors_at_once_with_their_lines(self):
        self.wrong('listen = ( ":20443" );\n'
                   'upstreams = {\n'
                   '  a = { address = "127.0.0.1:1"; colour = "red"; };\n'
                   '  b = { address = 7; };\n'
                   '};\n'
                   'routes = (\n'
                   '  { sni = "x.example"; to = "nobody"; }\n'
                   ');\n'
                   'fallback = "a";\n'
                   'nonsense = 1;\n',
                   "colour", "address", "nobody", "nonsense",
                   lines=[3, 4, 7, 10])

    def test_CF1_every_truncation(self):
        """A cut file is refused, or is a whole configuration by chance:
        then everything it says is there."""
        text = conf_text(GOOD)
        ok = [text[:k] for k in range(0, len(text) - 1, 7)
              if self.check(text[:k]).returncode == 0]
        for cut in ok:      # between two settings; the last needs no ";"
            self.assertIn(cut.rstrip(";\n") + ";\n", text)

    def test_CF1_syntax(self):
        for text in ('listen = ( ":1" ;', "listen = ", "}", "= 1;",
                     'fallback = "unterminated', "listen = ( ", "\0",
                     "\xff\xfe", '@include "/nonexistent"\n'):
            r = self.check(text)
            self.assertEqual(1, r.returncode, text)
            self.assertIn(":", r.stderr)

    def test_CF1_twice(self):
        self.wrong(conf_text(GOOD) + 'fallback = "close";\n')
        self.wrong({**GOOD, "listen": ("127.0.0.1:20443",) * 2})
        self.wrong({**GOOD, "listen": (":20443", "0.0.0.0:20443")})
        self.wrong({**GOOD, "routes": GOOD["routes"][:1] * 2})

    def test_CF2_numbers(self):
        for key, values in (
                ("hello_timeout", ("-1.0", '"5"', "true")),
                ("hello_bytes", ("-1", "0", "1023", "65537", "1e9", "1.5",
                                 "2147483648", '"16384"')),
                ("connections", ("-1", "1.0", "4294967296L"))):
            for v in values:
                self.number(key, v)
        self.wrong(self.with_number("hello_bytes", "9223372036854775808L"))

    def with_number(self, key, v):
        text = conf_text({**GOOD, "limits": {key: 424242}})
        return text.replace("424242", v)

    def number(self, key, v):
        self.wrong(self.with_number(key, v), key)

    def test_CF2_ports_and_addresses(self):
        for a in ("127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", ":x",
                  "127.0.0.1:-1", "::1:443", "[::1]", "localhost:443",
                  "256.0.0.1:443", "[::1]:", ""):
            self.wrong({**GOOD, "listen": (a,)})
        for a in ("127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536",
                  "unix:relative", "unix:", "[::1]", ""):
            self.wrong({**GOOD, "upstreams": {"reality": {"address": a},
                        "ocserv": {"address": "127.0.0.1:1"}}})

    def test_CF2_paths(self):
        for key in ("control", "state"):
            self.wrong({**GOOD, key: "relative/path"}, key)

    def test_CF3_file_that_others_can_write(self):
        for mode in (0o666, 0o664, 0o646):
            write_conf(self.path, GOOD)
            os.chmod(self.path, mode)
            r = self.check(None)
            self.assertEqual(1 if self.mode == "root" else r.returncode,
                             r.returncode, oct(mode))

    def test_CF3_file_of_somebody_else(self):
        if os.geteuid() != 0:
            return
        write_conf(self.path, GOOD)
        os.chown(self.path, 12345, 12345)
        r = self.check(None)
        self.assertEqual(1 if self.mode == "root" else r.returncode,
                         r.returncode)

    def test_CF4_targets(self):
        self.wrong({**GOOD, "fallback": "nobody"}, "nobody")
        self.wrong({k: v for k, v in GOOD.items() if k != "fallback"},
                   "fallback")
        self.wrong({**GOOD, "fallback": {"unknown": "reality",
                                         "other": "close"}}, "other")
        self.wrong({**GOOD, "routes": ({"sni": "x.example"},)})
        self.wrong({**GOOD, "routes": ({"to": "reality", "snu": "x"},)},
                   "snu")

    def test_CF4_own_listener_as_upstream(self):
        self.wrong({**GOOD, "upstreams": {
            "reality": {"address": "127.0.0.1:20443"},
            "ocserv": {"address": "127.0.0.1:1"}}}, "reality")

    def test_CF6_not_a_file(self):
        fifo = os.path.join(self.dir, "fifo")
        os.mkfifo(fifo)
        os.chmod(fifo, 0o644)
        huge = os.path.join(self.dir, "huge")
        with open(huge, "wb") as f:
            f.truncate(1 << 30)
        os.chmod(huge, 0o644)
        for path in (fifo, self.dir, huge, "/dev/zero", "/nonexistent"):
            r = self.check(None, path=path)
            self.assertEqual(1, r.returncode, path)
            self.assertIn(path, r.stderr)

    def test_CF6_includes(self):
        inc = os.path.join(self.dir, "more.conf")
        write_conf(inc, 'fallback = "reality";\n')
        rest = conf_text({k: v for k, v in GOOD.items()
                          if k != "fallback"})
        r = self.check(rest + '@include "%s"\n' % inc)
        self.assertEqual(0, r.returncode, r.stderr)
        write_conf(inc, '\nnonsense = 1;\nfallback = "reality";\n')
        r = self.check(rest + '@include "%s"\n' % inc)
        self.assertEqual(1, r.returncode)
        self.assertRegex(r.stderr, r"^%s:2: .*nonsense" % re.escape(inc))
        write_conf(inc, '@include "%s"\n' % inc)
        r = self.check(rest + '@include "%s"\n' % inc)
        self.assertEqual(1, r.returncode)

    def test_CF8_users(self):
        if self.mode != "root":
            return
        for users in ({"worker": "no-such-user"}, {"worker": "0"},
                      {"worker": "root"}, {"worker": "64002"}):
            r = self.check({**GOOD, "users": {**harness.USERS, **users}})
            self.assertEqual(1, r.returncode, users)
            self.assertIn("users", r.stderr)

    def test_CF9_exit_codes_of_l4muxd(self):
        for args in (("-z",), ("-f",), ("extra",), ("-d", "extra")):
            r = run_l4muxd(*args)
            self.assertEqual((1, ""), (r.returncode, r.stdout), args)
            self.assertIn("usage", r.stderr)

    def test_CF9_bad_configuration_starts_nothing(self):
        conf = {**GOOD, "nonsense": 1}
        with self.assertRaisesRegex(AssertionError, "exited 1"):
            harness.Daemon(conf, self.mode)

    def test_CF9_port_that_is_taken(self):
        with net.listener() as s:
            conf = {**GOOD, "listen": ("127.0.0.1:%d" %
                                       s.getsockname()[1],)}
            with self.assertRaisesRegex(AssertionError,
                                        "(?s)exited 1.*in use"):
                harness.Daemon(conf, self.mode)


class TestSample(ConfCase):
    modes = ("root",)

    def test_CF10_sample_is_valid(self):
        """The sample that is shipped, with users that exist."""
        sample = os.path.join(harness.ROOT, "etc", "l4mux.conf.sample")
        with open(sample) as f:
            text = f.read()
        text = re.sub(r'root = "[^"]*"', 'root = "%s"' % self.dir, text)
        r = self.check(text + "\n" + conf_text({"users": harness.USERS}))
        self.assertEqual((0, ""), (r.returncode, r.stderr))
