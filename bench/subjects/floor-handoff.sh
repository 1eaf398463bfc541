# Reference, not a peer: floor-auto behind a second process that accepts, peeks and passes the fd.
# Its distance from floor-auto is the price of the l4mux design.
. "$here/subjects/floor-auto.sh"
version() { echo "floor.c auto + fd passing"; }
start() { FLOOR_HANDOFF=1 bg "$OUT/floor" "$LISTEN_PORT" "$SNI_A" "$BACKEND_PORT" "$SNI_B" "$BACKEND_PORT_B" "$BACKEND_PORT_DEF" auto "$WORKERS"; }
