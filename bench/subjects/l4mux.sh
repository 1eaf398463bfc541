# Our daemon: L4MUX_BIN is the binary, run as "$L4MUX_BIN -d -f CONF" (foreground), CONF in libconfig
# syntax. L4MUX_EXTRA: more lines for the end of CONF; L4MUX_LISTEN: settings of the listener.
PARTS="A B C"; CAPS="h1 h2 big gz tick"; KIND=ours
available() { [ -x "${L4MUX_BIN:-}" ] || { echo "L4MUX_BIN not set"; return 1; }; }
version() { local v; v=$(timeout 2 "$L4MUX_BIN" --version 2>/dev/null </dev/null | head -1); echo "${v:-l4mux}"; }
start() {
  local ups routes fallback=site; up() { echo "  $1 = { address = \"127.0.0.1:$2\"; };"; }; route() { echo "{ sni = [ \"$1\" ]; to = \"$2\"; }"; }
  case $MODE in
    A) ups=$(up b0 "$BACKEND_PORT"; up b1 "$BACKEND_PORT_B"; up b2 "$BACKEND_PORT_DEF")
       routes="$(route "$SNI_A" b0), $(route "$SNI_B" b1)"; fallback=b2 ;;
    B) ups=$(up b0 "$BACKEND_PORT"); routes="" ;;
    C) ups=$(up b0 "$BACKEND_PORT"); routes=$(route "$OTHER_SNI" b0) ;;
  esac
  { cat <<C
listen = ( { address = "127.0.0.1:$LISTEN_PORT"; ${L4MUX_LISTEN:-} } );
control = "$RUNDIR/ctl.sock";
state = "$RUNDIR/state";
processes = { worker = $WORKERS; tlsterm = $WORKERS; proxy = $WORKERS; keys = 1; };
users = { worker = "64001"; proxy = "64002"; tlsterm = "64003"; keys = "64004"; acme = "64005"; };
log = { target = "stderr"; level = "warning"; connections = false; };
C
    [ "$MODE" = A ] || cat <<C
sites = { site = {
  names = [ "$SITE_SNI" ];
  root = "$DOCROOT";
  encode = [ "zstd", "gzip" ];
  certificate = { chain = "$CERT"; key = "$KEY"; };
}; };
C
    cat <<C
upstreams = {
$ups
};
routes = ( $routes );
fallback = "$fallback";
${L4MUX_EXTRA:-}
C
  } >"$RUNDIR/l4mux.conf"
  bg "$L4MUX_BIN" -d -f "$RUNDIR/l4mux.conf"
}
