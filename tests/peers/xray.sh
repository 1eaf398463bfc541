# Xray with REALITY for the tests that have it.  Sourced after lib.sh.
#
# The server and the client are one program, built from its released source.
# It takes minutes once; it is kept in $XRAY, by default with the build.
XRAY_MODULE=github.com/xtls/xray-core/main@v1.260327.0
XRAY=${XRAY:-$BUILD/peers}
XRAY_GO=1.26

xray_need()
{
	local v
	[ -x "$XRAY/main" ] && return
	command -v go >/dev/null ||
	    skip "no Go $XRAY_GO or later to build Xray with"
	v=$(GOTOOLCHAIN=local go env GOVERSION)
	printf '%s\n' "$XRAY_GO" "${v#go}" | sort -CV ||
	    skip "$v is too old to build Xray with: $XRAY_GO"
	mkdir -p "$XRAY"
	CGO_ENABLED=0 GOTOOLCHAIN=local GOBIN=$XRAY GOFLAGS=-p=2 \
	    go install $XRAY_MODULE >"$T/go.log" 2>&1 ||
	    die "cannot build Xray" "$T/go.log"
}

# xray_keys NAME: $T/NAME.priv and .pub as Xray writes them.
xray_keys()
{
	openssl genpkey -algorithm X25519 -out "$T/$1.x25519"
	openssl pkey -in "$T/$1.x25519" -outform DER | tail -c 32 |
	    base64url >"$T/$1.priv"
	openssl pkey -in "$T/$1.x25519" -pubout -outform DER | tail -c 32 |
	    base64url >"$T/$1.pub"
}
base64url() { base64 -w0 | tr '+/' '-_' | tr -d '='; }

