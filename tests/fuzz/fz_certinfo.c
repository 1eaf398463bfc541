#include <string.h>

#include "common/certinfo.h"
#include "common/l4.h"
#include "fuzz.h"

/*
 * Any bytes as what a one-shot run of keys found (IPC_DONE): what master takes
 * is plain text within its limits, can be shown, and reads the same when it is
 * written again.
 */
static void
must_be_plain(const char *s, size_t size)
{
	size_t	n = strnlen(s, size);

	must(n < size, "a text ends");
	for (; *s != '\0'; s++)
		must(*s >= ' ' && *s < 0x7f, "a text is ASCII");
}

static void
check_numbers(const struct cert_info *c)
{
	char	name[CERT_KEY_NAMELEN];
	int64_t	now = 1700000000, next;

	must(c->key < CERT_KEY__MAX, "the kind of key is one");
	must(strlen(cert_key_name(c, name)) < sizeof(name), "it has a name");
	next = cert_next_change(c, now, 86400);
	must(next >= 1 && next <= 86400, "the next look is within a day");
	must((cert_days_left(c, now) < 0) == (cert_age(c, now) ==
	    CERT_EXPIRED), "days and age agree");
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct cert_info	c, again;
	char			wrong[CERT_WHY_MAX], why[CERT_WHY_MAX];
	uint8_t			buf[CERT_INFO_WIRE_MAX];
	struct rd		r;
	struct wr		w;

	rd_init(&r, p, len);
	if (!cert_info_read(&r, wrong, &c))
		return 0;
	must(len >= CERT_INFO_WIRE_MIN && len <= CERT_INFO_WIRE_MAX,
	    "a message has a size that the table allows");
	must_be_plain(wrong, sizeof(wrong));
	must_be_plain(c.issuer, sizeof(c.issuer));
	must_be_plain(c.names, sizeof(c.names));
	must_be_plain(c.note, sizeof(c.note));
	check_numbers(&c);
	wr_init(&w, buf, sizeof(buf));
	cert_info_write(&w, wrong, &c);
	must(!w.bad && w.len == len, "it has its length");
	rd_init(&r, buf, w.len);
	must(cert_info_read(&r, why, &again), "it reads again");
	must(strcmp(why, wrong) == 0 && memcmp(&c, &again, sizeof(c)) == 0,
	    "it is as it was");
	return 0;
}
