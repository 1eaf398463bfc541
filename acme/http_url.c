#include <stdlib.h>
#include <string.h>

#include "http.h"

#define SCHEME	"https://"

/* ":8443" of n bytes, or nothing; false for what is no port. */
static bool
parse_port(const char *p, size_t n, uint16_t *port)
{
	char	*end;
	long	 v;

	*port = 443;
	if (n == 0)
		return true;
	if (p[0] != ':' || n < 2 || n > 6 || p[1] < '1' || p[1] > '9')
		return false;
	v = strtol(p + 1, &end, 10);
	*port = (uint16_t)v;
	return end == p + n && v <= UINT16_MAX;
}

bool
http_url_parse(const char *url, char host[HTTP_HOST_MAX + 1], uint16_t *port,
    size_t *origin_len)
{
	const char	*p = url + sizeof(SCHEME) - 1, *end, *path;
	bool		 bracket;

	if (strncmp(url, SCHEME, sizeof(SCHEME) - 1) != 0)
		return false;
	path = p + strcspn(p, "/?#");
	if (*path != '/')
		return false;
	bracket = *p == '[';
	end = bracket ? memchr(p, ']', (size_t)(path - p)) :
	    p + strcspn(p, ":/");
	p += bracket;
	if (end == NULL || end == p || end - p > HTTP_HOST_MAX ||
	    memchr(p, '@', (size_t)(path - p)) != NULL)
		return false;
	memcpy(host, p, (size_t)(end - p));
	host[end - p] = '\0';
	end += bracket;
	*origin_len = (size_t)(path - url);
	return parse_port(end, (size_t)(path - end), port);
}
