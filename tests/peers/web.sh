# A small site and an sshd for the tests that have them.  Sourced after lib.sh.

# blog_site: $T/www and $T/other, certificates for blog.test, www.blog.test and
# other.test.  probe.html asks for the rest with a browser's own means and
# writes down what it saw.
blog_site()
{
	mkcert blog blog.test
	mkcert www www.blog.test
	mkcert other other.test
	mkdir -p "$T/www/posts/one" "$T/www/img" "$T/other"
	cat >"$T/www/index.html" <<'X'
<!doctype html><title>A blog</title><h1>front page</h1>
<img src="/img/dot.png"><a href="/posts/one/">one</a>
X
	echo '<!doctype html><title>One</title><h1>a sub-page</h1>' \
	    >"$T/www/posts/one/index.html"
	echo '<!doctype html><title>Lost</title><h1>nothing here</h1>' \
	    >"$T/www/404.html"
	echo '<!doctype html><title>Other</title><h1>the other site</h1>' \
	    >"$T/other/index.html"
	cat >"$T/www/probe.html" <<'X'
<!doctype html><title>probe</title><img id="dot" src="/img/dot.png">
<pre id="out"></pre><script>
// All of it before the load event, at which the browser writes the page down.
const say = s => document.getElementById("out").textContent += s + "\n";
function page(path) {
	const r = new XMLHttpRequest();
	r.open("GET", path, false);
	r.send();
	say(path + " " + r.status + " " +
	    (r.responseText.match(/<h1>(.*)<\/h1>/) || ["", "?"])[1]);
}
say("at " + location.href);
page("/");
page("/posts/one/");
page("/posts/one");
page("/no/such/page");
onload = () => {
	const i = document.getElementById("dot");
	say("image " + i.naturalWidth + "x" + i.naturalHeight);
};
</script>
X
	# A PNG of 3 x 2 grey dots.
	python3 - "$T/www/img/dot.png" <<'X'
import struct, sys, zlib
def chunk(k, d):
    return struct.pack(">I", len(d)) + k + d + \
        struct.pack(">I", zlib.crc32(k + d))
open(sys.argv[1], "wb").write(b"\x89PNG\r\n\x1a\n" +
    chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 2, 8, 0, 0, 0, 0)) +
    chunk(b"IDAT", zlib.compress(b"\0\1\2\3\0\4\5\6")) + chunk(b"IEND", b""))
X
	head -c 3000000 /dev/urandom >"$T/www/img/big.bin"
}

# blog_sites: the configuration of those, for inside sites = { }.
blog_sites()
{
	cat <<-X
	blog = { names = [ "blog.test" ]; root = "$T/www";
	  certificate = { chain = "$T/blog.crt"; key = "$T/blog.key"; };
	  error_pages = ( { status = 404; file = "/404.html"; } ); };
	www = { names = [ "www.blog.test" ];
	  redirect = "https://blog.test{uri}";
	  certificate = { chain = "$T/www.crt"; key = "$T/www.key"; }; };
	other = { names = [ "other.test" ]; root = "$T/other"; http = "serve";
	  certificate = { chain = "$T/other.crt"; key = "$T/other.key"; }; };
	X
}

# trusts NAME...: the browser takes these certificates.
trusts()
{
	local n
	spki=
	for n; do
		spki=$spki,$(openssl x509 -in "$T/$n.crt" -pubkey -noout |
		    openssl pkey -pubin -outform DER |
		    openssl dgst -sha256 -binary | base64)
	done
	spki=${spki#,}
	mkdir -p "$T/home"
}

# browse URL: what a page looks like once its scripts have run: its <pre>.  What
# it has to say on its console is in chromium.log.
browse()
{
	in_c timeout -k 5 90 env HOME="$T/home" chromium --headless=new \
	    --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
	    --disable-background-networking --disable-component-update \
	    --user-data-dir="$T/chromium" --disable-features=HttpsUpgrades \
	    --enable-logging=stderr \
	    --host-resolver-rules="MAP *.test $V4, MAP blog.test $V4" \
	    --ignore-certificate-errors-spki-list="$spki" \
	    --timeout=60000 --dump-dom "$1" \
	    >"$T/dom" 2>"$T/chromium.log" </dev/null
	sed -n '/<pre/,/<\/pre>/p' "$T/dom" |
	    sed -e 's/.*<pre[^>]*>//' -e 's/<.*//' -e 's/&amp;/\&/g' -e '/^$/d'
}

# sshd_server: on 127.0.0.1:2222, with keys of its own; it reads nothing of the
# machine's.  The client's key is $T/id.
sshd_server()
{
	ssh-keygen -q -t ed25519 -N '' -f "$T/hostkey"
	ssh-keygen -q -t ed25519 -N '' -f "$T/id"
	cp "$T/id.pub" "$T/authorized_keys"
	cat >"$T/sshd_config" <<X
ListenAddress 127.0.0.1:2222
HostKey $T/hostkey
AuthorizedKeysFile $T/authorized_keys
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
X
	mkdir -p -m 755 /run/sshd
	start "$S" sshd.log "$(command -v sshd)" -D -e -f "$T/sshd_config"
	await_port t 2222 "$last" sshd.log
}

# sshc ADDRESS COMMAND...: through port 443.
sshc()
{
	local at=$1
	shift
	in_c ssh -F none -i "$T/id" -o BatchMode=yes -o ConnectTimeout=20 \
	    -o UserKnownHostsFile="$T/known" -o StrictHostKeyChecking=accept-new \
	    -p 443 "root@$at" "$@"
}
