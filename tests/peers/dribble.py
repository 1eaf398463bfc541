"""Serves one file over HTTP: a little at a time until another file appears,
then the rest at once.  dribble.py ADDRESS PORT FILE GO"""

import http.server
import os
import sys
import time

PIECE, PAUSE = 16384, 0.02
address, port, path, go = sys.argv[1:]
with open(path, "rb") as f:
    content = f.read()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        at = 0
        while not os.path.exists(go):
            # Keeps some for the end, however long that takes.
            if at < len(content) // 2:
                self.wfile.write(content[at:at + PIECE])
                at += PIECE
            time.sleep(PAUSE)
        self.wfile.write(content[at:])


http.server.ThreadingHTTPServer((address, int(port)), Handler).serve_forever()
