#!/bin/bash
#
# Runs every test of the tree, one line each, and closes with the sum.
# Usage: check.sh [unit] [system] [malloc] [peers] [demo] [layers] [lint] [asan]
# From `make check`, which has installed and built what is needed.
#
# A test program says on its standard output, a line each:
#	ok NAME		passed
#	FAIL NAME: why	failed
#	skip NAME: why	cannot run here; a failure where CI=true
#
set -u
cd "$(dirname "$0")/.." || exit 1
export O=${O:-build}
export MAKE=${MAKE:-make}
passed=0 failed=0 skipped=0
log=$(mktemp)
copy=$(mktemp -d)
trap 'rm -rf "$log" "$copy"' EXIT
trap 'exit 1' HUP INT TERM

pass() { echo "ok $1"; passed=$((passed + ${2:-1})); }
fail() { echo "FAIL $1"; failed=$((failed + ${2:-1})); }

# one NAME SECONDS COMMAND: a program that is one test.
one()
{
	local name=$1 secs=$2
	shift 2
	if timeout -k 10 "$secs" "$@" >"$log" 2>&1 </dev/null; then
		pass "$name"
	else
		fail "$name: status $?"
		tail -n 40 "$log" | sed 's/^/    /'
	fi
}

# many NAME SECONDS COMMAND: a program that says ok, FAIL, skip itself.
many()
{
	local name=$1 secs=$2 rc
	shift 2
	timeout -k 10 "$secs" "$@" 2>&1 </dev/null | tee "$log"
	rc=${PIPESTATUS[0]}
	passed=$((passed + $(grep -c '^ok ' "$log")))
	skipped=$((skipped + $(grep -c '^skip ' "$log")))
	if grep -q '^FAIL ' "$log"; then
		failed=$((failed + $(grep -c '^FAIL ' "$log")))
	elif [ "$rc" -ne 0 ] || ! grep -qE '^(ok|skip) ' "$log"; then
		fail "$name: status $rc"
	fi
}

# unit LABEL DIR: every check program there; libcheck counts its tests.  It
# gives each four seconds, of a machine that may be busy with others.
unit()
{
	local label=$1 dir=$2 t n
	compgen -G "$dir/*_test" >/dev/null || fail "$label: none in $dir"
	for t in "$dir"/*_test; do
		[ -x "$t" ] || continue
		CK_TIMEOUT_MULTIPLIER=10 timeout -k 10 1200 "$t" >"$log" \
		    2>&1 </dev/null
		rc=$?
		n=$(sed -nE 's/.*Checks: ([0-9]+),.*/\1/p' "$log" | tail -1)
		if [ $rc -eq 0 ] && [ "${n:-0}" -gt 0 ]; then
			pass "$label/${t##*/}: $n checks" "$n"
		else
			fail "$label/${t##*/}: status $rc"
			tail -n 40 "$log" | sed 's/^/    /'
		fi
	done
}

# reach DIR: it, or a copy that an ordinary user may run programs from.  A
# checkout of root's often may not be.
reach()
{
	set -- "$(realpath "$1")"
	if [ "$(id -u)" -ne 0 ] || setpriv --reuid 65534 --regid 65534 \
	    --clear-groups test -x "$1/sbin/l4muxd"; then
		echo "$1"
	else
		chmod 755 "$copy"
		mkdir -p "$copy/tests"
		cp -R "$1/sbin" "$1/libexec" "$copy"
		cp -R "$1/tests/captured" "$copy/tests"
		chmod -R a+rX "$copy"
		echo "$copy"
	fi
}

# system TUNABLES [WORD...]: the runner closes with a sum of its own.
system()
{
	local tunables=$1
	shift
	local rc sum
	timeout -k 10 5400 env L4MUX_BUILD="$(reach "$O")" \
	    GLIBC_TUNABLES="$tunables" \
	    python3 tests/system/run.py "$@" 2>&1 </dev/null | tee "$log" |
	    sed -E '/^[0-9]+ passed, [0-9]+ failed/d'
	rc=${PIPESTATUS[0]}
	sum=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -1)
	set -- $(echo "${sum:-0 0 0}" | tr -cs '0-9' ' ')
	passed=$((passed + $1)) failed=$((failed + $2))
	skipped=$((skipped + ${3:-0}))
	if [ -z "$sum" ] || { [ "$rc" -ne 0 ] && [ "$2" -eq 0 ]; }; then
		fail "system: status $rc"
	fi
}

# Sandboxes are sensitive to what the C library does: freed memory made dirty,
# and no cache before the arenas.
TUNABLES=glibc.malloc.perturb=85:glibc.malloc.tcache_count=0

[ $# -gt 0 ] || set -- unit system malloc peers demo layers lint asan
for section; do
	case $section in
	unit)	unit unit "$O/tests/unit" ;;
	system)	system "" ;;
	malloc)	system "$TUNABLES" test_isolation test_captured test_hello \
		    test_relay test_tls ;;
	peers)	for t in acme blog http2 docs dynamic ocserv reality reload tls \
		    together; do
			many "peers/$t" 1500 "tests/peers/$t.sh"
		done ;;
	demo)	for t in run_demo install systemd; do
			many "system/$t" 600 "tests/system/$t.sh"
		done ;;
	layers)	one layers 300 tests/layers.sh ;;
	lint)	for t in man gcc clang cppcheck unit trust shell; do
			one "lint/$t" 1800 tests/lint.sh $t
		done ;;
	asan)	one asan/build 1200 "$MAKE" -s -j"$(nproc)" asan-build
		unit asan "$O/asan/tests/unit" ;;
	*)	echo "check.sh: no section $section" >&2; exit 2 ;;
	esac
done

[ "${CI:-}" != true ] || [ "$skipped" -eq 0 ] || {
	echo "FAIL skips: $skipped tests could not run here"
	failed=$((failed + 1))
}
if [ "$skipped" -gt 0 ]; then
	echo "$passed passed, $failed failed, $skipped skipped"
else
	echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
