# Reference, not a peer: mini-handoff with the key in a third process, which is asked one signature
# at a time and waited for: what the l4mux design costs at least, as long as there is one connection
# at a time. Needs an ECDSA key.
. "$here/subjects/mini-handoff.sh"
version() { echo "minitls + fd passing + signing elsewhere"; }
start() {
  local r=(); [ "$MODE" = C ] && r=("$OTHER_SNI" "$BACKEND_PORT")
  MINI_KEYS=1 bg "$OUT/minitls" "$LISTEN_PORT" "$WORKERS" "$DOCROOT" "$CERT" "$KEY" handoff "${r[@]}"
}
