# The same with defer_accept: the kernel keeps a connection until its first bytes are there.
. "$here/subjects/l4mux.sh"
L4MUX_LISTEN="defer_accept = true;"
