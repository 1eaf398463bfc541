"""An ACME authority (RFC 8555) that does what it is told, for test_acme.py.

It checks http-01 itself, over the daemon's plain listener, and no signature.
`answer` maps the name of a resource to a function (server, request) that
answers in its place: (status, headers, body), or None to go on as usual.
"""

import base64
import hashlib
import http.client
import http.server
import json
import os
import ssl
import subprocess
import tempfile
import threading
import time

TYPE = "urn:ietf:params:acme:error:"


def unb64(s):
    return base64.urlsafe_b64decode(s + "=" * (-len(s) % 4))


def b64(b):
    return base64.urlsafe_b64encode(b).decode().rstrip("=")


def problem(kind, detail, status=400, **headers):
    return status, headers, {"type": TYPE + kind, "detail": detail}


class Request:
    def __init__(self, resource, arg, jws):
        self.resource, self.arg = resource, arg
        self.protected = json.loads(unb64(jws["protected"])) if jws else {}
        text = unb64(jws["payload"]).decode() if jws else ""
        self.payload = json.loads(text) if text else None


class CA:
    """Listens on 127.0.0.1; certificates are signed by ca (certs.py)."""

    def __init__(self, dir, authority, plain_port):
        self.authority = authority
        self.root = authority.authority("Stand-in")
        # A name of its own: two may be trusted at once, and the first of a
        # name is the one that is tried.
        own = authority.make("127.0.0.1", ext="subjectAltName = IP:127.0.0.1",
                             org=os.path.basename(authority.dir))
        self.ca_file = own["chain"]
        self.dir, self.plain_port = dir, plain_port
        self.answer, self.seen, self.orders = {}, [], []
        self.thumbprint, self.days = None, 90
        self.changed = threading.Condition()
        ca = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_HEAD(self):
                self.reply(200, {}, None)

            def do_GET(self):
                self.run(None)

            def do_POST(self):
                n = int(self.headers["Content-Length"])
                self.run(json.loads(self.rfile.read(n)))

            def run(self, jws):
                _, resource, *arg = self.path.split("/")
                self.reply(*ca.handle(Request(
                    resource, arg[0] if arg else "", jws)))

            def reply(self, status, headers, body):
                if isinstance(body, (dict, list)):
                    body = json.dumps(body).encode()
                body = body or b""
                try:
                    self.send_response(status)
                    for k, v in {"Replay-Nonce": b64(os.urandom(12)),
                                 "Content-Length": str(len(body)),
                                 **headers}.items():
                        self.send_header(k.replace("_", "-"), v)
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    self.close_connection = True

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        self.server.daemon_threads = True
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(own["chain"], own["key"])
        self.server.socket = ctx.wrap_socket(
            self.server.socket, server_side=True,
            do_handshake_on_connect=False)
        self.base = "https://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def url(self, resource, arg=""):
        return self.base + "/" + resource + ("/%s" % arg if arg != "" else "")

    def count(self, resource):
        with self.changed:
            return self.seen.count(resource)

    def await_count(self, resource, n, seconds=30):
        with self.changed:
            if not self.changed.wait_for(
                    lambda: self.seen.count(resource) >= n, seconds):
                raise AssertionError("%d requests for %s, not %d: %s" % (
                    self.seen.count(resource), resource, n, self.seen))

    def handle(self, r):
        with self.changed:
            self.seen.append(r.resource)
            self.changed.notify_all()
        if r.resource in self.answer:
            got = self.answer[r.resource](self, r)
            if got is not None:
                return got
        return getattr(self, "on_" + r.resource)(r)

    def on_dir(self, r):
        return 200, {}, {
            **{k: self.url(k.lower()) for k in (
                "newNonce", "newAccount", "newOrder", "revokeCert")},
            "renewalInfo": self.url("renewal"),
            "meta": {"profiles": {"shortlived": "six days"}}}

    def on_newaccount(self, r):
        jwk = json.dumps(r.protected["jwk"], sort_keys=True,
                         separators=(",", ":"))
        self.thumbprint = b64(hashlib.sha256(jwk.encode()).digest())
        return 201, {"Location": self.url("account", 1)}, {"status": "valid"}

    def on_neworder(self, r):
        order = {"status": "pending", "ids": r.payload["identifiers"],
                 "request": r.payload, "valid": set(),
                 "token": b64(os.urandom(16))}
        self.orders.append(order)
        n = len(self.orders) - 1
        return 201, {"Location": self.url("order", n)}, self.order(n)

    def order(self, n):
        o = self.orders[n]
        if o["status"] == "pending" and len(o["valid"]) == len(o["ids"]):
            o["status"] = "ready"
        doc = {"status": o["status"], "identifiers": o["ids"],
               "finalize": self.url("finalize", n),
               "authorizations": [self.url("authz", "%d-%d" % (n, i))
                                  for i in range(len(o["ids"]))]}
        if o["status"] == "valid":
            doc["certificate"] = self.url("cert", n)
        return doc

    def on_order(self, r):
        return 200, {}, self.order(int(r.arg))

    def on_authz(self, r):
        n, i = map(int, r.arg.split("-"))
        o = self.orders[n]
        status = ("valid" if i in o["valid"] else
                  "invalid" if o.get("error") else "pending")
        challenge = {"type": "http-01", "url": self.url("chall", r.arg),
                     "token": o["token"], "status": status}
        if o.get("error"):
            challenge["error"] = o["error"]
        return 200, {}, {"status": status, "identifier": o["ids"][i],
                         "challenges": [challenge]}

    def on_chall(self, r):
        n, i = map(int, r.arg.split("-"))
        o = self.orders[n]
        try:
            got = self.fetch(o["ids"][i]["value"], o["token"])
        except OSError as e:
            got = str(e).encode()
        if got == ("%s.%s" % (o["token"], self.thumbprint)).encode():
            o["valid"].add(i)
        else:
            o["error"] = {"type": TYPE + "unauthorized",
                          "detail": "got %r" % got[:40]}
        return 200, {}, {"status": "processing"}

    def fetch(self, name, token):
        c = http.client.HTTPConnection("127.0.0.1", self.plain_port,
                                       timeout=10)
        c.request("GET", "/.well-known/acme-challenge/" + token,
                  headers={"Host": name})
        body = c.getresponse().read()
        c.close()
        return body

    def sign(self, csr, days=None, ca=None):
        """The chain, in PEM, for a request in DER."""
        ca = ca or self.root
        with tempfile.TemporaryDirectory() as tmp:
            with open(tmp + "/csr", "wb") as f:
                f.write(csr)
            with open(tmp + "/ext", "w") as f:
                f.write("authorityKeyIdentifier = keyid\n"
                        "subjectKeyIdentifier = hash\n")
            subprocess.run(
                ["openssl", "x509", "-req", "-inform", "DER", "-in",
                 tmp + "/csr", "-CA", ca["chain"], "-CAkey", ca["key"],
                 "-days", str(days or self.days), "-copy_extensions", "copy",
                 "-extfile", tmp + "/ext", "-set_serial",
                 str(int.from_bytes(os.urandom(8), "big")),
                 "-out", tmp + "/crt"], check=True, capture_output=True)
            with open(tmp + "/crt") as f:
                return f.read()

    def on_finalize(self, r):
        o = self.orders[int(r.arg)]
        o["chain"] = self.sign(unb64(r.payload["csr"]))
        o["status"] = "valid"
        return 200, {}, self.order(int(r.arg))

    def on_cert(self, r):
        return (200, {"Content_Type": "application/pem-certificate-chain"},
                self.orders[int(r.arg)]["chain"].encode())

    def on_renewal(self, r):
        return 404, {}, {}

    def on_revokecert(self, r):
        return 200, {}, b""


def window(start, end):
    form = "%Y-%m-%dT%H:%M:%SZ"
    now = time.time()
    return {"suggestedWindow": {
        "start": time.strftime(form, time.gmtime(now + start)),
        "end": time.strftime(form, time.gmtime(now + end))}}
