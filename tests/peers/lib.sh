# Shared by the tests with real servers and clients.  Sourced, not run.
#
# Two network namespaces of this test's own, joined by a veth pair:
#	$S	l4mux and the servers	10.77.0.1  fd77::1
#	$C	the clients		10.77.0.2  fd77::2
# Whatever a test starts, it starts with `start`, in the foreground of a process
# whose pid is known, and the trap ends exactly those.  Readiness is always an
# event that is awaited: a listening socket, a line of a log, a file.
#
# Output: a line per case, as tests/check.sh reads it.

set -u
umask 022
NAME=$(basename "$0" .sh)
HERE=$(cd "$(dirname "$0")" && pwd)
TOP=$(cd "$HERE/../.." && pwd)
O=${O:-build}
case $O in
/*)	BUILD=$O ;;
*)	BUILD=$TOP/$O ;;
esac
V4=10.77.0.1 V6=fd77::1
CLIENT4=10.77.0.2 CLIENT6=fd77::2
failures=0

skip() { echo "skip peers/$NAME: $*"; exit 0; }
pass() { echo "ok peers/$NAME: $*"; }
fail()
{
	echo "FAIL peers/$NAME: $*"
	failures=$((failures + 1))
}

# die MESSAGE [LOG]: nothing that follows could make sense.
die()
{
	fail "$1"
	[ -z "${2:-}" ] || tail -n 30 "$2" | sed 's/^/    /'
	[ -z "${l4pid:-}" ] || tail -n 15 "$T/l4mux.log" | sed 's/^/    l4mux: /'
	exit 1
}

# case_is WHAT COMMAND...: one case.  On failure shows what it printed.
case_is()
{
	local what=$1
	shift
	if "$@" >"$T/case.out" 2>&1; then
		pass "$what"
	else
		fail "$what"
		tail -n 15 "$T/case.out" | sed 's/^/    /'
	fi
}

need()
{
	local p
	for p; do
		command -v "$p" >/dev/null || skip "$p is not installed"
	done
}

[ "$(id -u)" -eq 0 ] || skip "network namespaces need root"
need ip openssl curl python3
[ -e /proc/net/if_inet6 ] || skip "this kernel has no IPv6"
[ -x "$BUILD/sbin/l4muxd" ] || { fail "no $BUILD/sbin/l4muxd"; exit 1; }

T=$(mktemp -d /tmp/l4peer.XXXXXX)
chmod 755 "$T"
S=l4s$$ C=l4c$$
pids=

# True while the process exists and is not a zombie.
alive()
{
	local st
	st=$(sed -E 's/.*\) (.).*/\1/' "/proc/$1/stat" 2>/dev/null) || return 1
	[ -n "$st" ] && [ "$st" != Z ]
}

