"""A library that stands between the daemon's processes and the C library.

Of what master was given in its environment its children get nothing, so they
are started by scripts that stand in their places.  What the library is to do
is a number in a file, which it maps before the sandbox is there: a process
that may open nothing sees each change, and at once.
"""

import os
import shutil
import struct
import subprocess
import tempfile

import harness
from harness import Case


class PreloadCase(Case):
    source = None               # NAME.c, beside this file

    def setUp(self):
        if not shutil.which("cc"):
            self.skipTest("cc is not installed")
        self.dir = tempfile.mkdtemp(prefix="l4mux-preload-")
        os.chmod(self.dir, 0o755)
        self.addCleanup(shutil.rmtree, self.dir)
        self.number = os.path.join(self.dir, "number")
        self.lib = os.path.join(self.dir, "preload.so")
        self.tell(0)
        subprocess.run(
            ["cc", "-O1", "-shared", "-fPIC", "-o", self.lib,
             '-DNUMBER="%s"' % self.number,
             os.path.join(harness.HERE, self.source)], check=True)
        for path in self.number, self.lib:
            os.chmod(path, 0o755)

    def tell(self, number):
        """All processes, from now on."""
        fd = os.open(self.number, os.O_WRONLY | os.O_CREAT, 0o644)
        os.pwrite(fd, struct.pack("=q", number), 0)
        os.close(fd)

    def programs(self, roles=None):
        """l4muxd of a copy of the build whose children have the library."""
        top = self.tree()
        libexec = os.path.join(top, "libexec", "l4mux")
        real = os.path.join(top, "real")
        os.mkdir(real)
        for role in roles or os.listdir(libexec):
            path = os.path.join(libexec, role)
            os.rename(path, os.path.join(real, role))
            with open(path, "w") as f:
                f.write("#!/bin/sh\nexport LD_PRELOAD=%s\n"
                        'exec %s/%s "$@"\n' % (self.lib, real, role))
            os.chmod(path, 0o755)
        return os.path.join(top, "sbin", "l4muxd")
