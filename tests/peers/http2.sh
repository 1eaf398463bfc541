#!/bin/bash
#
# HTTP/2 as others speak it: h2spec, nghttp, h2load, curl and Chromium before a
# site with files and an upstream.
#
. "$(dirname "$0")/lib.sh"
. "$HERE/web.sh"
need node nghttp h2load chromium

# h2spec, built from its released source with the libraries of its time: it says
# no versions itself.  It is kept in $PEERS, by default with the build.
PEERS=${PEERS:-$BUILD/peers}
H2SPEC=$PEERS/h2spec
h2spec_need()
{
	[ -x "$H2SPEC" ] && return
	command -v go >/dev/null || skip "no Go to build h2spec with"
	mkdir -p "$PEERS" "$T/h2spec"
	cat >"$T/h2spec/go.mod" <<-X
	module h2spec.test
	go 1.17
	require (
		github.com/summerwind/h2spec v2.2.1+incompatible
		github.com/fatih/color v1.13.0
		github.com/spf13/cobra v1.5.0
		golang.org/x/net v0.7.0
		golang.org/x/sys v0.5.0
	)
	X
	(cd "$T/h2spec" && GOTOOLCHAIN=local GOFLAGS="-mod=mod -p=2" \
	    GOBIN=$PEERS CGO_ENABLED=0 \
	    go install github.com/summerwind/h2spec/cmd/h2spec) \
	    >"$T/go.log" 2>&1 || die "cannot build h2spec" "$T/go.log"
}
h2spec_need

mkca
blog_site
head -c 50000000 /dev/urandom >"$T/www/large.bin"
start "$S" node.log node "$HERE/app.js" 8000
await_port t 8000 "$last" node.log

# A page of many parts, and what the browser says of each.
mkdir -p "$T/www/parts"
for i in $(seq 1 24); do
	cp "$T/www/img/dot.png" "$T/www/parts/$i.png"
	echo ".p$i { width: ${i}px }" >"$T/www/parts/$i.css"
	echo "window.loaded = (window.loaded || 0) + 1;" >"$T/www/parts/$i.js"
done
{
	echo '<!doctype html><meta charset="utf-8"><title>parts</title>'
	echo '<link rel="icon" href="data:,">'
	for i in $(seq 1 24); do
		echo "<link rel=\"stylesheet\" href=\"/parts/$i.css\">"
		echo "<script src=\"/parts/$i.js\"></script>"
		echo "<img src=\"/parts/$i.png\" alt=\"\">"
	done
	cat <<'X'
<img src="/app/hold" alt=""><pre id="out"></pre><script>
const say = s => document.getElementById("out").textContent += s + "\n";
addEventListener("error", e => e.target.src.includes("/app/hold") ||
    say("error " + e.target.src), true);
async function look() {
	const wide = [...document.images].filter(i => i.naturalWidth === 3);
	const all = performance.getEntriesByType("resource")
	    .concat(performance.getEntriesByType("navigation"));
	const parts = all.filter(e => !e.name.includes("/app/"));
	const h2 = parts.filter(e => e.nextHopProtocol === "h2");
	say(wide.length + " images, " + window.loaded + " scripts, " +
	    document.styleSheets.length + " style sheets");
	say(h2.length + " of " + parts.length + " over h2");
	const r = await fetch("/img/big.bin");
	say("big " + (await r.arrayBuffer()).byteLength);
	const ws = new WebSocket("wss://" + location.host + "/app/ws");
	ws.onopen = () => ws.send("x".repeat(60000));
	ws.onmessage = m => { say("ws " + m.data.length); ws.close(1000); };
	ws.onclose = e => { say("closed " + e.code); fetch("/app/done"); };
}
// The page is written down at its load, which one image holds up.
const timer = setInterval(() => {
	const waiting = [...document.images].filter(i => !i.complete);
	if (waiting.length === 1) {
		clearInterval(timer);
		look();
	}
}, 20);
</script>
X
} >"$T/www/parts.html"

l4mux_up <<X
sites = { blog = { names = [ "blog.test" ]; root = "$T/www";
  certificate = { chain = "$T/blog.crt"; key = "$T/blog.key"; };
  proxy = ( { path = "/app"; to = "node"; } ); }; };
upstreams = { node = { address = "127.0.0.1:8000"; }; };
fallback = "blog";
X

# h2spec says 0 also where it could not connect.
conforms()
{
	in_c timeout 300 "$H2SPEC" -h $V4 -p 443 -t -k -o 10 "$@" &&
	    tail -1 "$T/case.out" |
	    grep -E '^[1-9][0-9]* tests, [1-9][0-9]* passed, 0 skipped, 0 failed'
}
case_is "h2spec: generic" conforms generic
case_is "h2spec: hpack" conforms hpack
case_is "h2spec: http2, strict" conforms -S http2

nghttp_all()
{
	in_c nghttp -n --stat -m 50 "$@" >"$T/nghttp" 2>&1 &&
	    cat "$T/nghttp" &&
	    [ "$(grep -cE ' 200 ' "$T/nghttp")" -ge 50 ]
}
case_is "nghttp: 50 at a time" nghttp_all https://$V4/img/dot.png
case_is "nghttp: no RFC 7540 priorities, own windows" nghttp_all \
    --no-rfc7540-pri -w 12 -W 16 https://$V4/img/big.bin

loads()
{
	local n=$1
	shift
	in_c h2load -n "$n" "$@" >"$T/h2load" && cat "$T/h2load" &&
	    grep -q " $n succeeded, 0 failed, 0 errored, 0 timeout" "$T/h2load"
}
case_is "h2load: 50,000 small files" \
    loads 50000 -c 20 -m 50 https://$V4/img/dot.png
case_is "h2load: 100 files of 3 MB" \
    loads 100 -c 5 -m 20 https://$V4/img/big.bin
case_is "h2load: 5,000 requests to node" \
    loads 5000 -c 10 -m 20 https://$V4/app/who

web()
{
	in_c curl -sS --http2 --max-time 120 --cacert "$T/ca.crt" \
	    --resolve "*:443:$V4" "$@"
}
is_h2() { [ "$(web -w '%{http_version}' "$@")" = 2 ]; }
same()
{
	is_h2 -o "$T/body" "$2" && cmp "$T/body" "$T/www/$1"
}
digest()
{
	[ "$(web "$@" https://blog.test/app/digest)" = \
	    "$(sha256sum <"$T/www/large.bin" | cut -d' ' -f1)" ]
}
case_is "curl: 50 MB" same large.bin https://blog.test/large.bin
case_is "curl: 50 MB to node" digest --data-binary "@$T/www/large.bin"
case_is "curl: 50 MB to node without a length" digest -T - -X POST \
    <"$T/www/large.bin"
gigabyte()
{
	local want
	want=$(head -c 1073741824 /dev/zero | sha256sum | cut -d' ' -f1)
	[ "$(head -c 1073741824 /dev/zero | web --max-time 300 -T - \
	    -X POST https://blog.test/app/digest)" = "$want" ]
}
case_is "curl: 1 GiB to node" gigabyte

trusts blog
cat >"$T/seen" <<X
24 images, 24 scripts, 24 style sheets
73 of 73 over h2
big 3000000
ws 60000
closed 1000
X
sees()
{
	browse "$1" >"$T/got"
	diff "$T/seen" "$T/got" || { tail -5 "$T/chromium.log"; false; }
}
quiet() { ! grep CONSOLE "$T/chromium.log"; }
case_is "chromium: a page of 73 parts, a WebSocket" \
    sees https://blog.test/parts.html
case_is "chromium: nothing on its console" quiet
l4mux_down
finish
