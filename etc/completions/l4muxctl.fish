# fish completion for l4muxctl(8)

function __l4muxctl_targets
    l4muxctl -j status 2>/dev/null | tr '{' '\n' | sed -n 's/^"name":"\([^"\\\\]*\)","kind":.*/\1/p'
    echo undecided
end

function __l4muxctl_ids
    l4muxctl -j sessions 2>/dev/null | tr '{' '\n' | sed -n 's/^"id":"\([0-9]*\)",.*/\1/p'
end

complete -c l4muxctl -f
complete -c l4muxctl -n __fish_use_subcommand -s j -d 'Print the JSON document'
complete -c l4muxctl -n __fish_use_subcommand -s s -r -F -d 'Control socket'
complete -c l4muxctl -n __fish_use_subcommand -a status -d 'The daemon on one page'
complete -c l4muxctl -n __fish_use_subcommand -a sessions -d 'Connections there are now'
complete -c l4muxctl -n __fish_use_subcommand -a routes -d 'Rules and the connections they took'
complete -c l4muxctl -n __fish_use_subcommand -a upstreams -d 'Addresses and their health'
complete -c l4muxctl -n __fish_use_subcommand -a certificates -d 'Names, keys and dates'
complete -c l4muxctl -n __fish_use_subcommand -a renew -d 'Have a certificate anew'
complete -c l4muxctl -n __fish_use_subcommand -a revoke -d 'Revoke a certificate'
complete -c l4muxctl -n __fish_use_subcommand -a metrics -d 'Counters as OpenMetrics'
complete -c l4muxctl -n __fish_use_subcommand -a explain -d 'Which rule would take a connection'
complete -c l4muxctl -n __fish_use_subcommand -a top -d 'Live view'
complete -c l4muxctl -n __fish_use_subcommand -a kill -d 'Reset a connection'
complete -c l4muxctl -n __fish_use_subcommand -a log -d 'How much is logged'
complete -c l4muxctl -n __fish_use_subcommand -a reload -d 'Read the configuration again'
complete -c l4muxctl -n __fish_use_subcommand -a upgrade -d 'Replace the programs'
complete -c l4muxctl -n __fish_use_subcommand -a drain -d 'End when the last connection has'
complete -c l4muxctl -n __fish_use_subcommand -a stop -d 'End'
complete -c l4muxctl -n '__fish_seen_subcommand_from sessions' -a '(__l4muxctl_targets)'
complete -c l4muxctl -n '__fish_seen_subcommand_from kill' -a '(__l4muxctl_ids)'
complete -c l4muxctl -n '__fish_seen_subcommand_from log' -a 'debug info warning error'
complete -c l4muxctl -n '__fish_seen_subcommand_from renew' -s w -x -d 'Seconds to wait at most'
complete -c l4muxctl -n '__fish_seen_subcommand_from explain' -s a -x -a 'h2 http/1.1' -d 'Offered protocol'
complete -c l4muxctl -n '__fish_seen_subcommand_from explain' -s f -x -d 'Client address'
complete -c l4muxctl -n '__fish_seen_subcommand_from explain' -s l -x -d 'Listener'
complete -c l4muxctl -n '__fish_seen_subcommand_from explain' -s p -x -a 'tls http ssh' -d 'Protocol'
complete -c l4muxctl -n '__fish_seen_subcommand_from explain' -s x -r -F -d 'Recorded bytes'
