#ifndef L4_MIME_H
#define L4_MIME_H

/*
 * Types of files by the end of their names: a table of our own for what the
 * web is made of, and the system's for the rest.
 */
#define MIME_FILE	"/etc/mime.types"

struct mime;

/* Reads the file; without it, or NULL, the own table alone.  Fatal without
 * memory. */
struct mime *mime_load(const char *path);
void	mime_free(struct mime *);

/* The Content-Type for a file name, with charset for text; NULL where nothing
 * is known.  Belongs to the table. */
const char *mime_type(const struct mime *, const char *name);

#endif
