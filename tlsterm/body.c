#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "body.h"

void
body_init(struct body *b)
{
	memset(b, 0, sizeof(*b));
	b->fd = -1;
}

void
body_close(struct body *b)
{
	if (b->fd != -1)
		close(b->fd);
	blob_drop(b->blob);
	parts_free(b->parts);
	body_init(b);
}

void
body_of_blob(struct body *b, struct blob *blob)
{
	b->blob = blob_hold(blob);
	b->text = blob->p;
	b->left = blob->len;
}

void
body_move(struct body *dst, struct body *src)
{
	*dst = *src;
	body_init(src);
}

static bool
read_file(int fd, char *dst, size_t n, uint64_t offset)
{
	size_t	done = 0;
	ssize_t	got;

	while (done < n) {
		got = pread(fd, dst + done, n - done,
		    (off_t)(offset + done));
		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

static bool
read_source(const struct body *b, char *dst, size_t n, uint64_t offset)
{
	if (b->fd != -1)
		return read_file(b->fd, dst, n, offset);
	memcpy(dst, b->text + offset, n);
	return true;
}

static ssize_t
read_parts(struct body *b, char *dst, size_t n)
{
	const char	*text;
	uint64_t	 offset;
	size_t		 done = 0, got;

	while (done < n) {
		got = parts_next(b->parts, n - done, &text, &offset);
		if (text != NULL)
			memcpy(dst + done, text, got);
		else if (got == 0 || !read_source(b, dst + done, got, offset))
			return -1;
		done += got;
	}
	b->left -= n;
	return (ssize_t)n;
}

ssize_t
body_read(struct body *b, char *dst, size_t n)
{
	if (n > b->left)
		n = (size_t)b->left;
	if (n == 0)
		return 0;
	if (b->parts != NULL)
		return read_parts(b, dst, n);
	if (!read_source(b, dst, n, b->offset))
		return -1;
	b->offset += n;
	b->left -= n;
	return (ssize_t)n;
}

ssize_t
body_next(struct body *b, char *dst, size_t n, const char **p)
{
	if (b->fd != -1 || b->parts != NULL) {
		*p = dst;
		return body_read(b, dst, n);
	}
	if (n > b->left)
		n = (size_t)b->left;
	*p = b->text + b->offset;
	b->offset += n;
	b->left -= n;
	return (ssize_t)n;
}
