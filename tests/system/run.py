#!/usr/bin/env python3
"""Runs the system tests: run.py [-l] [-q] [--as root|user] [WORD ...]

Each WORD selects the tests whose name (file.Class.test) contains it.
L4MUX_BUILD names the build directory, default `build`.  As root, every test
runs against a daemon started by root and, where that makes a difference,
again against one started by an ordinary user; in a network namespace of its
own where the kernel allows one.
"""

import argparse
import ctypes
import faulthandler
import os
import signal
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

TEST_SECONDS = 300      # a test that takes longer hangs
CLONE_NEWNET = 0x40000000


class Hang(Exception):
    pass


def on_alarm(signo, frame):
    faulthandler.dump_traceback()
    raise Hang("no end after %d s" % TEST_SECONDS)


class Result(unittest.TestResult):
    """One line per test."""

    def __init__(self, mode, quiet):
        super().__init__()
        self.mode = mode
        self.quiet = quiet
        self.passed = 0
        self.bad = []

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        signal.alarm(TEST_SECONDS)

    def stopTest(self, test):
        super().stopTest(test)
        signal.alarm(0)

    def line(self, word, test, note=""):
        name = test.id() if hasattr(test, "id") else str(test)
        if not (self.quiet and word == "ok"):
            print("%-4s %s [%s]%s" % (word, name, self.mode, note),
                  flush=True)

    def addSuccess(self, test):
        self.passed += 1
        self.line("ok", test,
                  " %.2fs" % (time.monotonic() - self.began))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line("skip", test, ": " + reason)

    def fault(self, test, err):
        self.bad.append(test)
        self.line("FAIL", test)
        text = self._exc_info_to_string(err, test)
        print("".join("     " + s + "\n" for s in text.splitlines()),
              flush=True)

    def addFailure(self, test, err):
        self.fault(test, err)

    def addError(self, test, err):
        self.fault(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.fault(subtest, err)


def own_network():
    """A network namespace with loopback up; without the right, the host's."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0 or libc.unshare(CLONE_NEWNET) == -1:
        return
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    os.environ["OWN_NETWORK"] = "1"     # tests may change routes


def flatten(suite):
    for t in suite:
        if isinstance(t, unittest.TestSuite):
            yield from flatten(t)
        else:
            yield t


def select(mode, words):
    """The tests of this mode, grouped by class as the loader does."""
    found = unittest.TestLoader().discover(HERE, "test_*.py")
    chosen = {}
    for t in flatten(found):
        if words and not any(w in t.id() for w in words):
            continue
        if mode not in getattr(t, "modes", (mode,)):
            continue
        chosen.setdefault(type(t), []).append(t)
    return chosen


def run(mode, chosen, quiet):
    result = Result(mode, quiet)
    suite = unittest.TestSuite()
    for cls, tests in chosen.items():
        cls.mode = mode
        cls.daemon = None
        suite.addTests(tests)
    suite.run(result)
    return result


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("-l", action="store_true", help="list the tests")
    p.add_argument("-q", action="store_true", help="print only what fails")
    p.add_argument("--as", dest="mode", choices=("root", "user"))
    p.add_argument("word", nargs="*")
    args = p.parse_args()
    modes = ("user",) if os.geteuid() != 0 else ("root", "user")
    if args.mode:
        modes = (args.mode,)
    if args.l:
        for mode in modes:
            for tests in select(mode, args.word).values():
                for t in tests:
                    print("%s [%s]" % (t.id(), mode))
        return 0
    own_network()
    signal.signal(signal.SIGALRM, on_alarm)
    results = [run(m, select(m, args.word), args.q) for m in modes]
    failed = sum(len(r.bad) for r in results)
    skipped = sum(len(r.skipped) for r in results)
    text = "%d passed, %d failed" % (sum(r.passed for r in results), failed)
    if skipped:
        text += ", %d skipped" % skipped
    print(text)
    return 1 if failed or not any(r.passed for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
