#!/bin/bash
#
# A real VPN tunnel with a running ping, and a real REALITY tunnel with a running
# download, through 20 reloads and 5 upgrades: no ping lost, no byte different,
# no process of an old generation left.
#
. "$(dirname "$0")/lib.sh"
. "$HERE/vpn.sh"
. "$HERE/xray.sh"
need ocserv ocpasswd occtl openconnect ping nginx
[ -c /dev/net/tun ] || skip "no /dev/net/tun"
xray_need
RELOADS=20 UPGRADES=5

mkca
mkcert v4 v4.vpn.test
vpn_server v4 14443 $V4 10.78.4
mkcert apple.masq.test apple.masq.test
mkcert pear.masq.test pear.masq.test
masqueraded 30443 apple.masq.test pear.masq.test
xray_server
head -c 30000000 /dev/urandom >"$T/blob"
start "$S" dribble.log python3 "$HERE/dribble.py" 127.0.0.1 18081 "$T/blob" \
    "$T/go"
await_port t 18081 "$last" dribble.log

# The program is a copy, so that its file can be replaced by a new one.
mkdir "$T/run"
cp -R "$BUILD/sbin" "$BUILD/libexec" "$T/run"
BUILD=$T/run
l4mux_up <<X
upstreams = {
  vpn = { address = "127.0.0.1:14443"; send_proxy = "v2"; };
  apple = { address = "127.0.0.1:20443"; send_proxy = "v2"; };
};
routes = (
  { sni = "v4.vpn.test"; to = "vpn"; },
  { sni = "apple.masq.test"; to = "apple"; }
);
fallback = "reset";
X

vpn_client v4 $V4 10.78.4 tcp
case_is "the VPN tunnel comes up" vpn_up tcp
xray_client
start "$C" ping.log ping -i 0.02 -W 5 10.78.4.1
ping=$last
start "$C" curl.log curl -sS --max-time 300 -x socks5h://127.0.0.1:11080 \
    -o "$T/got" http://127.0.0.1:18081/blob
curl=$last
await_line "$ping" ping.log 'icmp_seq=10 ' 20
within 30 test -s "$T/got" || die "no download" "$T/curl.log"

# counts EXPRESSION: a number out of the status.
counts()
{
	ctl -j status | python3 -c "
import json, sys
s = json.load(sys.stdin)
print($1)"
}
settled()
{
	[ "$(counts 'len(s["generations"])')" = 1 ]
}
new_file()
{
	cp "$BUILD/sbin/l4muxd" "$BUILD/sbin/l4muxd.new" &&
	    mv "$BUILD/sbin/l4muxd.new" "$BUILD/sbin/l4muxd"
}

rounds()
{
	local i
	for i in $(seq $((RELOADS + UPGRADES))); do
		if [ $((i % (RELOADS / UPGRADES + 1))) -eq 0 ]; then
			new_file && ctl upgrade || return 1
		else
			ctl reload || return 1
		fi
		# Half of them before the last one is over.
		[ $((i % 2)) -eq 0 ] || within 60 settled || return 1
	done
	within 60 settled
}

# descriptors: of master and proxies, by name; without pipes, of which a proxy
# keeps some for the next who needs one.
descriptors()
{
	local pid name
	counts '"\n".join("%d %s" % (p["pid"], p["name"])
	    for p in s["processes"] if p["role"] in ("master", "proxy"))' |
	while read -r pid name; do
		echo "$name $(find "/proc/$pid/fd" -type l ! -lname 'pipe:*' |
		    wc -l)"
	done
}

case_is "one reload" eval 'ctl reload && within 60 settled'
descriptors >"$T/fds.before"
case_is "$RELOADS reloads, $UPGRADES upgrades: the old have ended" rounds
case_is "the processes are those of one generation" test \
    "$(counts 'len([p for p in s["processes"] if p["role"] == "proxy"])')" = 2
case_is "the sessions were handed over" test \
    "$(counts 'sum(p["counters"].get("taken_over", 0)
        for p in s["processes"])')" -ge 2
descriptors >"$T/fds.after"
case_is "as many descriptors as before" diff "$T/fds.before" "$T/fds.after"
case_is "the download is still running" alive "$curl"
case_is "the ping is still running" within 60 has_line "$T/ping.log" \
    'icmp_seq=200 '
touch "$T/go"
within 60 gone "$curl" || true
case_is "30 MB identical" cmp "$T/got" "$T/blob"
kill -INT "$ping"
within 10 gone "$ping" || true
case_is "no ping was lost" pings_answered "$T/ping.log" 100
tail -n 3 "$T/ping.log" | sed -n 's/^rtt/# ping: rtt/p'
stop "$vpn" INT
stop "$xclient"
case_is "the log has the tunnel with its first listener" \
    logged 'listen=:443 to=vpn reason=route:1 sni=v4.vpn.test'
l4mux_down
finish
