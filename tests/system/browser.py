"""Chromium, told over two pipes what to do (the DevTools protocol)."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import threading

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
WAIT = 60


class Browser:
    """One window with one page; what its console says is kept."""

    def __init__(self, dark=False):
        self.home = tempfile.mkdtemp(prefix="l4mux-chromium-")
        here, their = os.pipe(), os.pipe()
        # It reads at 3 and writes at 4.
        r, w = (fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in
                (here[0], their[1]))
        os.close(here[0])
        os.close(their[1])
        self.proc = subprocess.Popen(
            ["bash", "-c", 'exec "$@" 3<&%d 4>&%d' % (r, w), "bash", PROGRAM,
             "--headless=new", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server",
             "--disable-background-networking", "--disable-component-update",
             "--hide-scrollbars", "--remote-debugging-pipe",
             "--user-data-dir=" + self.home, "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, pass_fds=(r, w),
            start_new_session=True, env={**os.environ, "HOME": self.home})
        os.close(r)
        os.close(w)
        self.to = os.fdopen(here[1], "wb", 0)
        self.back = os.fdopen(their[0], "rb", 0)
        self.number = 0
        self.answers = {}
        self.events = []
        self.session = None
        self.said = threading.Condition()
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()
        target = self.call("Target.createTarget", url="about:blank")
        self.session = self.call("Target.attachToTarget", flatten=True,
                                 targetId=target["targetId"])["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")
        if dark:
            self.call("Emulation.setEmulatedMedia", features=[
                {"name": "prefers-color-scheme", "value": "dark"}])

    def listen(self):
        rest = b""
        while True:
            got = self.back.read(1 << 16)
            if not got:
                break
            *whole, rest = (rest + got).split(b"\0")
            with self.said:
                for m in map(json.loads, whole):
                    if "id" in m:
                        self.answers[m["id"]] = m
                    else:
                        self.events.append(m)
                self.said.notify_all()
        with self.said:
            self.back = None
            self.said.notify_all()

    def until(self, what):
        """what() is asked again whenever the browser has said something."""
        with self.said:
            if not self.said.wait_for(lambda: self.back is None or what(),
                                      WAIT) or not what():
                raise AssertionError("chromium does not answer")
            return what()

    def call(self, method, **params):
        self.number += 1
        n = self.number
        m = {"id": n, "method": method, "params": params}
        if self.session:
            m["sessionId"] = self.session
        self.to.write(json.dumps(m).encode() + b"\0")
        got = self.until(lambda: self.answers.get(n))
        if "error" in got:
            raise AssertionError("%s: %s" % (method, got["error"]))
        return got["result"]

    def size(self, width, height=900):
        self.call("Emulation.setDeviceMetricsOverride", width=width,
                  height=height, deviceScaleFactor=1, mobile=width < 600)

    def scripts(self, on):
        self.call("Emulation.setScriptExecutionDisabled", value=not on)

    def go(self, url):
        with self.said:
            self.events.clear()
        self.call("Page.navigate", url=url)
        self.until(lambda: [e for e in self.events
                            if e["method"] == "Page.loadEventFired"])

    def js(self, text):
        got = self.call("Runtime.evaluate", expression=text,
                        returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in got:
            raise AssertionError(got["exceptionDetails"])
        return got["result"].get("value")

    def complaints(self):
        """What is in the console, and requests that failed."""
        with self.said:
            events = list(self.events)
        return [e["params"] for e in events if e["method"] in (
            "Runtime.exceptionThrown", "Runtime.consoleAPICalled",
            "Log.entryAdded", "Network.loadingFailed")]

    def requested(self):
        with self.said:
            return [e["params"]["request"]["url"] for e in self.events
                    if e["method"] == "Network.requestWillBeSent"]

    def screenshot(self, path, whole=True):
        got = self.call("Page.captureScreenshot", format="png",
                        captureBeyondViewport=whole)
        with open(path, "wb") as f:
            f.write(base64.b64decode(got["data"]))

    def stop(self):
        self.proc.kill()
        self.proc.wait()
        self.thread.join(WAIT)
        self.to.close()
        shutil.rmtree(self.home, ignore_errors=True)
