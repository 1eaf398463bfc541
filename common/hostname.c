#include <string.h>

#include "addr.h"
#include "hello.h"

#define LABEL_MAX	63	/* RFC 1035 2.3.4 */

/* What a label may have, capitals made small; 0: that it may not.  No function
 * of ctype.h: the locale has no say in this. */
#define SMALL(c)	[c] = c, [c - ('a' - 'A')] = c

static const char label_char[256] = {
	SMALL('a'), SMALL('b'), SMALL('c'), SMALL('d'), SMALL('e'),
	SMALL('f'), SMALL('g'), SMALL('h'), SMALL('i'), SMALL('j'),
	SMALL('k'), SMALL('l'), SMALL('m'), SMALL('n'), SMALL('o'),
	SMALL('p'), SMALL('q'), SMALL('r'), SMALL('s'), SMALL('t'),
	SMALL('u'), SMALL('v'), SMALL('w'), SMALL('x'), SMALL('y'),
	SMALL('z'),
	['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4',
	['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9',
	['-'] = '-', ['_'] = '_',
};

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
		dst[i] = label_char[p[i]];
		if (dst[i] != '\0' && ++label <= LABEL_MAX)
			continue;
		if (p[i] != '.' || label == 0)
			return false;
		dst[i] = '.';
		label = 0;
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
