#!/bin/sh
#
# The include rules of docs/architecture.md: the only arrows between
# directories are role -> common.  Prints each line that breaks one.
#
set -eu
cd "$(dirname "$0")/.."

roles='master worker proxy tlsterm keys acme metrics ctl'
bad=$(mktemp)
trap 'rm -f "$bad"' EXIT

# Every include of a file, as file:line:path, with <> or "" kept around it.
includes()
{
	find "$1" -name '*.[ch]' -exec grep -nHE '^[ 	]*#[ 	]*include' {} + |
	    sed -E 's/^([^:]*:[0-9]+):[^<"]*([<"][^>"]*[>"]).*/\1:\2/'
}

for d in common $roles; do
	[ -d "$d" ] || continue

	# A file of one's own, or from common/.
	includes "$d" | grep '"' | while IFS=: read -r file line path; do
		p=${path#\"}
		p=${p%\"}
		case $p in
		common/*)
			[ "$d" != common ] && [ -e "$p" ] && continue ;;
		*/*)	;;
		*)	[ -e "$d/$p" ] && continue ;;
		esac
		echo "$file:$line: $d/ may not include $path"
	done >>"$bad"

	# Libraries that only some may know.
	includes "$d" | grep '<' | while IFS=: read -r file line path; do
		case $path in
		\<openssl/*)
			case $d in tlsterm|keys|acme) continue ;; esac ;;
		\<libconfig.h\>)
			case $file in common/conf*) continue ;; esac ;;
		\<seccomp.h\>)
			case $file in common/*|*/sandbox.[ch]) continue ;; esac ;;
		\<jansson.h\>)
			case $d in ctl|acme|metrics) continue ;; esac
			case $file in common/doc*) continue ;; esac ;;
		\<nghttp2/*)
			case $d in tlsterm) continue ;; esac ;;
		\<curl/*)
			case $d in acme) continue ;; esac ;;
		*)	continue ;;
		esac
		echo "$file:$line: $d/ may not include $path"
	done >>"$bad"
done

if [ -s "$bad" ]; then
	cat "$bad"
	exit 1
fi
