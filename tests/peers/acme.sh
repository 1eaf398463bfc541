#!/bin/bash
#
# A real certificate authority for tests, pebble, that looks for itself: over
# http-01 alone, tls-alpn-01 alone, dns-01 for a wildcard; with nonces refused
# and authorizations used again; renewals under libfaketime; the certificate of
# a VPN for the real ocserv.
#
. "$(dirname "$0")/lib.sh"
. "$HERE/vpn.sh"
need pebble pebble-challtestsrv faketime
FAKETIME=$(dpkg -L libfaketime 2>/dev/null | grep '/libfaketime\.so\.1$')
[ -n "$FAKETIME" ] || skip "no libfaketime"

mkca
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ca \
    -keyout "$T/pebble.key" -out "$T/pebble.csr" 2>/dev/null &&
    echo "subjectAltName=IP:$CLIENT4" >"$T/pebble.ext" &&
    openssl x509 -req -in "$T/pebble.csr" -CA "$T/ca.crt" -days 30 \
    -CAkey "$T/ca.key" -CAcreateserial -extfile "$T/pebble.ext" \
    -out "$T/pebble.crt" 2>/dev/null || die "certificate of pebble"

# All names are in $S; `dns01 set|clear NAME VALUE` writes what pebble asks.
start "$C" challtestsrv.log pebble-challtestsrv -defaultIPv4 $V4 \
    -defaultIPv6 "" -http01 "" -https01 "" -tlsalpn01 "" \
    -management 0.0.0.0:8055 -dns01 127.0.0.1:8053
within 30 in_c curl -s -o "$T/x" "http://127.0.0.1:8055/" ||
    die "no challtestsrv" "$T/challtestsrv.log"

