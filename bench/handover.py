#!/usr/bin/env python3
"""How long a ping takes while live sessions go from one generation to the next.

	bench/handover.py [SESSIONS [RELOADS]]

Starts the built daemon (L4MUX_BUILD) on loopback, holds so many sessions, and
exchanges 64 bytes with one after the other without a pause: at rest, then
through the reloads.  Both ends of every session are in this process, so a ping
is four sends and receives here and two moves in the proxy.
"""

import os
import random
import resource
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tests", "system"))

import harness      # noqa: E402
import hello        # noqa: E402
import net          # noqa: E402

HELLO = hello.hello("a.example")


def ping(pair):
    client, backend = pair
    began = time.perf_counter()
    client.sendall(b"p" * 64)
    net.read_exactly(backend, 64)
    backend.sendall(b"q" * 64)
    net.read_exactly(client, 64)
    return time.perf_counter() - began


def report(what, times):
    times = sorted(times)

    def at(share):
        return times[min(len(times) - 1, int(len(times) * share))] * 1000
    print("%-24s %7d pings  p50 %.3f  p99 %.3f  p99.9 %.3f  max %.3f ms" %
          (what, len(times), at(.5), at(.99), at(.999), times[-1] * 1000))


def connect(port, sink):
    client = net.tcp(port)
    client.sendall(HELLO)
    backend = sink.accept()
    net.read_exactly(backend, len(HELLO))
    ping((client, backend))
    return client, backend


def reload(d, spans):
    """(begun, the new processes take connections, the old have ended)"""
    began = time.perf_counter()
    if not d.ask("reload")["ok"]:
        raise AssertionError("the reload failed")
    switched = time.perf_counter()
    harness.poll(lambda: len(d.status()["generations"]) == 1)
    spans.append((began, switched, time.perf_counter()))


def main(sessions=1000, reloads=20):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sink = net.Sink(backlog=1024)
    port = harness.free_port()
    mode = "root" if os.geteuid() == 0 else "user"
    d = harness.Daemon({
        "listen": ("127.0.0.1:%d" % port,),
        "upstreams": {"sink": {"address": sink.address}},
        "routes": ({"sni": "a.example", "to": "sink"},),
        "fallback": "close"}, mode)
    pairs = [connect(port, sink) for _ in range(sessions)]
    rnd = random.Random(1)
    report("at rest", [ping(rnd.choice(pairs)) for _ in range(20000)])
    spans, times = [], []

    def work():
        for _ in range(reloads):
            reload(d, spans)
    worker = threading.Thread(target=work)
    worker.start()
    while worker.is_alive():
        began = time.perf_counter()
        times.append((began, ping(rnd.choice(pairs))))
    worker.join()
    report("new processes start", [
        took for at, took in times if any(a <= at < b for a, b, _ in spans)])
    report("sessions change hands", [
        took for at, took in times if any(b <= at <= c for _, b, c in spans)])
    took = sorted(c - b for _, b, c in spans)
    taken = d.counter("proxy", "taken_over")
    print("until all have changed hands: median %.0f ms of %d reloads; "
          "the last proxy took over %d" %
          (took[len(took) // 2] * 1000, reloads, taken))
    for client, backend in pairs:
        client.close()
        backend.close()
    d.stop()
    sink.stop()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
