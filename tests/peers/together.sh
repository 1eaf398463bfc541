#!/bin/bash
#
# Everything at once through one daemon: a site, a redirect, ssh, a VPN, two
# REALITY servers, their clients and those who are none; 200 connections in
# flight for SECS seconds.  Nothing fails; then the books are checked: counters,
# descriptors, processes.
#
. "$(dirname "$0")/lib.sh"
. "$HERE/web.sh"
. "$HERE/vpn.sh"
. "$HERE/xray.sh"
SECS=${SECS:-60}
need sshd ssh ssh-keygen ocserv ocpasswd occtl openconnect ping nginx
[ -c /dev/net/tun ] || skip "no /dev/net/tun"
xray_need

mkca
blog_site
sshd_server
mkcert v4 v4.vpn.test
vpn_server v4 14443 $V4 10.78.4
mkcert apple.masq.test apple.masq.test
mkcert pear.masq.test pear.masq.test
masqueraded 30443 apple.masq.test pear.masq.test
xray_server
mkdir "$T/far"
head -c 20000 /dev/urandom >"$T/far/small"
head -c 3000000 /dev/urandom >"$T/far/blob"
start "$S" far.log python3 -m http.server 18081 --bind 0.0.0.0 -d "$T/far"
await_port t 18081 "$last" far.log

l4mux_up <<X
sites = {
$(blog_sites)
};
upstreams = {
  sshd = { address = "127.0.0.1:2222"; };
  vpn = { address = "127.0.0.1:14443"; send_proxy = "v2"; };
  apple = { address = "127.0.0.1:20443"; send_proxy = "v2"; };
  pear = { address = "127.0.0.1:20444"; };
};
routes = (
  { protocol = "ssh"; to = "sshd"; },
  { sni = "v4.vpn.test"; to = "vpn"; },
  { sni = "apple.masq.test"; to = "apple"; },
  { sni = "pear.masq.test"; to = "pear"; }
);
fallback = "blog";
limits = { hello_timeout = 10.0; };
X

# descriptors: per process of the daemon, how many of which kind.
descriptors()
{
	local p
	for p in $(ctl -j status | python3 -c '
import json, sys
for p in json.load(sys.stdin)["processes"]:
    print(p["pid"])'); do
		find "/proc/$p/fd" -type l -printf '%l\n' |
		    sed -E 's/:?\[.*//; s|^/.*|file|' | sort | uniq -c |
		    awk -v p="$p" '{ print p, $2, $1 }'
	done
}
ctl -j status >"$T/before.json"
descriptors >"$T/fds.before"

# Those that stay for the whole time: a VPN with a ping and transfers in it,
# some ssh sessions, and the many clients of load.py.
xray_client
vpn_client v4 $V4 10.78.4 tcp
case_is "the tunnel comes up" vpn_up tcp

start "$C" load.out python3 "$HERE/load.py" $V4 "$T" "$SECS"
load=$last
start "$C" ping.out ping -i 0.2 -w "$SECS" 10.78.4.1
ping=$last

transfers()
{
	local end=$((SECONDS + SECS)) n=0
	while [ $SECONDS -lt $end ]; do
		in_c curl -sS --max-time 30 -o "$T/got.vpn" \
		    http://10.78.4.1:18081/blob &&
		    cmp "$T/got.vpn" "$T/far/blob" || return 1
		n=$((n + 1))
	done
	[ $n -gt 0 ]
}
copies()
{
	local end=$((SECONDS + SECS))
	while [ $SECONDS -lt $end ]; do
		sshc $V4 cat <"$T/www/img/big.bin" | cmp - "$T/www/img/big.bin" ||
		    return 1
	done
}
transfers >"$T/transfers.out" 2>&1 &
transfers=$!
copies >"$T/copies.out" 2>&1 &
copies=$!
pids="$transfers $copies $pids"

# How many are in flight, until the load ends.
while alive "$load"; do
	in_s ss -Htn state established '( sport = :443 or sport = :80 )' |
	    wc -l
	read -rt 1 <>"$T/never" || true
done >"$T/flight"

ended() { wait "$1" || { tail -n 20 "$2"; false; }; }
in_flight()
{
	# The middle of the samples: the first and last ones are few.
	local mid
	mid=$(sort -n "$T/flight" | awk '{ v[NR] = $1 }
	    END { print v[int((NR + 1) / 2)] }')
	echo "$mid at once"
	[ "$mid" -ge 200 ]
}
case_is "every answer was right" ended "$load" "$T/load.out"
case_is "200 connections were in flight" in_flight
case_is "the VPN carried 3 MB again and again" \
    ended "$transfers" "$T/transfers.out"
case_is "ssh carried 3 MB again and again" ended "$copies" "$T/copies.out"
wait "$ping" 2>/dev/null
case_is "no ping was lost" pings_answered "$T/ping.out" "$SECS"
stop "$vpn" INT
stop "$xclient"

# At rest: nothing live, and then it adds up.
at_rest()
{
	ctl -j status >"$T/after.json" && python3 -c '
import json, sys
for p in json.load(open(sys.argv[1]))["processes"]:
    if p["live"] != 0:
        sys.exit(1)' "$T/after.json"
}
case_is "the daemon comes to rest" within 40 at_rest
ctl -j status >"$T/after.json"
ctl -j routes >"$T/routes.json"
case_is "the counters add up" python3 "$HERE/sums.py" "$T/before.json" \
    "$T/after.json" "$T/routes.json" "$T/l4mux.log"

# Idle pipes of a proxy may stay; no socket or file may.
no_fd_left()
{
	descriptors >"$T/fds.after"
	diff <(grep -v ' pipe ' "$T/fds.before") \
	    <(grep -v ' pipe ' "$T/fds.after") || return 1
	awk '$2 == "pipe" && $3 > 128 { print; bad = 1 } END { exit bad }' \
	    "$T/fds.after"
}
no_zombie()
{
	! ps -o pid,stat,args --ppid "$l4pid" | grep ' Z'
}
case_is "no descriptor is left" no_fd_left
case_is "no zombie is left" no_zombie
l4mux_down
finish
