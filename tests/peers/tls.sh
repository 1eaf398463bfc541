#!/bin/bash
#
# What testssl.sh finds on a site with an ECDSA and an RSA certificate: nothing
# that costs a server its A, and no more than is listed here with its reason.
#
. "$(dirname "$0")/lib.sh"
. "$HERE/web.sh"
need testssl hexdump

# A leaf as authorities make them: 90 days, a place for revocations.
leaf()
{
	local out=$1
	shift
	{
		echo subjectAltName=DNS:blog.test
		echo basicConstraints=CA:FALSE
		echo extendedKeyUsage=serverAuth
		echo keyUsage=digitalSignature
		echo crlDistributionPoints=URI:http://crl.test/ca.crl
	} >"$T/$out.ext"
	openssl req -newkey "$@" -nodes -subj /CN=blog.test \
	    -keyout "$T/$out.key" -out "$T/$out.csr" 2>/dev/null &&
	openssl x509 -req -in "$T/$out.csr" -CA "$T/ca.crt" -days 90 \
	    -CAkey "$T/ca.key" -CAcreateserial -extfile "$T/$out.ext" \
	    -out "$T/$out.crt" 2>/dev/null || die "certificate $out"
}

mkca
blog_site
leaf ec ec -pkeyopt ec_paramgen_curve:P-256
leaf rsa rsa:2048

# Without encodings: BREACH is about secrets in pages that are compressed, of
# which a folder of files has none, but testssl cannot know that.
l4mux_up <<X
sites = {
  blog = { names = [ "blog.test" ]; root = "$T/www"; encode = [ ];
    headers = [ "Strict-Transport-Security: max-age=63072000",
        "Content-Security-Policy: default-src 'self'",
        "X-Content-Type-Options: nosniff", "X-Frame-Options: DENY",
        "Referrer-Policy: no-referrer" ];
    certificate = ( { chain = "$T/ec.crt"; key = "$T/ec.key"; },
                    { chain = "$T/rsa.crt"; key = "$T/rsa.key"; } ); };
};
fallback = "blog";
X

# No name is looked up, and nothing asked of anybody else.  The mass of ciphers
# is tried in plain sockets; what it asks of openssl is the system's.
in_c timeout 600 testssl --quiet --warnings off --color 0 --nodns none \
    --ip $V4 --add-ca "$T/ca.crt" --openssl "$(command -v openssl)" \
    --connect-timeout 10 --openssl-timeout 10 --jsonfile "$T/found.json" \
    blog.test:443 >"$T/testssl.log" 2>&1
[ -s "$T/found.json" ] || die "testssl wrote nothing" "$T/testssl.log"

cat >"$T/judge.py" <<'X'
"""Prints what is worse than INFO and not known; exits 1 where there is any, or
where less was looked at than there should be."""
import json
import sys

KNOWN = {
    # of testssl itself: this openssl has no GOST, which nobody should have
    "engine_problem": "WARN",
    # its s_client leaves before the tickets of TLS 1.3 come, which are sent
    # behind the handshake; test_TL9_* resume
    "sessionresumption_ticket": "WARN",
}
with open(sys.argv[1]) as f:
    found = json.load(f)
ids = {x["id"].split()[0] for x in found}
bad = 0
for x in found:
    if x["severity"] in ("OK", "INFO", "DEBUG"):
        continue
    if KNOWN.get(x["id"].split()[0]) != x["severity"]:
        print(x["severity"], x["id"], x["finding"])
        bad += 1
for name in ("TLS1_2", "TLS1_3", "heartbleed", "ROBOT", "secure_renego",
             "secure_client_renego", "CRIME_TLS", "BREACH", "POODLE_SSL",
             "fallback_SCSV", "SWEET32", "FREAK", "DROWN", "LOGJAM", "BEAST",
             "LUCKY13", "RC4", "cert_trust", "cert_chain_of_trust", "HSTS_time"):
    if name not in ids:
        print("not looked at:", name)
        bad += 1
if not [x for x in found if x["id"] == "cert_numbers" and
        x["finding"].split()[0] == "2"]:
    print("not both certificates were seen")
    bad += 1
grade = [x["finding"] for x in found if x["id"] == "overall_grade"]
if grade and grade[0] not in ("A", "A+"):
    print("grade", grade[0])
    bad += 1
print(len(found), "findings, grade", *(grade or ["not given"]))
sys.exit(bad > 0)
X
case_is "testssl: nothing below A" python3 "$T/judge.py" "$T/found.json"

l4mux_down
finish
