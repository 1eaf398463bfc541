# The same with a site on the same port, which nobody asks: what that costs the others.
. "$here/subjects/l4mux.sh"
PARTS="A"; CAPS=""
L4MUX_EXTRA="sites = { site = { names = [ \"site.example\" ]; root = \"${DOCROOT:-}\"; certificate = \"self-signed\"; }; };"
