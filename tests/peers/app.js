// A server to stand behind `proxy =`: pages, events, a WebSocket that echoes.
// Run by dynamic.sh: node app.js PORT
"use strict";
const http = require("http");
const crypto = require("crypto");

// Answers that wait until the page says it is done.
const held = [];
const server = http.createServer((req, res) => {
	const path = req.url.split("?")[0];
	if (path === "/app/who") {
		res.setHeader("Content-Type", "application/json");
		res.end(JSON.stringify(req.headers));
	} else if (path === "/app/digest") {
		const h = crypto.createHash("sha256");
		req.on("data", d => h.update(d));
		req.on("end", () => res.end(h.digest("hex") + "\n"));
	} else if (path === "/app/events") {
		res.writeHead(200, { "Content-Type": "text/event-stream" });
		let n = 0;
		const timer = setInterval(() => {
			res.write("data: " + ++n + "\n\n");
			if (n === 3)
				clearInterval(timer);
		}, 20);
		req.on("close", () => clearInterval(timer));
	} else if (path === "/app/hold") {
		held.push(res);
	} else if (path === "/app/done") {
		held.splice(0).forEach(r => r.end());
		res.end();
	} else {
		res.writeHead(404);
		res.end("no such page\n");
	}
});

// RFC 6455, as far as a browser sends it: whole frames, masked, short or 16 bits.
server.on("upgrade", (req, sock) => {
	const accept = crypto.createHash("sha1").update(
	    req.headers["sec-websocket-key"] +
	    "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
	sock.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" +
	    "Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept +
	    "\r\n\r\n");
	let got = Buffer.alloc(0);
	sock.on("data", d => {
		got = Buffer.concat([got, d]);
		for (;;) {
			if (got.length < 2)
				return;
			const long = (got[1] & 127) === 126;
			const head = long ? 8 : 6;
			if (got.length < head)
				return;
			const n = long ? got.readUInt16BE(2) : got[1] & 127;
			if (got.length < head + n)
				return;
			const mask = got.subarray(head - 4, head);
			const data = Buffer.from(got.subarray(head, head + n));
			for (let i = 0; i < n; i++)
				data[i] ^= mask[i % 4];
			const out = long ? Buffer.from([got[0], 126, n >> 8,
			    n & 255]) : Buffer.from([got[0], n]);
			sock.write(Buffer.concat([out, data]));
			if ((got[0] & 15) === 8)
				sock.end();
			got = got.subarray(head + n);
		}
	});
	sock.on("error", () => sock.destroy());
});

server.listen(Number(process.argv[2]), "127.0.0.1");
