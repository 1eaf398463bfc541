# ocserv and openconnect for the tests that have a VPN.  Sourced after lib.sh.
#
# What ocserv needs besides: its UDP port is the public one, since it tells the
# client to come there.

# vpn_server FAMILY PORT PUBLIC NET: listens on PORT of the loopback address of
# that family for TCP behind the daemon, and on PUBLIC:443 for DTLS.
vpn_server()
{
	local fam=$1 port=$2 public=$3 net=$4 lo=127.0.0.1
	[ "$fam" = v4 ] || lo=::1
	printf 'hunter2\nhunter2\n' |
	    ocpasswd -c "$T/ocpasswd" alice >/dev/null
	chmod 644 "$T/ocpasswd"
	cat >"$T/oc-$fam.conf" <<-X
	auth = "plain[passwd=$T/ocpasswd]"
	listen-host = $lo
	tcp-port = $port
	listen-proxy-proto = true
	udp-listen-host = $public
	udp-port = 443
	run-as-user = nobody
	run-as-group = daemon
	socket-file = $T/oc-$fam.sock
	use-occtl = true
	occtl-socket-file = $T/occtl-$fam.sock
	pid-file = $T/oc-$fam.pid
	server-cert = $T/$fam.crt
	server-key = $T/$fam.key
	isolate-workers = true
	max-clients = 16
	max-same-clients = 4
	rate-limit-ms = 0
	keepalive = 32400
	dpd = 90
	mobile-dpd = 1800
	switch-to-tcp-timeout = 25
	try-mtu-discovery = false
	auth-timeout = 60
	cookie-timeout = 60
	rekey-method = ssl
	device = vpn$fam
	predictable-ips = true
	default-domain = vpn.test
	ipv4-network = $net.0
	ipv4-netmask = 255.255.255.0
	ping-leases = false
	cisco-client-compat = true
	dtls-legacy = true
	X
	start "$S" "ocserv-$fam.log" "$(command -v ocserv)" -f -d 2 \
	    -c "$T/oc-$fam.conf"
	await_port t "$port" "$last" "ocserv-$fam.log"
	await_port u 443 "$last" "ocserv-$fam.log"
	# It listens before it has a handler for SIGHUP: asking is later.
	within 30 occtl -s "$T/occtl-$fam.sock" show status
}

# vpn_client FAMILY ADDRESS NET tcp|dtls: starts openconnect; $vpn is its pid.
vpn_client()
{
	local fam=$1 addr=$2 net=$3 mode=$4 dtls=
	[ "$mode" = dtls ] || dtls=--no-dtls
	rm -f "$T/tun-up"
	cat >"$T/vpnc" <<-X
	#!/bin/sh
	case \$reason in
	connect)
		echo 1 >/proc/sys/net/ipv6/conf/\$TUNDEV/disable_ipv6
		ip addr add "\$INTERNAL_IP4_ADDRESS/32" dev "\$TUNDEV"
		ip link set "\$TUNDEV" up mtu "\${INTERNAL_IP4_MTU:-1400}"
		ip route add $net.0/24 dev "\$TUNDEV"
		echo "\$INTERNAL_IP4_ADDRESS" >$T/tun-up
		;;
	esac
	exit 0
	X
	chmod 755 "$T/vpnc"
	echo hunter2 >"$T/password"
	# shellcheck disable=SC2086
	ip netns exec "$C" openconnect -v --passwd-on-stdin -u alice \
	    --cafile "$T/ca.crt" --resolve "$fam.vpn.test:$addr" $dtls \
	    -i l4tun --script "$T/vpnc" "https://$fam.vpn.test/" \
	    <"$T/password" >"$T/openconnect.log" 2>&1 &
	vpn=$!
	pids="$vpn $pids"
}

# vpn_up MODE: addressed, and with DTLS where that is wanted.
vpn_up()
{
	within 40 up_or_gone "$vpn" test -s "$T/tun-up"
	if [ "$1" = dtls ]; then
		within 40 up_or_gone "$vpn" has_line "$T/openconnect.log" \
		    'Established DTLS connection'
		has_line "$T/openconnect.log" 'Established DTLS connection' ||
		    { tail -n 20 "$T/openconnect.log"; return 1; }
	fi
	[ -s "$T/tun-up" ] && alive "$vpn" ||
	    { tail -n 20 "$T/openconnect.log"; false; }
}

# pings_answered LOG LEAST: so many, and each; but for one that may have been
# on its way when ping was told to end.
pings_answered()
{
	tail -n 4 "$1"
	sed -nE 's/.* icmp_seq=([0-9]+) .*/\1/p' "$1" |
	    awk -v least="$2" '$1 != ++n { print "not answered:", n; exit 1 }
	    END { if (n < least) exit 1 }'
}

# vpn_names FAMILY ADDRESS: occtl shows it as the client's.
vpn_names()
{
	occtl -s "$T/occtl-$1.sock" show users
	occtl -j -s "$T/occtl-$1.sock" show users |
	    python3 -c '
import json, sys
users = [u["Remote IP"] for u in json.load(sys.stdin)]
print(users)
sys.exit(users != [sys.argv[1]])' "$2"
}

# vpn_bytes FAMILY OPERATOR NUMBER: bytes in plus out of the last connection.
vpn_bytes()
{
	local n
	within 60 has_line "$T/l4mux.log" "conn .*sni=$1.vpn.test.* in="
	n=$(grep "conn .*sni=$1.vpn.test" "$T/l4mux.log" | tail -1 |
	    sed -E 's/.* in=([0-9]+) out=([0-9]+).*/\1 + \2/')
	echo "$n"
	[ $((n)) "$2" "$3" ]
}
