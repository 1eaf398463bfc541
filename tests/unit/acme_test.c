#include <sys/mman.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>

#include "acme/acme.h"
#include "common/l4.h"
#include "tests/unit/suite.h"

static const struct {
	const char	*raw, *b64;
} b64[] = {
	{ "", "" }, { "f", "Zg" }, { "fo", "Zm8" }, { "foo", "Zm9v" },
	{ "foob", "Zm9vYg" }, { "\xfb\xff\xfe", "-__-" },
};

START_TEST(test_b64)
{
	size_t		n = strlen(b64[_i].raw);
	char		text[32];
	unsigned char	raw[16];

	jws_b64(text, b64[_i].raw, n);
	ck_assert_str_eq(text, b64[_i].b64);
	ck_assert_int_eq(jws_unb64(raw, sizeof(raw), text), (long)n);
	ck_assert_int_eq(memcmp(raw, b64[_i].raw, n), 0);
}
END_TEST

START_TEST(test_b64_bad)
{
	unsigned char	raw[4];

	ck_assert_int_eq(jws_unb64(raw, sizeof(raw), "a"), -1);
	ck_assert_int_eq(jws_unb64(raw, sizeof(raw), "ab+d"), -1);
	ck_assert_int_eq(jws_unb64(raw, sizeof(raw), "a b"), -1);
	ck_assert_int_eq(jws_unb64(raw, sizeof(raw), "AAAAAA"), 4);
	ck_assert_int_eq(jws_unb64(raw, sizeof(raw), "AAAAAAA"), -1);
	ck_assert_int_eq(jws_unb64(raw, sizeof(raw), "Zm8="), 2);
}
END_TEST

/* The key of RFC 7515 A.3. */
#define KEY_X	"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define KEY_Y	"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define KEY_D	"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"

static EVP_PKEY *
rfc_key(void)
{
	unsigned char	 point[65] = { 4 }, d[32];
	OSSL_PARAM_BLD	*b = OSSL_PARAM_BLD_new();
	OSSL_PARAM	*params;
	EVP_PKEY_CTX	*ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY	*key = NULL;
	BIGNUM		*n;

	ck_assert_int_eq(jws_unb64(point + 1, 32, KEY_X), 32);
	ck_assert_int_eq(jws_unb64(point + 33, 32, KEY_Y), 32);
	ck_assert_int_eq(jws_unb64(d, 32, KEY_D), 32);
	n = BN_bin2bn(d, 32, NULL);
	OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME,
	    "P-256", 0);
	OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point,
	    sizeof(point));
	OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, n);
	params = OSSL_PARAM_BLD_to_param(b);
	ck_assert_int_eq(EVP_PKEY_fromdata_init(ctx), 1);
	ck_assert_int_eq(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR,
	    params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	EVP_PKEY_CTX_free(ctx);
	BN_free(n);
	return key;
}

