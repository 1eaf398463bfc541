#!/bin/bash
#
# `make run`: the built daemon with etc/demo.conf and a second TLS server that
# it passes connections to, until interrupted.  Leaves nothing behind.
#
set -eu
cd "$(dirname "$0")/.."
umask 022
O=${O:-build}
export TLS_PORT=${TLS_PORT:-8443} HTTP_PORT=${HTTP_PORT:-8080}

for p in "$TLS_PORT" "$HTTP_PORT"; do
	if (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null; then
		echo "run: port $p is taken by another program; choose others:" \
		    "make run TLS_PORT=9443 HTTP_PORT=9080" >&2
		exit 1
	fi
done

run=$(mktemp -d "${TMPDIR:-/tmp}/l4mux-demo.XXXXXX")
pids=
stop()
{
	trap - EXIT INT TERM HUP
	for p in $pids; do kill "$p" 2>/dev/null || true; done
	for p in $pids; do wait "$p" 2>/dev/null || true; done
	rm -rf "$run"
}
trap stop EXIT
trap 'exit 0' INT TERM HUP
chmod 755 "$run"
mkdir -m 700 "$run/state"

# The site is copied: its readers are other users, and the checkout may be
# out of their reach.
cp -R etc/demo-site "$run/site"
chmod -R a+rX "$run/site"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -subj /CN=backend.l4mux.test \
    -addext subjectAltName=DNS:backend.l4mux.test \
    -keyout "$run/key.pem" -out "$run/cert.pem" 2>/dev/null
openssl s_server -quiet -www -accept 127.0.0.1:0 -cert "$run/cert.pem" \
    -key "$run/key.pem" </dev/null >/dev/null 2>"$run/backend.log" &
backend=$!
pids=$backend

# await COMMAND...: until it succeeds; fails when one of ours has died.
await()
{
	local i p
	for ((i = 0; i < 300; i++)); do
		if "$@" >/dev/null 2>&1; then
			return 0
		fi
		for p in $pids; do
			kill -0 "$p" 2>/dev/null || return 1
		done
		sleep 0.1
	done
	return 1
}

# The port the kernel chose, from the table of our own sockets.
backend_port()
{
	local inode
	inode=$(readlink "/proc/$backend/fd/"* 2>/dev/null |
	    sed -n 's/^socket:\[\(.*\)\]$/\1/p' | head -1)
	[ -n "$inode" ] || return 1
	awk -v i="$inode" '$10 == i && $4 == "0A" {
		split($2, a, ":"); print a[2]; ok = 1 }
		END { exit !ok }' /proc/net/tcp
}
await backend_port || { cat "$run/backend.log" >&2; exit 1; }
BACKEND=$((16#$(backend_port)))

sed -e "s|@TLS_PORT@|$TLS_PORT|" -e "s|@HTTP_PORT@|$HTTP_PORT|" \
    -e "s|@BACKEND@|$BACKEND|" -e "s|@RUN@|$run|g" -e "s|@ROOT@|$run/site|" \
    etc/demo.conf >"$run/l4mux.conf"
"$O/sbin/l4muxd" -n -f "$run/l4mux.conf" >/dev/null

"$O/sbin/l4muxd" -d -f "$run/l4mux.conf" &
daemon=$!
pids="$daemon $pids"
await "$O/sbin/l4muxctl" -s "$run/l4muxd.sock" status || {
	echo "run: the daemon did not come up; its messages are above" >&2
	exit 1
}

cat <<TEXT

l4mux is up.  Try, from another terminal:

  # the site, over TLS and over plain HTTP
  curl -k --resolve demo.l4mux.test:$TLS_PORT:127.0.0.1 https://demo.l4mux.test:$TLS_PORT/
  curl --resolve demo.l4mux.test:$HTTP_PORT:127.0.0.1 http://demo.l4mux.test:$HTTP_PORT/

  # the same port, another name: passed through to a server of its own
  curl -k --resolve backend.l4mux.test:$TLS_PORT:127.0.0.1 https://backend.l4mux.test:$TLS_PORT/

  # what the daemon thinks of it
  $O/sbin/l4muxctl -s $run/l4muxd.sock status

or open https://localhost:$TLS_PORT/ in a browser.  Control-C ends it.

TEXT
wait "$daemon"
