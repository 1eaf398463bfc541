#!/bin/bash
#
# A real ocserv behind the daemon, told by PROXY v2 who its client is, and a
# real openconnect in another namespace: over IPv4 and IPv6, TCP alone and with
# DTLS going to ocserv's UDP port beside it.
#
. "$(dirname "$0")/lib.sh"
. "$HERE/vpn.sh"
need ocserv ocpasswd occtl openconnect ping
[ -c /dev/net/tun ] || skip "no /dev/net/tun"

mkca
mkcert v4 v4.vpn.test
mkcert v6 v6.vpn.test
head -c 5000000 /dev/urandom >"$T/blob"

# One server per family: ocserv has one UDP address, which the client is told.
vpn_server v4 14443 $V4 10.78.4
vpn_server v6 16443 $V6 10.78.6

l4mux_up <<X
upstreams = {
  vpn4 = { address = "127.0.0.1:14443"; send_proxy = "v2"; };
  vpn6 = { address = "[::1]:16443"; send_proxy = "v2"; };
};
routes = (
  { sni = "v4.vpn.test"; to = "vpn4"; },
  { sni = "v6.vpn.test"; to = "vpn6"; }
);
fallback = "close";
X

start "$S" files.log python3 -m http.server 18080 --bind 0.0.0.0 -d "$T"
await_port t 18080 "$last" files.log

fetches()
{
	in_c curl -sS --max-time 60 -o "$T/got" "http://$1.1:18080/blob" &&
	    cmp "$T/got" "$T/blob"
}

# one FAMILY ADDRESS CLIENT NET MODE
one()
{
	local fam=$1 addr=$2 client=$3 net=$4 mode=$5 label
	label="$fam, TCP only"
	[ "$mode" = tcp ] || label="$fam, DTLS beside"

	vpn_client "$fam" "$addr" "$net" "$mode"
	case_is "$label: tunnel comes up" vpn_up "$mode"
	case_is "$label: ping" in_c ping -qc 5 -i 0.2 -W 5 "$net.1"
	case_is "$label: 5 MB identical" fetches "$net"
	case_is "$label: occtl names the client" vpn_names "$fam" "$client"
	stop "$vpn" INT
	if [ "$mode" = tcp ]; then
		# All of it came through the daemon,
		case_is "$label: the log has its bytes" \
		    vpn_bytes "$fam" -ge 5000000
	else
		# or next to nothing.
		case_is "$label: the bytes went over UDP" \
		    vpn_bytes "$fam" -lt 500000
	fi
}

for mode in tcp dtls; do
	one v4 $V4 $CLIENT4 10.78.4 $mode
	one v6 $V6 $CLIENT6 10.78.6 $mode
done

l4mux_down
finish