START_TEST(test_thumbprint)
{
	EVP_PKEY	*key = rfc_key();
	char		 jwk[JWS_JWK_MAX], print[JWS_PRINT_MAX];

	ck_assert(jws_jwk(key, jwk) && jws_thumbprint(key, print));
	ck_assert_str_eq(jwk, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\""
	    KEY_X "\",\"y\":\"" KEY_Y "\"}");
	ck_assert_str_eq(print, "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
	EVP_PKEY_free(key);
}
END_TEST

/* Two numbers side by side back to DER, for the library to verify. */
static size_t
der_of(const unsigned char sig[64], unsigned char **der)
{
	ECDSA_SIG	*s = ECDSA_SIG_new();
	int		 n;

	ECDSA_SIG_set0(s, BN_bin2bn(sig, 32, NULL),
	    BN_bin2bn(sig + 32, 32, NULL));
	n = i2d_ECDSA_SIG(s, der);
	ECDSA_SIG_free(s);
	return (size_t)n;
}

START_TEST(test_signature)
{
	EVP_PKEY	*key = rfc_key();
	char		*text = jws_sign(key, "{\"alg\":\"ES256\"}", "pay");
	json_t		*v = json_loads(text, 0, NULL);
	char		 input[128];
	unsigned char	 sig[64], *der = NULL;
	EVP_MD_CTX	*m = EVP_MD_CTX_new();
	size_t		 n;

	ck_assert_ptr_nonnull(v);
	ck_assert_str_eq(ca_string(v, "payload"), "cGF5");
	snprintf(input, sizeof(input), "%s.%s", ca_string(v, "protected"),
	    ca_string(v, "payload"));
	ck_assert_int_eq(jws_unb64(sig, sizeof(sig),
	    ca_string(v, "signature")), 64);
	n = der_of(sig, &der);
	ck_assert_int_eq(EVP_DigestVerifyInit(m, NULL, EVP_sha256(), NULL,
	    key), 1);
	ck_assert_int_eq(EVP_DigestVerify(m, der, n, (unsigned char *)input,
	    strlen(input)), 1);
	OPENSSL_free(der);
	EVP_MD_CTX_free(m);
	json_decref(v);
	free(text);
	EVP_PKEY_free(key);
}
END_TEST

/* The example of RFC 7515 A.1. */
START_TEST(test_hmac)
{
	unsigned char	 key[64];
	char		*text;

	ck_assert_int_eq(jws_unb64(key, sizeof(key), "AyM1SysPpbyDfgZld3umj1qz"
	    "KObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"),
	    64);
	text = jws_hmac(key, 64, "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}",
	    "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n "
	    "\"http://example.com/is_root\":true}");
	ck_assert_ptr_nonnull(strstr(text,
	    "\"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk\""));
	free(text);
}
END_TEST

static const struct {
	const char	*url, *host;
	int		 port;		/* -1: no URL of ours */
	size_t		 origin;
} urls[] = {
	{ "https://a.test/dir", "a.test", 443, 14 },
	{ "https://a.test:8443/", "a.test", 8443, 19 },
	{ "https://[::1]:1/x", "::1", 1, 15 },
	{ "https://[2001:db8::1]/x", "2001:db8::1", 443, 21 },
	{ "http://a.test/", "", -1, 0 },
	{ "https://a.test", "", -1, 0 },
	{ "https:///x", "", -1, 0 },
	{ "https://u@a.test/", "", -1, 0 },
	{ "https://a.test:0/", "", -1, 0 },
	{ "https://a.test:65536/", "", -1, 0 },
	{ "https://a.test:80x/", "", -1, 0 },
	{ "https://a.test:/", "", -1, 0 },
	{ "https://a.test?/", "", -1, 0 },
	{ "https://[::1/x", "", -1, 0 },
};

START_TEST(test_url)
{
	char		host[HTTP_HOST_MAX + 1];
	uint16_t	port;
	size_t		origin;
	bool		ok;

	ok = http_url_parse(urls[_i].url, host, &port, &origin);
	ck_assert_msg(ok == (urls[_i].port != -1), "%s", urls[_i].url);
	if (!ok)
		return;
	ck_assert_str_eq(host, urls[_i].host);
	ck_assert_int_eq(port, urls[_i].port);
	ck_assert_uint_eq(origin, urls[_i].origin);
}
END_TEST

static const struct {
	const char	*text;
	int64_t		 want;
} times[] = {
	{ "1970-01-01T00:00:01Z", 1 },
	{ "2021-01-03T00:00:00Z", 1609632000 },
	{ "2021-01-03T00:00:00.123456789Z", 1609632000 },
	{ "2021-01-03T01:30:00+01:30", 1609632000 },
	{ "2021-01-02T23:00:00-01:00", 1609632000 },
	{ "2021-01-03T00:00:00", -1 }, { "2021-01-03", -1 }, { "", -1 },
	{ "2021-13-03T00:00:00Z", -1 }, { "2021-01-03T00:00:00Zx", -1 },
	{ "2021-01-03T00:00:00+1:30", -1 },
	{ "2021-01-03T00:00:00+99:00", -1 },
};

START_TEST(test_time)
{
	ck_assert_int_eq(renewal_time(times[_i].text), times[_i].want);
}
END_TEST

/* Made by hand: the key identifier 69:88:5B:...:51:20 and the serial number
 * 00:87:65:43:21 of RFC 9773 4.1. */
static const char	cert[] =
"-----BEGIN CERTIFICATE-----\n"
"MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt\n"
"cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS\n"
"BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu\n"
"7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf\n"
"qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B\n"
"yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb\n"
"+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK\n"
"-----END CERTIFICATE-----\n";

START_TEST(test_renewal_id)
{
	char	id[128];
	int	fd = memfd_create("cert", MFD_CLOEXEC);

	ck_assert(!renewal_id(fd, id, sizeof(id)));
	ck_assert_int_eq(pwrite(fd, cert, sizeof(cert) - 1, 0),
	    (ssize_t)sizeof(cert) - 1);
	ck_assert(renewal_id(fd, id, sizeof(id)));
	ck_assert_str_eq(id, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
	ck_assert(!renewal_id(fd, id, 16));
	close(fd);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("acme");
	TCase	*tc = tcase_create("acme");

	tcase_add_loop_test(tc, test_b64, 0, nitems(b64));
	tcase_add_test(tc, test_b64_bad);
	tcase_add_test(tc, test_thumbprint);
	tcase_add_test(tc, test_signature);
	tcase_add_test(tc, test_hmac);
	tcase_add_loop_test(tc, test_url, 0, nitems(urls));
	tcase_add_loop_test(tc, test_time, 0, nitems(times));
	tcase_add_test(tc, test_renewal_id);
	suite_add_tcase(s, tc);
	return suite_run_pure(s);
}