# masqueraded PORT NAME...: the server that probers shall see; its
# certificates are $T/NAME.crt.  TLS 1.2 and 1.3, HTTP/1.1 and HTTP/2.
masqueraded()
{
	local port=$1 n
	shift
	mkdir -p "$T/masq" "$T/nginx"
	echo '<h1>a site like any other</h1>' >"$T/masq/index.html"
	head -c 300000 /dev/urandom >"$T/masq/file"
	{
		cat <<-X
		user root;
		daemon off;
		worker_processes 1;
		error_log $T/nginx-error.log info;
		pid $T/nginx/pid;
		events { worker_connections 256; }
		http {
		  access_log $T/nginx-access.log;
		  client_body_temp_path $T/nginx/a;
		  proxy_temp_path $T/nginx/b;
		  fastcgi_temp_path $T/nginx/c;
		  uwsgi_temp_path $T/nginx/d;
		  scgi_temp_path $T/nginx/e;
		  ssl_protocols TLSv1.2 TLSv1.3;
		  ssl_ecdh_curve X25519;
		  default_type text/html;
		X
		for n; do
			cat <<-X
			server {
			  listen 127.0.0.1:$port ssl http2;
			  server_name $n;
			  ssl_certificate $T/$n.crt;
			  ssl_certificate_key $T/$n.key;
			  root $T/masq;
			}
			X
		done
		echo '}'
	} >"$T/nginx.conf"
	start "$S" nginx.log "$(command -v nginx)" -c "$T/nginx.conf"
	await_port t "$port" "$last" nginx.log
}

# xray_inbound PORT NAME ACCEPTPROXY(true|false): JSON of one server.
xray_inbound()
{
	cat <<-X
	{ "listen": "127.0.0.1", "port": $1, "protocol": "vless",
	  "settings": { "clients": [
	    { "id": "$uuid", "flow": "xtls-rprx-vision" } ],
	    "decryption": "none" },
	  "streamSettings": { "network": "raw", "security": "reality",
	    "realitySettings": { "target": "127.0.0.1:30443", "xver": 0,
	      "serverNames": [ "$2" ], "privateKey": "$(cat "$T/right.priv")",
	      "shortIds": [ "$shortid" ] },
	    "sockopt": { "acceptProxyProtocol": $3 } } }
	X
}

# xray_outbound TAG ADDRESS NAME KEY: JSON of one way to it.
xray_outbound()
{
	cat <<-X
	{ "tag": "$1", "protocol": "vless",
	  "settings": { "vnext": [ { "address": "$2", "port": 443,
	    "users": [ { "id": "$uuid", "encryption": "none",
	      "flow": "xtls-rprx-vision" } ] } ] },
	  "streamSettings": { "network": "raw", "security": "reality",
	    "realitySettings": { "show": true, "fingerprint": "chrome",
	      "serverName": "$3", "password": "$(cat "$T/$4.pub")",
	      "shortId": "$shortid", "spiderX": "/$1" } } }
	X
}

# xray_socks PORT TAG: JSON of the local end of that way.
xray_socks()
{
	echo "{ \"listen\": \"127.0.0.1\", \"port\": $1, \"tag\": \"in-$2\","
	echo "  \"protocol\": \"socks\", \"settings\": { \"udp\": false } }"
}
xray_rule()
{
	echo "{ \"inboundTag\": [ \"in-$1\" ], \"outboundTag\": \"$1\" }"
}

# xray_server: two of them, for apple.masq.test and pear.masq.test, the first
# behind a PROXY header.
xray_server()
{
	uuid=$(cat /proc/sys/kernel/random/uuid)
	shortid=$(openssl rand -hex 8)
	xray_keys right
	xray_keys wrong
	cat >"$T/xserver.json" <<-X
	{ "log": { "loglevel": "info" },
	  "inbounds": [
	    $(xray_inbound 20443 apple.masq.test true),
	    $(xray_inbound 20444 pear.masq.test false) ],
	  "outbounds": [ { "protocol": "freedom",
	    "settings": { "finalRules": [ { "action": "allow" } ] } } ] }
	X
	start "$S" xserver.log env XRAY_LOCATION_ASSET=/nonexistent \
	    "$XRAY/main" run -c "$T/xserver.json"
	await_port t 20443 "$last" xserver.log
	await_port t 20444 "$last" xserver.log
}

# xray_client: SOCKS on 11080 to apple, 11081 to pear, 11082 to apple over
# IPv6, 11083 and 11084 with a key that is not the server's.  $xclient is its
# pid: it goes on visiting where its key was wrong.
xray_client()
{
	cat >"$T/xclient.json" <<-X
	{ "log": { "loglevel": "debug" },
	  "inbounds": [ $(xray_socks 11080 apple), $(xray_socks 11081 pear),
	    $(xray_socks 11082 apple6), $(xray_socks 11083 wrong-apple),
	    $(xray_socks 11084 wrong-pear) ],
	  "outbounds": [
	    $(xray_outbound apple $V4 apple.masq.test right),
	    $(xray_outbound pear $V4 pear.masq.test right),
	    $(xray_outbound apple6 $V6 apple.masq.test right),
	    $(xray_outbound wrong-apple $V4 apple.masq.test wrong),
	    $(xray_outbound wrong-pear $V4 pear.masq.test wrong) ],
	  "routing": { "rules": [ $(xray_rule apple), $(xray_rule pear),
	    $(xray_rule apple6), $(xray_rule wrong-apple),
	    $(xray_rule wrong-pear) ] } }
	X
	# It trusts the masqueraded server's CA, as it would a public one.
	start "$C" xclient.log env XRAY_LOCATION_ASSET=/nonexistent \
	    SSL_CERT_FILE="$T/ca.crt" "$XRAY/main" run -c "$T/xclient.json"
	xclient=$last
	local p
	for p in 11080 11081 11082 11083 11084; do
		within 60 client_listens $p || die "no SOCKS" "$T/xclient.log"
	done
}
client_listens() { in_c ss -Hlnt "sport = :$1" | grep -q .; }
