#!/bin/bash
#
# A real Xray REALITY server behind the daemon, with and without a PROXY
# header, its real client, and what those see who are no client of it: the
# masqueraded server's own certificate and answers.
#
. "$(dirname "$0")/lib.sh"
. "$HERE/xray.sh"
need nginx
xray_need

mkca
mkcert apple.masq.test apple.masq.test
mkcert pear.masq.test pear.masq.test
masqueraded 30443 apple.masq.test pear.masq.test
xray_server

l4mux_up <<X
upstreams = {
  apple = { address = "127.0.0.1:20443"; send_proxy = "v2"; };
  pear = { address = "127.0.0.1:20444"; };
};
routes = (
  { sni = "apple.masq.test"; to = "apple"; },
  { sni = "pear.masq.test"; to = "pear"; }
);
fallback = "reset";
X
xray_client

# Something to fetch on the far side.
mkdir "$T/far"
head -c 5000000 /dev/urandom >"$T/far/blob"
start "$S" far.log python3 -m http.server 18081 --bind 127.0.0.1 -d "$T/far"
await_port t 18081 "$last" far.log

# The server measures the masqueraded one when it starts; who comes earlier
# waits: the limit is generous, not a pause.
tunnel()
{
	rm -f "$T/got"
	in_c curl -sS --max-time 60 -x "socks5h://127.0.0.1:$1" -o "$T/got" \
	    http://127.0.0.1:18081/blob && cmp "$T/got" "$T/far/blob"
}
case_is "PROXY v2: 5 MB through the tunnel" tunnel 11080
case_is "PROXY v2: the server knows the client's address" \
    grep -E "from (tcp:)?$CLIENT4:[0-9]+ accepted" "$T/xserver.log"
case_is "no PROXY: 5 MB through the tunnel" tunnel 11081
case_is "PROXY v2, IPv6: 5 MB through the tunnel" tunnel 11082
case_is "PROXY v2, IPv6: the server knows the client's address" \
    grep -E "from (tcp:)?\[$CLIENT6\]:[0-9]+ accepted" "$T/xserver.log"

# direct and through: the same client at the masqueraded server itself, and at
# the daemon.  Dates are the one thing that may differ.
ask()
{
	local where=$1 n=$2 url=$3
	shift 3
	case $where in
	direct)	in_s curl -sS --connect-to "::127.0.0.1:30443" "$@" \
		    --max-time 30 --cacert "$T/ca.crt" -D "$T/head" \
		    -o "$T/body" "https://$n$url" ;;
	through) in_c curl -sS --connect-to "::$V4:443" "$@" \
		    --max-time 30 --cacert "$T/ca.crt" -D "$T/head" \
		    -o "$T/body" "https://$n$url" ;;
	esac || return 1
	grep -vi '^date:' "$T/head"
	sha256sum <"$T/body"
}
same_answer()
{
	local n=$1 url=$2
	shift 2
	ask direct "$n" "$url" "$@" >"$T/want" || return 1
	ask through "$n" "$url" "$@" >"$T/have" || return 1
	diff "$T/want" "$T/have"
}

# The certificates as they came, in their order.
chain()
{
	local ns=$1 at=$2
	shift 2
	ip netns exec "$ns" openssl s_client -connect "$at" -showcerts \
	    -CAfile "$T/ca.crt" -verify_return_error "$@" \
	    </dev/null 2>"$T/s_client" |
	    sed -n '/^-----BEGIN/,/^-----END/p'
}
same_chain()
{
	chain "$S" 127.0.0.1:30443 "$@" >"$T/want"
	chain "$C" $V4:443 "$@" >"$T/have"
	[ -s "$T/want" ] && cmp "$T/want" "$T/have" &&
	    [ "$(openssl x509 -in "$T/have" -noout -fingerprint)" = \
	    "$(openssl x509 -in "$T/$2.crt" -noout -fingerprint)" ]
}

# A version it does not speak: the same alert.
alert()
{
	ip netns exec "$1" openssl s_client -connect "$2" -servername "$3" \
	    -tls1_1 -cipher 'ALL@SECLEVEL=0' </dev/null 2>&1 |
	    sed -nE 's/.*error:[0-9A-F]+:(SSL.*alert[^:]*):.*/\1/p'
}
same_alert()
{
	alert "$S" 127.0.0.1:30443 "$1" >"$T/want"
	alert "$C" $V4:443 "$1" >"$T/have"
	cat "$T/have"
	[ -s "$T/want" ] && cmp "$T/want" "$T/have"
}

for n in apple pear; do
	host=$n.masq.test
	case $n in
	apple)	how="PROXY v2" wrong=11083 ;;
	pear)	how="no PROXY" wrong=11084 ;;
	esac
	for v in 1.2 1.3; do
		case_is "$how: TLS $v sees the real certificate" \
		    same_chain -servername $host -tls${v/./_}
	done
	for url in / /file /no/such; do
		case_is "$how: TLS 1.2, HTTP/1.1: same answer to $url" \
		    same_answer $host $url --tls-max 1.2 --http1.1
		case_is "$how: TLS 1.3, h2: same answer to $url" \
		    same_answer $host $url --tlsv1.3 --http2
	done
	case_is "$how: TLS 1.1 sees the real alert" same_alert $host

	# It finds out that it talks to the real server, and then behaves like
	# a browser that came to it.
	case_is "$how: a wrong key has no tunnel" \
	    eval "! tunnel $wrong"
	case_is "$how: a wrong key gets the real certificate" \
	    within 60 has_line "$T/xclient.log" \
	    'REALITY: received real certificate'
	case_is "$how: a wrong key is answered by the real server" \
	    within 60 has_line "$T/nginx-access.log" "GET /wrong-$n HTTP/2"
done

stop "$xclient"
l4mux_down
finish
