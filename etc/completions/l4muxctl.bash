# bash completion for l4muxctl(8)

_l4muxctl_names()
{
	# $1: socket options; $2: targets or ids
	case $2 in
	targets)
		l4muxctl $1 -j status 2>/dev/null | tr '{' '\n' |
		    sed -n 's/^"name":"\([^"\\]*\)","kind":.*/\1/p'
		echo undecided ;;
	ids)
		l4muxctl $1 -j sessions 2>/dev/null | tr '{' '\n' |
		    sed -n 's/^"id":"\([0-9]*\)",.*/\1/p' ;;
	esac
}

_l4muxctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local commands="status sessions routes upstreams certificates renew revoke metrics
	    explain top kill log reload upgrade drain stop"
	local command= socket= words= i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-s)	i=$((i + 1)); socket="-s ${COMP_WORDS[i]}" ;;
		-*)	;;
		*)	command=${COMP_WORDS[i]}; break ;;
		esac
	done
	COMPREPLY=()
	case $command:$prev in
	:-s)	compopt -o filenames 2>/dev/null
		COMPREPLY=($(compgen -f -- "$cur")); return ;;
	:*)	words="$commands -j -s" ;;
	explain:-x)
		compopt -o filenames 2>/dev/null
		COMPREPLY=($(compgen -f -- "$cur")); return ;;
	explain:-p)
		words="tls http ssh" ;;
	explain:-a)
		words="h2 http/1.1" ;;
	explain:-[fl])
		;;
	explain:*)
		words="-a -f -l -p -x" ;;
	renew:renew)
		words=-w ;;
	sessions:sessions)
		words=$(_l4muxctl_names "$socket" targets) ;;
	kill:kill)
		words=$(_l4muxctl_names "$socket" ids) ;;
	log:log)
		words="debug info warning error" ;;
	esac
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
}

complete -F _l4muxctl l4muxctl
