#include <string.h>

#include "addr.h"
#include "hello.h"

#define LABEL_MAX	63	/* RFC 1035 2.3.4 */

/* Not isalnum(): the locale has no say in this. */
static bool
is_label_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static char
lower(uint8_t c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool
hostname_normalize(char *dst, const void *src, size_t len)
{
	const uint8_t	*p = src;
	size_t		 i, label = 0;

	if (len == 0 || len > HELLO_NAME_MAX)
		return false;
	if (p[len - 1] == '.')
		len--;
	for (i = 0; i < len; i++) {
		if (p[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if (!is_label_char(p[i]) || ++label > LABEL_MAX)
			return false;
		dst[i] = lower(p[i]);
	}
	dst[len] = '\0';
	return label > 0;
}

bool
hostname_is_ip(const char *name)
{
	char		 buf[ADDR_STRLEN];
	struct addr	 a;
	size_t		 len = strlen(name);

	if (name[0] == '[' && name[len - 1] == ']') {
		name++;
		len -= 2;
	}
	if (len >= sizeof(buf))
		return false;
	memcpy(buf, name, len);
	buf[len] = '\0';
	return addr_parse_ip(&a, buf);
}
