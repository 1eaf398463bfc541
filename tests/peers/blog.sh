#!/bin/bash
#
# A browser, curl, and ssh against one daemon on ports 443 and 80: a site with
# pages, an image and an error page; a redirect site; sshd on the same port.
#
. "$(dirname "$0")/lib.sh"
. "$HERE/web.sh"
need sshd ssh ssh-keygen chromium

mkca
blog_site
sshd_server

l4mux_up <<X
sites = {
$(blog_sites)
};
upstreams = { sshd = { address = "127.0.0.1:2222"; }; };
routes = ( { protocol = "ssh"; to = "sshd"; } );
fallback = "blog";
X

A=$V4
web()
{
	in_c curl -sS --max-time 20 --cacert "$T/ca.crt" \
	    --resolve "*:443:$A" --resolve "*:80:$A" "$@"
}

# answers STATUS FILE URL: that status, and exactly the bytes of FILE.
answers()
{
	local got
	got=$(web -o "$T/body" -w '%{http_code}' "$3") || return 1
	echo "$got"
	[ "$got" = "$1" ] && cmp "$T/body" "$T/$2"
}

# redirects STATUS TO URL
redirects()
{
	local got
	got=$(web -o /dev/null -w '%{http_code} %{redirect_url}' "$3") ||
	    return 1
	echo "$got"
	[ "$got" = "$1 $2" ]
}

for A in $V4 $V6; do
	case_is "curl $A: page" \
	    answers 200 www/index.html https://blog.test/
	case_is "curl $A: sub-page" \
	    answers 200 www/posts/one/index.html https://blog.test/posts/one/
	case_is "curl $A: image" \
	    answers 200 www/img/dot.png https://blog.test/img/dot.png
	case_is "curl $A: 3 MB" \
	    answers 200 www/img/big.bin https://blog.test/img/big.bin
	case_is "curl $A: 404 page keeps its status" \
	    answers 404 www/404.html https://blog.test/no/such
	case_is "curl $A: directory gets its slash" \
	    redirects 308 https://blog.test/posts/one/?q=1 \
	    'https://blog.test/posts/one?q=1'
	case_is "curl $A: www to apex keeps path and query" \
	    redirects 302 'https://blog.test/a/b%20c?x=1&y=%2F' \
	    'https://www.blog.test/a/b%20c?x=1&y=%2F'
	case_is "curl $A: http to https" \
	    redirects 308 'https://blog.test/posts/one/?q=1' \
	    'http://blog.test/posts/one/?q=1'
	case_is "curl $A: a site that serves plain http" \
	    answers 200 other/index.html http://other.test/
	case_is "curl $A: the other site" \
	    answers 200 other/index.html https://other.test/
done
A=$V4

for v in 1.2 1.3; do
	case_is "curl: TLS $v" web --tlsv$v --tls-max $v -o /dev/null \
	    https://blog.test/
done

# leaf OPTION...: the certificate that s_client is shown.
leaf()
{
	in_c openssl s_client -connect $V4:443 "$@" </dev/null 2>/dev/null |
	    openssl x509 -noout -fingerprint -sha256
}
shows()
{
	local want=$1 got
	shift
	got=$(leaf "$@")
	echo "$got"
	[ "$got" = "$(openssl x509 -noout -fingerprint -sha256 \
	    -in "$T/$want.crt")" ]
}
case_is "TLS with its name: its certificate" \
    shows other -servername other.test
case_is "TLS without SNI takes the fallback" shows blog -noservername
case_is "TLS with an unknown SNI takes the fallback" \
    shows blog -servername nobody.test

# ssh through the same port, both ways, a few megabytes.
ssh_copies()
{
	sshc "$A" cat <"$T/www/img/big.bin" >"$T/ssh.out" &&
	    cmp "$T/ssh.out" "$T/www/img/big.bin"
}
for A in $V4 $V6; do
	case_is "ssh $A: a command" sshc "$A" true
	case_is "ssh $A: 3 MB there and back" ssh_copies
done
case_is "ssh: the host key is sshd's" \
    grep -qF "$(cut -d' ' -f2 "$T/hostkey.pub")" "$T/known"
A=$V4

trusts blog www
cat >"$T/seen" <<'X'
/ 200 front page
/posts/one/ 200 a sub-page
/posts/one 200 a sub-page
/no/such/page 404 nothing here
image 3x2
X
sees()
{
	local at=$1 got
	got=$(browse "$2")
	echo "$got"
	[ "$got" = "$(echo "at $at"; cat "$T/seen")" ] ||
	    { tail -5 "$T/chromium.log"; false; }
}
case_is "chromium: page, sub-page, image, 404" \
    sees https://blog.test/probe.html https://blog.test/probe.html
case_is "chromium: http to https" \
    sees 'https://blog.test/probe.html?a=1&b=2' \
    'http://blog.test/probe.html?a=1&b=2'
case_is "chromium: www to apex" \
    sees 'https://blog.test/probe.html?a=1&b=2' \
    'https://www.blog.test/probe.html?a=1&b=2'

case_is "log: an unknown name says so" logged 'reason=fallback:unknown'
case_is "log: ssh by its route" logged 'to=sshd reason=route:'
l4mux_down
finish