# pebble_up [NAME=VALUE...]: a new one, which knows nobody.
pebble_up()
{
	[ -z "${pebble:-}" ] || stop "$pebble" KILL
	cat >"$T/pebble.json" <<-X
	{ "pebble": { "listenAddress": "$CLIENT4:14000",
	  "managementListenAddress": "127.0.0.1:15000",
	  "certificate": "$T/pebble.crt", "privateKey": "$T/pebble.key",
	  "httpPort": 80, "tlsPort": 443, "ocspResponderURL": "",
	  "certificateValidityPeriod": 7776000,
	  "externalAccountBindingRequired": ${EAB:-false},
	  "externalAccountMACKeys": {
	    "kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W" } } }
	X
	start "$C" pebble.log env PEBBLE_VA_NOSLEEP=1 "$@" \
	    pebble -config "$T/pebble.json" -dnsserver 127.0.0.1:8053
	pebble=$last
	within 30 roots || die "no pebble" "$T/pebble.log"
}
roots() { in_c curl -sk -o "$T/roots" https://127.0.0.1:15000/roots/0; }

TWO='"www.test", "w2.test"'

# daemon_up ACME [MORE]: the example of the README, with a fresh state; $WWW has
# other names for its second site.
daemon_up()
{
	rm -rf "$T/state"
	mkdir -p "$T/blog"
	echo '<h1>a blog</h1>' >"$T/blog/index.html"
	l4mux_up <<-X
	sites = {
	  blog = { names = [ "blog.test" ]; root = "$T/blog"; };
	  www = { names = [ ${WWW:-$TWO} ];
	          redirect = "https://blog.test{uri}"; };
	};
	upstreams = { ocserv = { address = "127.0.0.1:14443";
	  send_proxy = "v2"; }; };
	routes = ( { sni = "v4.vpn.test"; to = "ocserv"; } );
	fallback = "blog";
	${2:-}
	acme = { email = "me@blog.test"; agree_to_terms = true;
	  directory = "https://$CLIENT4:14000/dir"; ca_file = "$T/ca.crt";
	  $1 };
	X
}
daemon_down()
{
	ctl stop >/dev/null
	within 45 gone "$l4pid" || die "it does not end" "$T/l4mux.log"
	case_is "$1: nothing died" no_fault
}

# valid NAME: a client that trusts pebble's root alone takes what is shown.
valid()
{
	in_c curl -sS --max-time 10 -o "$T/x" --cacert "$T/roots" \
	    --resolve "$1:443:$V4" "https://$1/"
}
serves() { case_is "$1: a valid chain for $2" within 30 valid "$2"; }
all_served() { for n in blog.test www.test w2.test; do serves "$1" $n; done; }
conns() { grep -c "conn .*to=acme .*$1" "$T/l4mux.log"; }

pebble_up PEBBLE_WFE_NONCEREJECT=50
daemon_up 'challenges = [ "http-01" ];'
all_served "http-01, half of the nonces refused"
case_is "http-01: no other challenge was used" test "$(conns acme-tls/1)" = 0
case_is "a token that is not ours is the site's" sh -c "ip netns exec $C \
    curl -sS -o /dev/null -w '%{http_code}' -H 'Host: blog.test' \
    http://$V4/.well-known/acme-challenge/of-others | grep -qx 308"
case_is "renew: not twice an hour" sh -c "! '$BUILD/sbin/l4muxctl' \
    -s '$T/l4muxd.sock' renew blog.test 2>'$T/err' && grep -q hour '$T/err'"
case_is "certificates say when to renew" sh -c "'$BUILD/sbin/l4muxctl' \
    -s '$T/l4muxd.sock' certificates | grep -qE 'blog +acme .*renew 20'"
ctl certificates -j >/dev/null 2>&1
key() { ls -l "$T"/state/certs/*/key.pem | awk '{ print $1 }' | sort -u; }
case_is "keys are root's alone" test "$(key)" = -rw-------
serial() { openssl x509 -in "$T/state/certs/$1/chain.pem" -noout -serial; }
before=$(serial blog)
daemon_down http-01

# 61 of its 90 days later: its clock alone is another.
later()
{
	start "$S" l4mux.log env LD_PRELOAD="$FAKETIME" FAKETIME="$1" \
	    FAKETIME_DONT_FAKE_MONOTONIC=1 "$BUILD/sbin/l4muxd" -d \
	    -f "$T/l4mux.conf"
	l4pid=$last
	within 30 ctl status || die "l4muxd did not come up" "$T/l4mux.log"
}
renewed() { [ "$(serial blog)" != "$before" ]; }
later +50d
case_is "faketime: not before its time" sh -c "'$BUILD/sbin/l4muxctl' \
    -s '$T/l4muxd.sock' certificates | grep -qE 'blog +acme .*renew 20'"
case_is "faketime: the pair is as it was" test "$(serial blog)" = "$before"
daemon_down "faketime"
later +63d
case_is "faketime: renewed in time" within 30 renewed
serves "faketime" blog.test
daemon_down "faketime"

pebble_up
daemon_up 'challenges = [ "tls-alpn-01" ];'
all_served "tls-alpn-01"
case_is "tls-alpn-01: nothing else was used" test "$(conns 'alpn=- ')" = 0
daemon_down tls-alpn-01

pebble_up PEBBLE_VA_ALWAYS_VALID=1 PEBBLE_AUTHZREUSE=100
daemon_up ''
all_served "no validation, authorizations used again"
daemon_down "no validation"

EAB=true pebble_up
echo zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W \
    >"$T/eab"
daemon_up "eab_kid = \"kid-1\"; eab_key_file = \"$T/eab\";"
all_served "external account"
daemon_down "external account"

# The program of the contract, in the middle of which is a DNS server's API.
cat >"$T/dns01" <<X
#!/bin/sh
case \$1 in
set)	what="{\"host\":\"_acme-challenge.\$2.\",\"value\":\"\$3\"}" ;;
clear)	what="{\"host\":\"_acme-challenge.\$2.\"}" ;;
esac
echo "\$1 \$2 as \$(id -u)"
exec curl -sSf -d "\$what" "http://$CLIENT4:8055/\$1-txt"
X
chmod 755 "$T/dns01"
pebble_up
WWW='"*.wild.test", "wild.test"' daemon_up "dns_hook = \"$T/dns01\";"
serves "dns-01 for a wildcard" any.wild.test
serves "dns-01 for a wildcard" wild.test
case_is "dns-01: the hook is its own user" has_line "$T/l4mux.log" \
    "^set wild.test as 64007"
case_is "dns-01: the record is taken away" within 10 has_line \
    "$T/l4mux.log" "^clear wild.test as 64007"
daemon_down dns-01

# An address has no name to be asked by, so it is the fallback's.
pebble_up
WWW="\"$V4\"" daemon_up ''
address_valid()
{
	openssl x509 -in "$T/state/certs/www/chain.pem" -noout -checkip $V4 |
	    grep -q 'does match'
}
case_is "a certificate for an address" within 30 address_valid
daemon_down address

# A name that is ocserv's: had here, given to it by its recipe.
mkdir -m 700 "$T/oc"
mkcert vpn v4.vpn.test
cat "$T/vpn.crt" "$T/vpn.key" >"$T/oc/vpn.pem"
ln -s oc/vpn.pem "$T/v4.crt"
ln -s oc/vpn.pem "$T/v4.key"
chown -R 64007 "$T/oc"
# A checkout of root's is for root alone.
cp "$TOP/etc/hooks/ocserv" "$T/recipe"
chmod 755 "$T/recipe"
cat >"$T/renewed" <<X
#!/bin/sh
L4MUX_OCSERV=$T/oc; export L4MUX_OCSERV
$T/recipe "\$@" && echo "given: \$1 as \$(id -u)"
X
chmod 755 "$T/renewed"
vpn_server v4 14443 $V4 10.78.4
ocserv=$last
pebble_up
daemon_up "on_renew = \"$T/renewed\";" \
    'certificates = { vpn = { names = [ "v4.vpn.test" ]; }; };'
case_is "on_renew: it was called, as its own user" within 30 has_line \
    "$T/l4mux.log" "^given: vpn as 64007"
kill -HUP "$ocserv"
vpn_shows()
{
	in_c openssl s_client -connect $V4:443 -servername v4.vpn.test \
	    -CAfile "$T/roots" -verify_return_error </dev/null
}
case_is "ocserv shows it" within 30 vpn_shows
cp "$T/roots" "$T/ca.crt"	# whom the client trusts
vpn_client v4 $V4 10.78.4 tcp
case_is "ocserv: the tunnel comes up with it" vpn_up tcp
stop "$vpn" INT
daemon_down ocserv
finish
