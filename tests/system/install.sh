#!/bin/bash
#
# `make install`: into DESTDIR, from there away again, and as a tree that runs
# from wherever PREFIX put it.
#
set -u
cd "$(dirname "$0")/../.." || exit 1
O=${O:-build}
T=$(mktemp -d /tmp/l4inst.XXXXXX)
chmod 755 "$T"
daemon=
cleanup()
{
	[ -z "$daemon" ] || kill -KILL "$daemon" 2>/dev/null
	rm -rf "$T"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM
mkfifo "$T/never"
failures=0

verdict()
{
	local name=$1
	shift
	if "$@" >"$T/out" 2>&1; then
		echo "ok system/install: $name"
	else
		echo "FAIL system/install: $name"
		failures=$((failures + 1))
		tail -n 15 "$T/out" | sed 's/^/    /'
	fi
}

within()
{
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		read -rt 0.1 <>"$T/never" || true
	done
}

stage() { make -s O="$O" DESTDIR="$T/stage" PREFIX=/opt/l4mux "$1"; }

complete()
{
	local f bad=0
	for f in sbin/l4muxd sbin/l4muxctl libexec/l4mux/worker \
	    libexec/l4mux/proxy libexec/l4mux/tlsterm libexec/l4mux/keys \
	    libexec/l4mux/metrics share/l4mux/grafana/l4mux.json \
	    share/man/man5/l4mux.conf.5 share/man/man8/l4muxd.8 \
	    share/man/man8/l4muxctl.8 share/l4mux/l4mux.conf.sample \
	    share/l4mux/rc.d/l4muxd lib/systemd/system/l4mux.service \
	    lib/sysusers.d/l4mux.conf lib/tmpfiles.d/l4mux.conf \
	    share/bash-completion/completions/l4muxctl \
	    share/zsh/site-functions/_l4muxctl \
	    share/fish/vendor_completions.d/l4muxctl.fish \
	    share/l4mux/fail2ban/filter.d/l4mux.conf; do
		[ -s "$T/stage/opt/l4mux/$f" ] || { echo "no $f"; bad=1; }
	done
	return $bad
}

nothing_left()
{
	! find "$T/stage" ! -type d | grep .
}

# Paths of this installation in them, and no word left to fill in.
filled_in()
{
	local d=$T/stage/opt/l4mux
	grep -q /opt/l4mux/sbin/l4muxd "$d/lib/systemd/system/l4mux.service" &&
	    grep -q /opt/l4mux/sbin/l4muxd "$d/share/l4mux/rc.d/l4muxd" &&
	    sh -n "$d/share/l4mux/rc.d/l4muxd" &&
	    ! grep -rIE '@[A-Z]+@' "$T/stage"
}

readable_by_all()
{
	! find "$T/stage" ! -perm -o=r | grep . &&
	    ! find "$T/stage" -perm /go=w | grep .
}

verdict "DESTDIR" stage install
verdict "every file is there" complete
verdict "templates are filled in" filled_in
verdict "all may read it, none may write" readable_by_all
verdict "uninstall" stage uninstall
verdict "uninstall leaves no file" nothing_left

verdict "PREFIX=DIR all install" make -s O="$O" PREFIX="$T/tree" all install

ports=$(python3 -c 'import socket
s = [socket.socket() for _ in range(2)]
for x in s:
    x.bind(("127.0.0.1", 0))
print(*(x.getsockname()[1] for x in s))')
tls=${ports% *} http=${ports#* }
cat >"$T/l4mux.conf" <<X
listen = ( "127.0.0.1:$tls", "127.0.0.1:$http" );
sites = { demo = { names = [ "demo.test" ]; certificate = "self-signed";
  root = "$T/tree/share/l4mux/demo-site"; http = "serve"; }; };
users = { worker = "64001"; proxy = "64002"; tlsterm = "64003";
  keys = "64004"; acme = "64005"; };
control = "$T/l4muxd.sock"; state = "$T/state";
X
mkdir -m 700 "$T/state"
# Moved: nothing in it may know where it was made.
mv "$T/tree" "$T/moved"
sed -i "s|$T/tree|$T/moved|" "$T/l4mux.conf"
"$T/moved/sbin/l4muxd" -d -f "$T/l4mux.conf" >"$T/log" 2>&1 </dev/null &
daemon=$!
ctl() { "$T/moved/sbin/l4muxctl" -s "$T/l4muxd.sock" "$@"; }
same_page()
{
	curl -ksS --max-time 20 --resolve "demo.test:$tls:127.0.0.1" \
	    "https://demo.test:$tls/" |
	    cmp - "$T/moved/share/l4mux/demo-site/index.html"
}
up() { within 30 ctl status || { cat "$T/log"; false; }; }
ends() { ctl stop && wait "$daemon"; }
verdict "the tree runs where it is put" up
verdict "and serves" same_page
verdict "and stops" ends
daemon=
exit $((failures > 0))
