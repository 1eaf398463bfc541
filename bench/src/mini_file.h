/* The files of minitls: small ones in memory with their heads, large ones open
 * and read piece by piece. The fields are those that h2o sends. */
#ifndef MINI_FILE_H
#define MINI_FILE_H
#include "common.h"
#include <dirent.h>
#include <nghttp2/nghttp2.h>
#include <sys/stat.h>

#define SMALL (1 << 20)
#define DATE "Wed, 25 Nov 2026 05:46:00 GMT"

typedef struct {
	char name[64], hdr[256], len[24];
	unsigned char *p; /* NULL: it is large */
	size_t n;
	int fd, hn;
	const char *enc, *type;
	nghttp2_nv nv[9];
	size_t nnv;
} file;

static file files[64];
static int nf;

static void
add_nv(file *f, const char *name, const char *value)
{
	f->nv[f->nnv++] = (nghttp2_nv){ (uint8_t *)(uintptr_t)name,
		(uint8_t *)(uintptr_t)value, strlen(name), strlen(value),
		NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE };
}
static void
load_file(const char *path, const char *name, size_t n)
{
	file *f = &files[nf++];
	const char *x = strrchr(name, '.');

	f->fd = open(path, O_RDONLY | O_CLOEXEC);
	f->n = n;
	snprintf(f->name, sizeof f->name, "%.60s", name);
	snprintf(f->len, sizeof f->len, "%zu", n);
	f->enc = x && !strcmp(x, ".gz")  ? "gzip"
	    : x && !strcmp(x, ".zst") ? "zstd"
				      : NULL;
	f->type = strstr(name, ".html") ? "text/html"
					: "application/octet-stream";
	f->hn = snprintf(f->hdr, sizeof f->hdr,
	    "HTTP/1.1 200 OK\r\nServer: mini\r\nDate: " DATE "\r\n"
	    "Last-Modified: " DATE "\r\nETag: \"6b067626-400\"\r\n"
	    "Accept-Ranges: bytes\r\nContent-Type: %s\r\n"
	    "Content-Length: %zu\r\n%s%s%s\r\n",
	    f->type, n, f->enc ? "Content-Encoding: " : "",
	    f->enc ? f->enc : "", f->enc ? "\r\n" : "");
	add_nv(f, ":status", "200");
	add_nv(f, "server", "mini");
	add_nv(f, "content-type", f->type);
	add_nv(f, "content-length", f->len);
	add_nv(f, "date", DATE);
	add_nv(f, "last-modified", DATE);
	add_nv(f, "etag", "\"6b067626-400\"");
	add_nv(f, "accept-ranges", "bytes");
	if (f->enc)
		add_nv(f, "content-encoding", f->enc);
	if (n > SMALL)
		return;
	f->p = malloc(n + 1);
	if (!f->p || pread(f->fd, f->p, n, 0) != (ssize_t)n)
		die(path);
	close(f->fd);
}
static void
load(const char *root)
{
	DIR *d = opendir(root);
	struct dirent *e;
	struct stat st;
	char path[4096];

	if (!d)
		die(root);
	while ((e = readdir(d)) && nf < 64) {
		snprintf(path, sizeof path, "%s/%s", root, e->d_name);
		if (!stat(path, &st) && S_ISREG(st.st_mode))
			load_file(path, e->d_name, (size_t)st.st_size);
	}
	closedir(d);
}
static const file *
find(const char *name, const char *suffix)
{
	size_t n = strlen(name);

	for (int i = 0; i < nf; i++)
		if (!strncmp(files[i].name, name, n) &&
		    !strcmp(files[i].name + n, suffix))
			return &files[i];
	return NULL;
}
/* The best there is; accept may be NULL. */
static const file *
choose(const char *name, const char *accept)
{
	const file *f = NULL;

	if (accept && strcasestr(accept, "zstd"))
		f = find(name, ".zst");
	if (!f && accept && strcasestr(accept, "gzip"))
		f = find(name, ".gz");
	return f ? f : find(name, "");
}
static int
piece(const file *f, size_t off, void *dst, size_t n)
{
	if (f->p)
		memcpy(dst, f->p + off, n);
	return f->p || pread(f->fd, dst, n, (off_t)off) == (ssize_t)n ? 0 : -1;
}
#endif
