#ifndef L4_MEDIA_H
#define L4_MEDIA_H

#include <stdbool.h>

#include "site.h"

/* Is it of any use to encode this type (NULL: unknown), and do the site's own
 * fields let us? */
bool	media_encodes(const struct site *, const char *type);

#endif