# within SECONDS COMMAND...: until it succeeds.
within()
{
	local end=$((SECONDS + $1 + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		read -rt 0.05 <>"$T/never" || true
	done
}
mkfifo "$T/never"

# start NAMESPACE LOG COMMAND...: $! is the command's own pid.
start()
{
	local ns=$1 log=$2
	shift 2
	ip netns exec "$ns" "$@" >"$T/$log" 2>&1 </dev/null &
	last=$!
	pids="$last $pids"
}

# stop PID [SIGNAL] [SECONDS]: and wait for its end; kills what ignores it.
stop()
{
	kill -"${2:-TERM}" "$1" 2>/dev/null
	within "${3:-10}" gone "$1" || kill -KILL "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	stopped=$?
}
gone() { ! alive "$1"; }

cleanup()
{
	local p
	trap - EXIT INT TERM HUP
	for p in $pids; do kill "$p" 2>/dev/null; done
	for p in $pids; do within 5 gone "$p" || kill -KILL "$p"; done
	# Nothing else lives in the namespaces that this test made.
	for p in $(ip netns pids "$S" 2>/dev/null) \
	    $(ip netns pids "$C" 2>/dev/null); do
		kill -KILL "$p" 2>/dev/null
	done
	wait 2>/dev/null
	ip netns del "$S" 2>/dev/null
	ip netns del "$C" 2>/dev/null
	if [ -n "${KEEP:-}" ]; then
		echo "kept: $T" >&2
	else
		rm -rf "$T"
	fi
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

in_s() { ip netns exec "$S" "$@"; }
in_c() { ip netns exec "$C" "$@"; }

ip netns add "$S" && ip netns add "$C" || skip "no network namespaces here"
ip link add l4v0 netns "$S" type veth peer name l4v1 netns "$C" ||
    skip "no veth here"
for ns in "$S" "$C"; do ip -n "$ns" link set lo up; done
ip -n "$S" addr add $V4/24 dev l4v0
ip -n "$C" addr add $CLIENT4/24 dev l4v1
ip -n "$S" addr add $V6/64 dev l4v0 nodad
ip -n "$C" addr add $CLIENT6/64 dev l4v1 nodad
ip -n "$S" link set l4v0 up
ip -n "$C" link set l4v1 up

listening() { in_s ss -Hln"$1" "sport = :$2" | grep -q .; }
has_line() { grep -qE -- "$2" "$1"; }

# await_port t|u PORT PID LOG: a socket of the server side listens.
await_port()
{
	within 30 up_or_gone "$3" listening "$1" "$2" && alive "$3" ||
	    die "port $2 did not come up" "$T/$4"
}

# await_line PID LOG REGEX SECONDS
await_line()
{
	within "$4" up_or_gone "$1" has_line "$T/$2" "$3" &&
	    has_line "$T/$2" "$3" || die "no '$3' in $2" "$T/$2"
}

# True also when the process is gone: waiting longer is no use.
up_or_gone()
{
	local pid=$1
	shift
	"$@" || gone "$pid"
}

# mkca; mkcert NAME HOST...: $T/NAME.crt (with chain) and .key, P-256.
mkca()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -days 30 -subj "/CN=l4mux test CA" -keyout "$T/ca.key" \
	    -addext keyUsage=critical,keyCertSign,cRLSign \
	    -out "$T/ca.crt" 2>/dev/null || die "openssl req"
}

mkcert()
{
	local out=$1 first=$2 names
	shift
	names=$(printf ',DNS:%s' "$@")
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -subj "/CN=$first" -keyout "$T/$out.key" \
	    -out "$T/$out.csr" 2>/dev/null &&
	printf '%s\n' "subjectAltName=${names#,}" basicConstraints=CA:FALSE \
	    extendedKeyUsage=serverAuth keyUsage=digitalSignature \
	    >"$T/$out.ext" &&
	openssl x509 -req -in "$T/$out.csr" -CA "$T/ca.crt" -days 30 \
	    -CAkey "$T/ca.key" -CAcreateserial -extfile "$T/$out.ext" \
	    -out "$T/$out.crt" 2>/dev/null || die "certificate for $first"
}

# l4mux_up: the daemon with the configuration on standard input, in $S.
# Prepends what every test wants; awaits the control socket's answer.
l4mux_up()
{
	{
		echo 'listen = ( ":443", ":80" );'
		echo 'users = { worker = "64001"; proxy = "64002";'
		echo '  tlsterm = "64003"; keys = "64004"; acme = "64005"; hook = "64007"; };'
		echo 'processes = { worker = 2; tlsterm = 2; };'
		echo "control = \"$T/l4muxd.sock\"; state = \"$T/state\";"
		cat
	} >"$T/l4mux.conf"
	mkdir -p -m 700 "$T/state"
	start "$S" l4mux.log "$BUILD/sbin/l4muxd" -d -f "$T/l4mux.conf"
	l4pid=$last
	within 30 up_or_gone "$l4pid" ctl status && alive "$l4pid" &&
	    ctl status >/dev/null || die "l4muxd did not come up" "$T/l4mux.log"
}

ctl() { "$BUILD/sbin/l4muxctl" -s "$T/l4muxd.sock" "$@"; }

# l4mux_down: ends it and looks at what is left.  It waits for its clients as
# long as `drain` says, 30 s.
l4mux_down()
{
	stop "$l4pid" TERM 45
	case_is "the daemon ends cleanly" test "$stopped" -eq 0
	case_is "no process is left" no_child_left
	case_is "the log names no fault" no_fault
}
no_child_left()
{
	local p e bad=0
	for p in $(ip netns pids "$S"); do
		e=$(readlink "/proc/$p/exe")
		case $e in
		"$BUILD"/sbin/*|"$BUILD"/libexec/*) echo "$p $e"; bad=1 ;;
		esac
	done
	return $bad
}
no_fault()
{
	! grep -E 'Sanitizer|runtime error|died|killed by|signal (6|11|31)|panic|assert' \
	    "$T/l4mux.log"
}

# logged REGEX: a connection line says so (it is written at the close).
logged() { within 60 has_line "$T/l4mux.log" "conn .*$1"; }

finish() { exit $((failures > 0)); }
