#!/bin/bash
#
# `make run` as a newcomer does it: every curl line that it prints works, a port
# that is taken is said so, Control-C leaves nothing behind.  As whoever runs
# this, and where that is root as an ordinary user too.
#
set -u
cd "$(dirname "$0")/../.." || exit 1
O=${O:-build}
T=$(mktemp -d /tmp/l4demo.XXXXXX)
chmod 755 "$T"
group=
cleanup()
{
	[ -z "$group" ] || kill -KILL -- -"$group" 2>/dev/null
	rm -rf "$T"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM
mkfifo "$T/never"
failures=0

# verdict NAME COMMAND...
verdict()
{
	local name=$1
	shift
	if "$@" >"$T/out" 2>&1; then
		echo "ok system/run_demo: $name"
	else
		echo "FAIL system/run_demo: $name"
		failures=$((failures + 1))
		tail -n 15 "$T/out" | sed 's/^/    /'
	fi
}

within()
{
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		read -rt 0.1 <>"$T/never" || true
	done
}

free_port()
{
	python3 -c 'import socket
s = socket.socket(socket.AF_INET6)
s.bind(("::", 0))
print(s.getsockname()[1])'
}

up() { grep -q 'Control-C ends it' "$T/log" || ! kill -0 "$group" 2>/dev/null; }
gone() { ! kill -0 -- -"$group" 2>/dev/null; }

# The text's own lines, with nothing changed but their patience.
page()
{
	local cmd
	cmd=$(grep "^  curl.*$1" "$T/log") || return 1
	echo "$cmd"
	sh -c "$cmd -sS --max-time 20" </dev/null >"$T/page" || return 1
	head -c 300 "$T/page"
	grep -qi "$2" "$T/page"
}
ctl_line()
{
	local cmd
	cmd=$(grep '^  [^ ]*l4muxctl' "$T/log") && sh -c "$cmd"
}
says_taken()
{
	! "$@" && grep -q "port $TLS_PORT is taken" "$T/out"
}
nothing_left()
{
	local dir
	dir=$(sed -n 's/.*-s \([^ ]*\)\/l4muxd.sock.*/\1/p' "$T/log")
	[ -n "$dir" ] && [ ! -e "$dir" ] || { ls -d "$dir"; return 1; }
	! (exec 3<>"/dev/tcp/127.0.0.1/$TLS_PORT") 2>/dev/null
}

# demo WHO COMMAND...
demo()
{
	local who=$1
	shift
	TLS_PORT=$(free_port)
	HTTP_PORT=$(free_port)
	export TLS_PORT HTTP_PORT
	: >"$T/log"
	# A group of its own, which Control-C reaches as a terminal's would.
	env --default-signal=INT setsid "$@" >"$T/log" 2>&1 </dev/null &
	group=$!
	within 300 up
	cp "$T/log" "$T/out"
	verdict "$who: comes up" grep 'Control-C ends it' "$T/log"
	verdict "$who: the site over TLS" page https://demo '<title'
	verdict "$who: the site over HTTP" page http://demo '<title'
	verdict "$who: the server behind" page https://backend 's_server'
	verdict "$who: status" ctl_line
	verdict "$who: a taken port is said so" says_taken "$@"
	kill -INT -- -"$group"
	verdict "$who: Control-C ends it" within 45 gone
	wait "$group" 2>/dev/null
	verdict "$who: nothing is left" nothing_left
	group=
}

cat >"$T/made" <<'X'
#!/bin/sh
exec make -s O="$O" TLS_PORT="$TLS_PORT" HTTP_PORT="$HTTP_PORT" run
X
chmod 755 "$T/made"
export O
demo "make run" "$T/made"

if [ "$(id -u)" -eq 0 ]; then
	# The checkout may be out of another user's reach: a copy is not.
	mkdir "$T/tree"
	cp -R etc "$T/tree/etc"
	mkdir "$T/tree/build"
	cp -R "$O/sbin" "$O/libexec" "$T/tree/build"
	chmod -R a+rX "$T/tree"
	demo "ordinary user" setpriv --reuid 65534 --regid 65534 \
	    --clear-groups env O="$T/tree/build" \
	    "$T/tree/etc/demo.sh"
fi
exit $((failures > 0))
