#!/usr/bin/env python3
"""New connections, many a second, each with a question and its answer.

    churn.py serve              a server; prints its port
    churn.py ask RATE PORT...   RATE a second until SIGTERM, then prints what
                                became of them: {"done": n, "errors": {...}}

PORTs are asked in turn, 127.0.0.1 all of them: with a ClientHello whose
answer is ANSWER, or, where "http:" is before the number, for a page.  What is
neither, an end that is none, or none within 30 seconds, is an error.
"""

import collections
import errno
import json
import select
import signal
import socket
import sys
import time

import hello

ANSWER = b"it is me\n"
HELLO = hello.hello("a.example")
PAGE = b"<!doctype html><title>churn</title>\n"
GET = b"GET / HTTP/1.1\r\nHost: s.example\r\nConnection: close\r\n\r\n"
PATIENCE = 30.0
AT_ONCE = 200           # connections that wait for an answer


def serve():
    lis = socket.socket()
    lis.bind(("127.0.0.1", 0))
    lis.listen(1024)
    lis.setblocking(False)
    print(lis.getsockname()[1], flush=True)
    ep = select.epoll()
    ep.register(lis, select.EPOLLIN)
    conns = {}
    while True:
        for fd, _ in ep.poll():
            if fd == lis.fileno():
                accept_all(lis, ep, conns)
                continue
            s, left = conns[fd]
            part = s.recv(65536)
            conns[fd] = (s, left - len(part))
            if part and left > len(part):
                continue
            if part:
                s.send(ANSWER)
            del conns[fd]
            s.close()


def accept_all(lis, ep, conns):
    try:
        while True:
            s, _ = lis.accept()
            s.setblocking(False)
            conns[s.fileno()] = (s, len(HELLO))
            ep.register(s, select.EPOLLIN)
    except BlockingIOError:
        pass


class Asker:
    def __init__(self, rate, ports):
        self.rate = rate
        self.ports = ports
        self.ep = select.epoll()
        self.conns = {}
        self.begun = self.done = 0
        self.errors = collections.Counter()
        self.stop = False

    def begin(self):
        word = self.ports[self.begun % len(self.ports)]
        self.begun += 1
        http = word.startswith("http:")
        s = socket.socket()
        s.setblocking(False)
        e = s.connect_ex(("127.0.0.1", int(word.rpartition(":")[2])))
        if e not in (0, errno.EINPROGRESS):
            self.end(s, errno.errorcode[e])
            return
        self.conns[s.fileno()] = [s, GET if http else HELLO, b"",
                                  time.monotonic(), http]
        self.ep.register(s, select.EPOLLOUT)

    def end(self, s, error=None):
        self.conns.pop(s.fileno(), None)
        s.close()
        if error:
            self.errors[error] += 1
        else:
            self.done += 1

    def event(self, fd):
        c = self.conns[fd]
        s, todo = c[0], c[1]
        try:
            if todo:
                c[1] = todo[s.send(todo):]
                if not c[1]:
                    self.ep.modify(fd, select.EPOLLIN)
                return
            part = s.recv(65536)
        except OSError as e:
            self.end(s, errno.errorcode[e.errno])
            return
        c[2] += part
        if not part:
            self.end(s, self.wrong(c[2], c[4]))

    def wrong(self, got, http):
        if not http:
            return None if got == ANSWER else "answer %r" % got
        if got.startswith(b"HTTP/1.1 200 ") and got.endswith(PAGE):
            return None
        return "page %r" % got[:100]

    def expire(self, now):
        for s, _, _, began, _ in list(self.conns.values()):
            if now - began > PATIENCE:
                self.end(s, "late")

    def run(self):
        first = due = time.monotonic()
        while not self.stop or self.conns:
            now = time.monotonic()
            # What could not be begun in time is not made up for.
            due = max(due, now - 0.1)
            while not self.stop and due <= now and \
                    len(self.conns) < AT_ONCE:
                self.begin()
                due += 1 / self.rate
            for fd, _ in self.ep.poll(0.002):
                self.event(fd)
            self.expire(now)
        took = time.monotonic() - first
        print(json.dumps({"done": self.done, "errors": self.errors,
                          "rate": self.done / took}))


def main():
    if sys.argv[1] == "serve":
        serve()
    asker = Asker(float(sys.argv[2]), sys.argv[3:])

    def stop(signo, frame):
        asker.stop = True
    signal.signal(signal.SIGTERM, stop)
    asker.run()


if __name__ == "__main__":
    main()
