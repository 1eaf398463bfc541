#!/bin/bash
#
# Real servers behind a site: node with events and a WebSocket, nginx with
# files; real clients before it: curl and Chromium.
#
. "$(dirname "$0")/lib.sh"
. "$HERE/web.sh"
need node nginx chromium

mkca
blog_site
head -c 50000000 /dev/urandom >"$T/www/large.bin"
cat >"$T/www/app.html" <<'X'
<!doctype html><title>app</title><img src="/app/hold"><pre id="out"></pre><script>
const say = s => document.getElementById("out").textContent += s + "\n";
// The browser writes the page down at its load, which the image holds up.
const big = "x".repeat(60000);
const ws = new WebSocket("wss://" + location.host + "/app/ws");
ws.onopen = () => ws.send("hello");
let n = 0;
ws.onmessage = m => {
	say("ws " + (m.data === big ? "big" : m.data));
	if (++n == 1)
		ws.send(big);
	else
		ws.close(1000);
};
ws.onclose = e => {
	say("closed " + e.code + " " + e.wasClean);
	const es = new EventSource("/app/events");
	es.onmessage = m => {
		say("event " + m.data);
		if (m.data === "3") {
			es.close();
			fetch("/app/who").then(r => r.json()).then(j => {
				say(j["x-forwarded-proto"] + " " +
				    j["x-forwarded-for"] + " " +
				    j["x-forwarded-host"]);
				fetch("/app/done");
			});
		}
	};
};
</script>
X
cat >"$T/nginx.conf" <<X
daemon off; master_process off; pid $T/nginx.pid; error_log stderr;
events { }
http {
	access_log off; client_max_body_size 0; gzip on; gzip_types *;
	client_body_temp_path $T/ngx1; proxy_temp_path $T/ngx2;
	fastcgi_temp_path $T/ngx3; uwsgi_temp_path $T/ngx4;
	scgi_temp_path $T/ngx5;
	server { listen 127.0.0.1:8001; root $T/www;
	  location /files/ { alias $T/www/; } }
}
X
start "$S" node.log node "$HERE/app.js" 8000
node=$last
start "$S" nginx.log nginx -c "$T/nginx.conf"
nginx=$last
await_port t 8000 "$node" node.log
await_port t 8001 "$nginx" nginx.log

l4mux_up <<X
sites = { blog = { names = [ "blog.test" ]; root = "$T/www";
  certificate = { chain = "$T/blog.crt"; key = "$T/blog.key"; };
  proxy = ( { path = "/app"; to = "node"; },
	    { path = "/files/"; to = "nginx"; } ); }; };
upstreams = { node = { address = "127.0.0.1:8000"; };
  nginx = { address = "127.0.0.1:8001"; };
  ended = { address = "127.0.0.1:8001"; tls_terminate = true;
    certificate = { chain = "$T/other.crt"; key = "$T/other.key"; }; }; };
routes = ( { sni = [ "other.test" ]; to = "ended"; } );
fallback = "blog";
X

web()
{
	in_c curl -sS --max-time 60 --cacert "$T/ca.crt" \
	    --resolve "*:443:$V4" "$@"
}
same() { web -o "$T/body" "$2" && cmp "$T/body" "$T/www/$1"; }
compressed()
{
	web --compressed -D "$T/head" -o "$T/body" "$1" &&
	    grep -qi '^content-encoding: gzip' "$T/head" &&
	    cmp "$T/body" "$T/www/index.html"
}
digest()
{
	[ "$(web "$@" -H Expect: https://blog.test/app/digest)" = \
	    "$(sha256sum <"$T/www/large.bin" | cut -d' ' -f1)" ]
}
case_is "curl: 50 MB from nginx" same large.bin \
    https://blog.test/files/large.bin
case_is "curl: gzip of nginx goes through" compressed \
    https://blog.test/files/index.html
case_is "curl: 50 MB to node" digest --data-binary "@$T/www/large.bin"
case_is "curl: 50 MB to node in chunks" digest --http1.1 -T - -X POST \
    -H "Transfer-Encoding: chunked" <"$T/www/large.bin"
case_is "curl: 50 MB to node over HTTP/1.1" digest --http1.1 \
    --data-binary "@$T/www/large.bin"
case_is "curl: 100 Continue" web -H "Expect: 100-continue" \
    --expect100-timeout 30 -f -d hello -o /dev/null \
    https://blog.test/app/digest
case_is "curl: nginx behind TLS that ends here" same index.html \
    https://other.test/index.html

trusts blog
cat >"$T/seen" <<X
ws hello
ws big
closed 1000 true
event 1
event 2
event 3
https $CLIENT4 blog.test
X
sees()
{
	browse "$1" >"$T/got"
	diff "$T/seen" "$T/got" || { tail -5 "$T/chromium.log"; false; }
}
case_is "chromium: WebSocket, events, fields" \
    sees https://blog.test/app.html
l4mux_down
finish
