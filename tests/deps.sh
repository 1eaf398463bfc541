#!/bin/sh
#
# Installs the Debian packages that a make target needs and this machine lacks;
# says nothing when it lacks none.  Package names hold for Debian 12 and 13.
#
#	deps.sh build	what `make all` and `make run` need
#	deps.sh check	and what `make check` needs on top
#	deps.sh bench	what `make bench` needs on top of build
#
set -eu

build='gcc libc6-dev make libssl-dev libconfig-dev libseccomp-dev libbsd-dev
    libjansson-dev libcurl4-openssl-dev libnghttp2-dev zlib1g-dev libzstd-dev
    libbrotli-dev ca-certificates openssl'
check='check clang cppcheck mandoc python3 curl iproute2 iputils-ping procps
    systemd systemd-container util-linux nginx ocserv openconnect openssh-client
    openssh-server chromium nghttp2-client fail2ban python3-prometheus-client
    prometheus tmux zsh fish nodejs zstd brotli libboost-doc libfaketime
    faketime pebble strace testssl.sh bsdextrautils'
bench='python3 iproute2 util-linux procps openssl zstd strace wrk nghttp2-client
    nginx-light libnginx-mod-stream haproxy sslh sniproxy hitch h2o lighttpd
    lighttpd-mod-openssl lighttpd-mod-deflate'

case ${1:-} in
build)	want=$build ;;
check)	want="$build $check" ;;
bench)	want="$build $bench" ;;
*)	echo "usage: deps.sh build | check | bench" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	# Another distribution: the compiler will say what is missing.
	exit 0
fi

missing=
for p in $want; do
	case $(dpkg-query -Wf '${db:Status-Status}' "$p" 2>/dev/null) in
	installed) ;;
	*) missing="$missing $p" ;;
	esac
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "deps: missing:$missing" >&2
		echo "deps: install them as root: apt-get install$missing" >&2
		exit 1
	fi
	as_root=sudo
fi

# Some of these are services.  The tests start what they need themselves: none
# may come up by being installed, now or at the next start of the machine.
policy=/usr/sbin/policy-rc.d
out=$(mktemp)
ours=
cleanup()
{
	rm -f "$out"
	[ -z "$ours" ] || $as_root rm -f "$policy"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM
if [ ! -e "$policy" ]; then
	ours=1
	printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
	$as_root chmod 755 "$policy"
fi

echo "deps: installing$missing"
get()
{
	# shellcheck disable=SC2086
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
	    -o DPkg::Lock::Timeout=300 \
	    --no-install-recommends install $missing >"$out" 2>&1
}
if ! get; then
	# Package lists that are missing or old are the usual reason.
	$as_root apt-get -qq update >"$out" 2>&1 || true
	get || { cat "$out" >&2; exit 1; }
fi

if command -v systemctl >/dev/null; then
	for p in nginx ocserv openssh-server:ssh haproxy sslh sniproxy hitch \
	    h2o lighttpd nginx-light:nginx fail2ban prometheus; do
		case " $missing " in
		*" ${p%:*} "*)
			$as_root systemctl -q disable "${p#*:}" 2>/dev/null ||
			    true ;;
		esac
	done
fi
