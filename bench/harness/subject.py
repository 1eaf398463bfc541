"""One program under test: started, asked once, stopped."""
import os
import socket
import subprocess
import time

from .common import BIN, HERE, SNI_A, SNI_B, WORKLOADS, log, state
from .host import Group, free_port
from .load import call


class Subject:
    def __init__(self, name):
        self.name = name
        o = (
            subprocess.run(
                ["bash", HERE + "/lib/subj.sh", name, "info"],
                capture_output=True,
                text=True,
                env=dict(os.environ, OUT=BIN),
            ).stdout.split("\n")
            + [""] * 5
        )
        self.parts, self.caps, self.kind, self.ok, self.version = (
            o[0].split(),
            o[1].split(),
            o[2],
            o[3] == "1",
            o[4],
        )
        self.cg = None

    def can(self, w):
        return WORKLOADS[w][0] in self.parts and all(
            c in self.caps for c in WORKLOADS[w][1].split()
        )

    def start(self, part):
        self.part = part
        self.rundir = os.path.join(
            state.tmp, "%s-%s-%d" % (self.name, part, time.monotonic_ns())
        )
        os.makedirs(self.rundir)
        os.chmod(self.rundir, 0o755)
        self.cg = Group(self.name + part)
        self.direct = self.name == "direct" and part == "A"
        self.port = state.backend_ports[0] if self.direct else free_port()
        self.env = dict(
            os.environ,
            MODE=part,
            LISTEN_PORT=str(self.port),
            BACKEND_PORT=str(state.backend_ports[0]),
            BACKEND_PORT_B=str(state.backend_ports[1]),
            BACKEND_PORT_DEF=str(state.backend_ports[2]),
            AUX_PORT=str(free_port()),
            SNI_A=SNI_A,
            SNI_B=SNI_B,
            SITE_SNI=SNI_A,
            OTHER_SNI=SNI_B,
            CERT=state.tmp + "/cert.pem",
            KEY=state.tmp + "/key.pem",
            PEM=state.tmp + "/both.pem",
            DOCROOT=state.tmp + "/www",
            RUNDIR=self.rundir,
            WORKERS=str(len(state.subject_cpus)),
            OUT=BIN,
            NOFILE=str(state.nofile),
        )
        cmd = (
            self.cg.prefix()
            + "exec taskset -c %s bash %s/lib/subj.sh %s start"
            % (",".join(map(str, state.subject_cpus)), HERE, self.name)
        )
        subprocess.run(
            ["bash", "-c", cmd],
            env=self.env,
            stdin=subprocess.DEVNULL,
            timeout=20,
        )
        if self.direct:
            return True
        end = time.time() + 8
        while time.time() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        else:
            return self.fail("no listener")
        time.sleep(0.15)
        if part == "A":
            r = call(["./lg", "rate", self.port, 1, 0.02, SNI_A, 0, 0])
        else:
            r = call(["./tlsload", "get", self.port, SNI_A, "/1k.bin", ""])
        if (
            not r
            or not r.get("ok")
            or (part != "A" and (r["status"], r["body"]) != ("200", 1024))
        ):
            return self.fail("first request: %s" % r)
        if part == "C" and "siteonly" not in self.caps:
            return self.routes()
        return True

    def routes(
        self,
    ):  # part C: the other name must reach the backend untouched
        r = call(["./lg", "rate", self.port, 1, 0.05, SNI_B, 0, 0])
        return (
            True
            if r.get("ok")
            and not (r.get("fail") or r.get("misrouted") or r.get("connfail"))
            else self.fail("passthrough of the other name: %s" % r)
        )

    def fail(self, why):
        log("!! %s (part %s) did not start: %s" % (self.name, self.part, why))
        for f in ("log", "error.log"):
            p = os.path.join(self.rundir, f)
            if os.path.exists(p):
                log(
                    "".join(
                        "   " + l
                        for l in open(p, errors="replace").readlines()[-6:]
                    )
                )
        self.stop()
        return False

    def stop(self):
        if self.cg:
            try:
                subprocess.run(
                    ["bash", HERE + "/lib/subj.sh", self.name, "stop"],
                    env=self.env,
                    timeout=10,
                    stdin=subprocess.DEVNULL,
                )
            except Exception:
                pass
            self.cg.drop()
            self.cg = None
