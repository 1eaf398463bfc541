"""SD*: what a service manager is told and what it hands down: a stand-in for
systemd.  tests/system/systemd.sh does the same with the real one."""

import array
import ctypes
import errno
import os
import select
import signal
import socket
import struct
import time

import harness
import hello
import net
import proc
from harness import Case, free_port, poll


class Manager:
    """The other end of NOTIFY_SOCKET, with a store of descriptors."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(net.WAIT * 2)
        self.store = {}         # name to descriptor

    def one(self):
        data, ancillary, _, _ = self.sock.recvmsg(4096, 4096)
        fds = array.array("i")
        for level, kind, part in ancillary:
            fds.frombytes(part)
        state = dict(s.split("=", 1) for s in data.decode().splitlines())
        self.keep(state, list(fds))
        return state

    def next(self, key):
        """The next message that has this key."""
        while True:
            state = self.one()
            if key in state:
                return state

    def keep(self, state, fds):
        if state.get("FDSTORE") == "1":
            assert len(fds) == 1, state
            self.forget(state["FDNAME"])
            self.store[state["FDNAME"]] = fds.pop()
        elif "FDSTOREREMOVE" in state:
            self.forget(state["FDNAME"])
        for fd in fds:
            raise AssertionError("a descriptor with %s" % state)

    def forget(self, name):
        if name in self.store:
            os.close(self.store.pop(name))

    def read_all(self):
        """What has been said already."""
        while select.select([self.sock], [], [], 0)[0]:
            self.one()


class NotifyCase(Case):
    def setUp(self):
        self.port = free_port()
        self.backend = net.Backend("one")
        self.addCleanup(self.backend.stop)

    def conf(self, *more, **keys):
        return {"listen": tuple("127.0.0.1:%d" % p
                                for p in (self.port, *more)),
                "upstreams": {"one": {"address": self.backend.address}},
                "routes": ({"sni": "one.example", "to": "one"},),
                "fallback": "close", **keys}

    def begin(self, env=None, **kwargs):
        """A daemon whose first messages are still to be read."""
        case = self

        class Told(harness.Daemon):
            def wait_ready(self):
                case.manager = Manager(self.notify)
                case.addCleanup(lambda: [case.manager.forget(n) for n in
                                         list(case.manager.store)])
                while self.proc.poll() is None:
                    if (select.select([self.notify], [], [], 0.2)[0] and
                            "READY" in case.manager.one()):
                        return
                self.log.join(net.WAIT)
                raise AssertionError("not ready:\n" + self.log.tail())

        d = Told(kwargs.pop("conf", self.conf()), self.mode, env=env,
                 **kwargs)

        def end():
            if d.proc.poll() is None:
                d.stop()
            else:
                d.kill()
        self.addCleanup(end)
        return d

    def works(self):
        self.assertEqual("one", net.who(self.port,
                                        hello.hello("one.example")))


class TestNotify(NotifyCase):
    def test_SD1_reload(self):
        """RELOADING with the time, then READY: as Type=notify-reload has
        it, also for a reload that fails."""
        d = self.begin()
        for text in ("", "nonsense = 1;\n"):
            before = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
            with open(d.conf_path, "a") as f:
                f.write(text)
            os.kill(d.pid, signal.SIGHUP)
            state = self.manager.next("RELOADING")
            self.assertEqual("1", state["RELOADING"])
            self.assertGreaterEqual(int(state["MONOTONIC_USEC"]), before - 1)
            self.assertLessEqual(int(state["MONOTONIC_USEC"]),
                                 time.clock_gettime(time.CLOCK_MONOTONIC) *
                                 1e6)
            self.assertEqual({"READY": "1"}, self.manager.next("READY"))
            self.works()

    def test_SD1_upgrade(self):
        d = self.begin()
        os.kill(d.pid, signal.SIGUSR2)
        self.manager.next("RELOADING")
        self.manager.next("READY")
        self.works()

    def test_SD1_stop(self):
        d = self.begin()
        d.remember()
        os.kill(d.pid, signal.SIGTERM)
        self.assertEqual("1", self.manager.next("STOPPING")["STOPPING"])
        d.proc.wait(net.WAIT)

    def test_SD1_nobody_listens(self):
        """A manager that is gone stops nothing."""
        d = self.begin()
        os.unlink(os.path.join(d.dir, "notify"))
        self.assertEqual(0, d.ctl("reload").returncode)
        self.works()

    def test_SD2_watchdog(self):
        """Twice as often as asked for; not by a master that hangs, and not
        for another process."""
        d = self.begin(env={"WATCHDOG_USEC": "400000"})
        for i in range(5):
            self.assertEqual("1", self.manager.next("WATCHDOG")["WATCHDOG"])
        proc.stop(d.pid)
        try:
            self.manager.read_all()
            self.assertFalse(select.select([d.notify], [], [], 1.0)[0])
        finally:
            proc.go_on(d.pid)
        self.manager.next("WATCHDOG")

    def test_SD2_watchdog_of_another(self):
        d = self.begin(env={"WATCHDOG_USEC": "200000", "WATCHDOG_PID": "1"})
        self.works()
        self.assertFalse(select.select([d.notify], [], [], 1.0)[0])

    def test_SD3_store(self):
        """Listeners come and go with the configuration."""
        other = free_port()
        d = self.begin(env={"FDSTORE": "512"}, conf=self.conf(other))

        def names(*ports):
            return {"127.0.0.1_%d" % p for p in ports}
        self.assertEqual(names(self.port, other), set(self.manager.store))
        with socket.socket(fileno=os.dup(
                self.manager.store["127.0.0.1_%d" % other])) as s:
            self.assertEqual(other, s.getsockname()[1])
        harness.write_conf(d.conf_path, d.complete(self.conf()))
        self.assertEqual(0, d.ctl("reload").returncode)
        self.manager.next("FDSTOREREMOVE")
        self.assertEqual(names(self.port), set(self.manager.store))

    def test_SD3_no_store(self):
        """Nobody asked for it."""
        d = self.begin()
        self.assertEqual(0, d.ctl("reload").returncode)
        self.manager.read_all()
        self.assertEqual({}, self.manager.store)


def refuse_openat2():
    """As RestrictSUIDSGID of systemd does: ENOSYS, for it and all it starts."""
    def bpf(code, k, jt=0, jf=0):
        return struct.pack("=HBBI", code, jt, jf, k)
    text = (bpf(0x20, 0) +                              # the number
            bpf(0x15, 437, 0, 1) +                      # openat2
            bpf(0x06, 0x00050000 | errno.ENOSYS) +
            bpf(0x06, 0x7fff0000))                      # all else
    buf = ctypes.create_string_buffer(text)
    prog = ctypes.create_string_buffer(struct.pack(
        "@HP", len(text) // 8, ctypes.addressof(buf)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, prog, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


class TestUnit(NotifyCase):
    def test_SD5_a_filter_that_takes_files_away(self):
        """It says so, rather than to serve none."""
        with self.assertRaises(AssertionError) as e:
            self.begin(conf=self.conf(sites={
                "s": {"names": ["s.example"], "root": "/usr",
                      "certificate": "self-signed"}}),
                preexec=refuse_openat2)
        self.assertIn("site s: openat2(2): Function not implemented "
                      "(RestrictSUIDSGID", str(e.exception))

    def test_SD5_without_files_it_is_none_of_ours(self):
        self.begin(preexec=refuse_openat2)
        self.works()


class TestInherit(NotifyCase):
    """P19, PF8: the next master of the service has the listeners."""

    def heirs(self, fds, names):
        """What starts a program with these descriptors from 3 on."""
        moves = " ".join("%d<&%d" % (3 + i, fd) for i, fd in enumerate(fds))
        script = ('exec %s; LISTEN_FDS=%d LISTEN_PID=$$ LISTEN_FDNAMES="%s"; '
                  'export LISTEN_FDS LISTEN_PID LISTEN_FDNAMES; exec "$@"' %
                  (moves, len(fds), ":".join(names)))
        return {"wrap": ("bash", "-c", script, "bash"), "pass_fds": fds}

    def high(self, fd):
        """A number that no move above overwrites."""
        copy = os.dup(fd)
        while copy < 64:
            copy = os.dup2(copy, copy + 64)
        self.addCleanup(os.close, copy)
        return copy

    def test_P19_nobody_is_lost(self):
        """Who connects while the master is dead is served by the next."""
        first = self.begin(env={"FDSTORE": "512"})
        self.works()
        first.remember()
        os.kill(first.pid, signal.SIGKILL)
        first.proc.wait(net.WAIT)
        poll(lambda: not [p for p in first.children
                          if proc.alive(p)],
             why="children of the dead master live on")
        waiting = []
        for i in range(50):
            s = net.tcp(self.port)
            s.sendall(hello.hello("one.example"))
            waiting.append(s)
        names = sorted(self.manager.store)
        fds = [self.high(self.manager.store[n]) for n in names]
        self.begin(**self.heirs(fds, names))
        for s in waiting:
            self.assertEqual(b"I am one\n", net.read_line(s))
            s.close()
        self.works()

    def test_SD4_names_of_what_is_not_ours(self):
        """FileDescriptorName tells which unit to look at."""
        sockets = [socket.socket() for i in range(2)]
        for s in sockets:
            self.addCleanup(s.close)
            s.bind(("127.0.0.1", 0))
            s.listen()
        self.port = sockets[0].getsockname()[1]
        d = self.begin(**self.heirs([self.high(s.fileno()) for s in sockets],
                                    ["https", "odd\\\\name"]))
        d.log.wait(r"LISTEN_FDS: descriptor 4 \(odd\\x5cname\) is no listener")
        self.assertFalse([s for s in d.log.lines if "descriptor 3" in s])
        sockets[0].close()
        self.works()
