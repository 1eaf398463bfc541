#!/bin/bash
#
# What a new user does, on a bare Debian: the two commands of the README.
# Usage: debootstrap.sh SUITE DIR
#
#	SUITE	bookworm or trixie
#	DIR	a folder to make it in; used again as it is if it is there
#	MIRROR	where Debian comes from
#	XRAY	a folder with Xray's `main`, which a bare Debian cannot build
#	ONLY	run or check: that command alone
#
# Everything runs in mount and process namespaces of its own: nothing stays
# mounted and no process is left, however it ends.
#
set -eu

suite=${1:-} dir=${2:-}
[ -n "$suite" ] && [ -n "$dir" ] || {
	echo "usage: debootstrap.sh SUITE DIR" >&2
	exit 2
}
top=$(cd "$(dirname "$0")/.." && pwd)
MIRROR=${MIRROR:-http://deb.debian.org/debian}
checkout=/root/l4mux

if [ -z "${L4MUX_INSIDE:-}" ]; then
	export L4MUX_INSIDE=1
	exec unshare --mount --pid --fork --kill-child -- "$0" "$@"
fi

mount --make-rprivate /
if [ ! -e "$dir/etc/debian_version" ]; then
	debootstrap --variant=minbase "$suite" "$dir" "$MIRROR" \
	    >"$dir.log" 2>&1 || { tail "$dir.log" >&2; exit 1; }
fi
dir=$(cd "$dir" && pwd)
cp -L /etc/resolv.conf "$dir/etc/resolv.conf"
rm -rf "$dir$checkout"
git clone -q --no-hardlinks "$top" "$dir$checkout"

mount --bind "$dir" "$dir"
mount -t proc proc "$dir/proc"
mount -t sysfs -o ro sysfs "$dir/sys"
mount -t tmpfs -o mode=755 dev "$dir/dev"
for d in null zero full random urandom tty net/tun; do
	mkdir -p "$(dirname "$dir/dev/$d")"
	: >"$dir/dev/$d"
	mount --bind "/dev/$d" "$dir/dev/$d"
done
mkdir "$dir/dev/pts" "$dir/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$dir/dev/pts"
ln -s pts/ptmx "$dir/dev/ptmx"
ln -s /proc/self/fd "$dir/dev/fd"
mount -t tmpfs shm "$dir/dev/shm"
mount -t tmpfs -o mode=755 run "$dir/run"
mount -t tmpfs -o mode=1777 tmp "$dir/tmp"

xray=
if [ -x "${XRAY:-}/main" ]; then
	xray=$checkout/../xray
	mkdir -p "$dir$xray"
	cp "$XRAY/main" "$dir$xray"
fi

# As root of the bare system, with a bare environment.
bare=(env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
    ${xray:+XRAY="$xray"} chroot "$dir" /bin/sh -c)

# Where the machine reaches Debian in a way of its own, so does the copy.
for f in /etc/apt/apt.conf.d/*proxy*; do
	[ ! -e "$f" ] || cp "$f" "$dir/etc/apt/apt.conf.d/"
done

echo "== $suite: $(cat "$dir/etc/debian_version")"
"${bare[@]}" 'apt-get -qq update &&
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y install make' \
    >"$dir/root/apt.log" 2>&1 || { tail "$dir/root/apt.log" >&2; exit 1; }

if [ "${ONLY:-run}" = run ]; then
	echo "== make run"
	log=$dir/root/run.log
	# A group of its own, which Control-C reaches as a terminal's would.
	env --default-signal=INT setsid \
	    "${bare[@]}" "cd $checkout && exec make run" \
	    >"$log" 2>&1 </dev/null &
	make=$!
	for ((i = 0; i < 6000; i++)); do
		grep -q 'Control-C ends it' "$log" && break
		kill -0 $make 2>/dev/null || break
		sleep 0.1
	done
	sed 's/^/    /' "$log"
	grep -q 'Control-C ends it' "$log"
	grep '^  curl' "$log" | while read -r line; do
		sh -c "$line -sS --max-time 20 -o /dev/null" </dev/null
		echo "ok $line"
	done
	kill -INT -- -$make
	wait $make || true
	! kill -0 -- -$make 2>/dev/null
fi

if [ "${ONLY:-check}" = check ]; then
	echo "== make check"
	"${bare[@]}" "cd $checkout && make check" </dev/null
fi
