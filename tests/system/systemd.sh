#!/bin/bash
#
# The unit under a systemd that runs: one of its own, in a container whose file
# systems are copies that are thrown away.  Nothing of the machine's is started
# or changed.
#
set -u
cd "$(dirname "$0")/../.." || exit 1
export O=${O:-build}
failures=0

skip() { echo "skip system/systemd: $*"; exit 0; }

[ "$(id -u)" -eq 0 ] || skip "a container needs root"
for p in systemd-nspawn unshare nsenter curl python3 pgrep; do
	command -v "$p" >/dev/null || skip "$p is not installed"
done

# Again in namespaces, for the copies and the container to go with them, however
# this ends.
if [ -z "${L4MUX_INSIDE:-}" ]; then
	export L4MUX_INSIDE=1
	exec unshare --mount --pid --fork --kill-child --mount-proc -- "$0" "$@"
fi
mount --make-rprivate / || skip "no mount namespace"

# Not in the temporary directory: the container has one of its own.
T=$(mktemp -d /var/tmp/l4systemd.XXXXXX)
mkfifo "$T/never"
mkdir "$T/copy"
init='' outer=''
cleanup()
{
	# With the first process of a container goes all of it.
	[ -z "$init" ] || kill -KILL "$init" 2>/dev/null
	[ -z "$outer" ] || wait "$outer" 2>/dev/null
	umount -l "$T/copy/root" "$T/copy" 2>/dev/null
	rm -rf --one-file-system "$T"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

within()
{
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		read -rt 0.1 <>"$T/never" || true
	done
}

verdict()
{
	local name=$1
	shift
	if "$@" >"$T/out" 2>&1; then
		echo "ok system/systemd: $name"
	else
		echo "FAIL system/systemd: $name"
		failures=$((failures + 1))
		tail -n 15 "$T/out" | sed 's/^/    /'
		inside journalctl -u l4mux --no-pager -n 15 | sed 's/^/    /'
	fi
}

root=$T/copy/root
mount -t tmpfs tmpfs "$T/copy" &&
    mkdir "$root" "$T/copy/upper" "$T/copy/work" &&
    mount -t overlay overlay -o \
    "lowerdir=/,upperdir=$T/copy/upper,workdir=$T/copy/work" "$root" ||
    skip "no overlay here"
# What the machine starts is none of ours.
rm -rf "$root"/etc/systemd/system/* "$root"/etc/machine-id
make -s O="$O" DESTDIR="$root" PREFIX=/usr/local install || exit 1
# There is no network to wait for.
for unit in networking ifupdown-wait-online systemd-networkd-wait-online; do
	ln -s /dev/null "$root/etc/systemd/system/$unit.service"
done
mkdir "$root/etc/systemd/system/l4mux.service.d"
cat >"$root/etc/systemd/system/l4mux.service.d/test.conf" <<X
[Service]
WatchdogSec=2
X
cat >"$root/etc/l4mux.conf" <<X
listen = ( ":443", ":80" );
sites = { demo = { names = [ "demo.test" ]; certificate = "self-signed";
  root = "/usr/local/share/l4mux/demo-site"; http = "serve"; }; };
metrics = "127.0.0.1:9144";
drain = 1.0;
X

# Landlock is not among what a container may do by itself.
systemd-nspawn --quiet --directory="$root" --register=no --keep-unit \
    --system-call-filter="landlock_create_ruleset landlock_add_rule \
    landlock_restrict_self" \
    --private-network --console=pipe --link-journal=no --boot -- \
    --unit=basic.target >"$T/log" 2>&1 </dev/null &
outer=$!
inside() { nsenter --target "$init" --all -- "$@"; }
booted()
{
	init=$(pgrep -P "$outer" -x systemd) &&
	    inside systemctl is-active basic.target
}
within 60 booted || skip "systemd does not start here: $(tail -n 1 "$T/log")"

ctl() { inside /usr/local/sbin/l4muxctl "$@"; }
property() { inside systemctl show -P "$1" l4mux.service; }
is() { [ "$(property "$1")" = "$2" ] || { property "$1"; false; }; }
same_page()
{
	inside curl -sS --max-time 20 -H 'Host: demo.test' 'http://[::1]/' |
	    cmp - etc/demo-site/index.html
}
# As the README says.
users() { inside systemd-sysusers && inside getent passwd l4mux-metrics; }
starts()
{
	inside systemctl daemon-reload &&
	    inside systemctl start l4mux.service && is ActiveState active &&
	    same_page
}
confined()
{
	ctl -j status | python3 -c '
import json, sys
d = json.load(sys.stdin)
assert d["privileged"] and d["sandbox"] == "strict", d
for p in d["processes"]:
    have = set(p["mechanisms"])
    assert p["role"] == "master" or have >= {"uid", "chroot", "seccomp",
        "no_new_privs", "rlimit"}, p'
}
generation() { ctl -j status | grep -q "\"generation\":$1,\"generations\""; }
reloads() { inside systemctl reload l4mux.service && generation 2; }
refuses()
{
	echo 'nonsense = 1;' | inside tee -a /etc/l4mux.conf
	! inside systemctl reload l4mux.service
	local failed=$?
	inside sed -i /nonsense/d /etc/l4mux.conf
	[ $failed -eq 0 ] && is ActiveState active && same_page &&
	    generation 2 && inside systemctl reload l4mux.service &&
	    same_page
}
kept() { [ "$(property NFileDescriptorStore)" -eq "$1" ]; }
# Who connects while there is no master waits for the next one.
survives()
{
	local pid
	pid=$(property MainPID)
	inside sh -c "kill -KILL $pid && exec curl -sS --max-time 30 \
	    -H 'Host: demo.test' 'http://[::1]/'" |
	    cmp - etc/demo-site/index.html &&
	    within 30 restarted 1 && [ "$(property MainPID)" != "$pid" ]
}
restarted() { is NRestarts "$1" && is ActiveState active && same_page; }
watched()
{
	inside sh -c "kill -STOP $(property MainPID)" &&
	    within 60 restarted 2
}
ours() { inside sh -c 'ls /sys/fs/cgroup/system.slice/l4mux.service \
	    /sys/fs/cgroup/*/system.slice/l4mux.service 2>/dev/null'; }
stops()
{
	inside systemctl stop l4mux.service && is ActiveState inactive &&
	    is Result success && kept 0 && [ -z "$(ours)" ]
}

verdict "sysusers makes the users" users
verdict "starts, and is ready when it says so" starts
verdict "every process is confined" confined
verdict "the listeners are in the store" within 10 kept 5
verdict "reload waits for the outcome" reloads
verdict "a reload that fails fails, and changes nothing" refuses
verdict "who comes while the master is dead is served by the next" survives
verdict "a master that hangs is replaced" watched
verdict "only the child dies that takes all memory" is OOMPolicy continue
verdict "stops, and leaves nothing" stops
exit $((failures > 0))
