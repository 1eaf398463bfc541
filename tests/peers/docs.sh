#!/bin/bash
#
# The documentation of Boost, thousands of pages that generators made: every
# file over TLS, in each encoding, compared with the disk.
#
. "$(dirname "$0")/lib.sh"

ROOT=
for d in /usr/share/doc/libboost[0-9]*-doc/doc; do
	[ ! -d "$d" ] || ROOT=$d
done
[ -n "$ROOT" ] || skip "libboost-doc is not installed, or without its files"

mkca
mkcert docs docs.test
l4mux_up <<X
sites = { docs = { names = [ "docs.test" ]; root = "$ROOT"; browse = true;
    certificate = { chain = "$T/docs.crt"; key = "$T/docs.key"; }; }; };
fallback = "docs";
X

# list: its files with their URLs, as a configuration of curl; and as names.
list()
{
	python3 - "$ROOT" "$T" <<'X'
import os, sys, urllib.parse
root, t = sys.argv[1:]
names = []
for d, dirs, files in os.walk(root):
    names += [os.path.relpath(os.path.join(d, f), root) for f in files
              if os.path.isfile(os.path.join(d, f))]
names = sorted(n for n in names if "/." not in "/" + n)
with open(t + "/names", "w") as f:
    f.write("".join(n + "\n" for n in names))
with open(t + "/urls", "w") as f:
    for n in names:
        f.write('url = "https://docs.test/%s"\noutput = "%s/out/%s"\n' % (
            urllib.parse.quote(n), t, n))
X
}
list
case_is "there are thousands" test "$(wc -l <"$T/names")" -ge 3000

version=--http1.1

# fetch ENCODING URLS: all of them; $T/codes says how each came.
fetch()
{
	rm -rf "$T/out"
	in_c curl -sS -f $version --cacert "$T/ca.crt" --create-dirs \
	    --resolve "docs.test:443:$V4" -H "Accept-Encoding: $1" \
	    --compressed -K "$2" \
	    -w '%{http_code} %header{content-encoding} %{size_download}\n' \
	    >"$T/codes"
}

# whole ENCODING: each file is what is on the disk.
whole()
{
	fetch "$1" "$T/urls" && python3 - "$ROOT" "$T" <<'X'
import filecmp, sys
root, t = sys.argv[1:]
bad = 0
for n in open(t + "/names").read().splitlines():
    if not filecmp.cmp(root + "/" + n, t + "/out/" + n, shallow=False):
        print(n)
        bad = 1
sys.exit(bad)
X
}

# How many came like that: "200 gzip".
came() { grep -c "^$1 " "$T/codes"; }

all=$(wc -l <"$T/names")
case_is "$all files as they are" whole identity
case_is "none is encoded" test "$(came '200 ')" -eq "$all"
for e in gzip br zstd; do
	case_is "$all files, $e" whole $e
	case_is "most are encoded" test "$(came "200 $e")" -gt $((all / 2))
done

version=--http2
case_is "$all files over HTTP/2, br" whole br
case_is "most are encoded" test "$(came "200 br")" -gt $((all / 2))

# What is asked for again is encoded as well as can be.
size() { awk '{ n += $NF } END { print n }' "$T/codes"; }
better()
{
	fetch "$1" "$T/few" && [ "$(size)" -lt "$2" ]
}
few()
{
	local first n
	grep -A1 'html"$' "$T/urls" | grep -v '^--' | head -n 200 >"$T/few"
	fetch "$1" "$T/few"
	first=$(size)
	within 60 better "$1" "$first" || return 1
	for n in $(sed -n 's|^output = ".*/out/\(.*\)"|\1|p' "$T/few"); do
		cmp "$ROOT/$n" "$T/out/$n" || return 1
	done
}
for e in gzip br zstd; do
	case_is "$e: 100 files get smaller, and stay what they are" few $e
done

# A list for each directory that has no page.
lists()
{
	local n
	in_c curl -sS -f --cacert "$T/ca.crt" \
	    --resolve "docs.test:443:$V4" https://docs.test/ >"$T/list" &&
	for n in "$ROOT"/*; do
		[ ! -d "$n" ] || grep -q "href=\"./${n##*/}/\"" "$T/list" ||
		    return 1
	done
}
if [ ! -e "$ROOT/index.html" ]; then
	case_is "the list of the first directory" lists
fi

l4mux_down
finish
