#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/control.h"
#include "request.h"

#define ANSWER_FIRST	16384

/* A connected socket; -1 with *why and errno set. */
static int
request_connect(const char *path, time_t wait, const char **why)
{
	const struct timeval	 tv = { .tv_sec = wait };
	struct sockaddr_un	 sun = { .sun_family = AF_UNIX };
	int			 fd;

	*why = path;
	if (strlen(path) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path) + 1);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == -1 ||
	    connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

static int
request_write(int fd, const char *line)
{
	char	buf[CONTROL_LINE_MAX];
	size_t	len = strlen(line), done;
	ssize_t	n;

	if (len + 1 > sizeof(buf)) {
		errno = EMSGSIZE;
		return -1;
	}
	memcpy(buf, line, len);
	buf[len++] = '\n';
	for (done = 0; done < len; done += (size_t)n)
		if ((n = send(fd, buf + done, len - done,
		    MSG_NOSIGNAL)) == -1)
			return -1;
	return 0;
}

static char *
request_read(int fd, size_t *len)
{
	char	*buf = NULL, *p;
	size_t	 cap = 0;
	ssize_t	 n;

	for (*len = 0;; *len += (size_t)n) {
		if (cap - *len < 2) {
			cap = cap == 0 ? ANSWER_FIRST : cap * 2;
			errno = EMSGSIZE;
			if (cap > ANSWER_MAX ||
			    (p = realloc(buf, cap)) == NULL)
				goto fail;
			buf = p;
		}
		if ((n = read(fd, buf + *len, cap - *len - 1)) == -1)
			goto fail;
		if (n == 0)
			break;
	}
	buf[*len] = '\0';
	return buf;
fail:
	free(buf);
	return NULL;
}

char *
request_send(const char *path, const char *line, time_t wait, size_t *len,
    const char **why)
{
	char	*answer = NULL;
	int	 fd, saved;

	if ((fd = request_connect(path, wait, why)) == -1)
		return NULL;
	*why = "sending the request";
	/* A daemon that refuses may have answered and closed already. */
	if (request_write(fd, line) == 0 || errno == EPIPE) {
		*why = "no answer";
		answer = request_read(fd, len);
	}
	saved = errno;
	if (answer != NULL && *len == 0) {
		free(answer);
		answer = NULL;
		saved = 0;
	}
	close(fd);
	errno = saved;
	return answer;
}
