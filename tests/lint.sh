#!/bin/sh
#
# What a machine can say about how the tree is written.  Silent when all is
# well.  Usage: lint.sh [man] [gcc] [clang] [cppcheck] [unit] [trust] [shell]
#
set -eu
cd "$(dirname "$0")/.."
O=${O:-build}
MAKE=${MAKE:-make}
jobs=$(nproc)
out=$(mktemp)
trap 'rm -f "$out"' EXIT

lint_man()
{
	mandoc -Tlint -Wstyle man/*.[1-9] >"$out" 2>&1 || true
	# Which other pages there are is a matter of the machine.
	! grep -vE 'referenced manual not found|mandoc\.db' "$out"
}

lint_gcc()
{
	$MAKE -s -j"$jobs" O="$O" CC=gcc all unit bench-build
}

# Objects of clang stay apart; its hardening flags have other names.
lint_clang()
{
	$MAKE -s -j"$jobs" O="$O/clang" CC=clang HARDLD=-pie \
	    HARDEN="-fPIE -D_FORTIFY_SOURCE=2 -fstack-protector-strong" \
	    all unit bench-build
}

# Left out is what the compilers see better, and that an allocation may fail:
# fatal() does not return, which cppcheck cannot know.
lint_cppcheck()
{
	cppcheck -q -j"$jobs" --std=c11 --enable=warning,portability \
	    --inline-suppr --error-exitcode=1 \
	    --suppress=missingIncludeSystem --suppress=memleakOnRealloc \
	    --suppress=uninitvar --suppress=legacyUninitvar \
	    --suppress=nullPointerOutOfMemory \
	    --suppress=normalCheckLevelMaxBranches \
	    -D_GNU_SOURCE -D__linux__ '-DJSON_INTEGER_FORMAT="lld"' \
	    '-Djson_array_foreach(a,i,v)=while(i)' \
	    -I. common master worker proxy tlsterm keys metrics acme ctl
}

# Exposure as systemd counts it; why not less: docs/decisions/009-systemd.md.
lint_unit()
{
	dir=$(mktemp -d)
	while read -r unit most; do
		sed -e 's|@SBIN@/[a-z0-9]*|/bin/true|' -e '/notify-reload/d' \
		    -e '/^ReloadSignal/d' "etc/$unit" >"$dir/$unit"
		is=$(systemd-analyze security --offline=yes --no-pager \
		    "$dir/$unit" | sed -nE 's/.*exposure level.*: ([0-9.]+).*/\1/p')
		awk -v is="$is" -v most="$most" -v unit="$unit" 'BEGIN {
			if (is != "" && is <= most) exit 0
			print unit ": exposure " is ", not " most " or less"
			exit 1 }' || { rm -rf "$dir"; return 1; }
	done <<-END
	l4mux-unprivileged.service 2.0
	l4mux.service 3.0
	END
	rm -rf "$dir"
}

# Every line of docs/trust.md names its test: each must be there.
lint_trust()
{
	bad=0
	for t in $(grep -oE 'test_[A-Z][A-Za-z0-9_]+' docs/trust.md | sort -u); do
		grep -q "def $t(" tests/system/*.py || {
			echo "docs/trust.md: there is no $t"
			bad=1
		}
	done
	return $bad
}

lint_shell()
{
	bad=0
	for f in $(grep -rlE '^#!/bin/(ba)?sh' tests etc .ci); do
		case $(head -1 "$f") in
		*bash*) bash -n "$f" || bad=1 ;;
		*)	sh -n "$f" || bad=1 ;;
		esac
	done
	return $bad
}

[ $# -gt 0 ] || set -- man gcc clang cppcheck unit trust shell
for what; do
	"lint_$what"
done
