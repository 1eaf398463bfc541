#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "control.h"

/* Nobody else may be able to put a socket in our place. */
static void
check_directory(const char *path)
{
	struct stat	 st;
	char		*dir, *slash;

	if ((dir = strdup(path)) == NULL)
		fatal("strdup");
	if ((slash = strrchr(dir, '/')) == dir)
		slash++;
	*slash = '\0';
	if (mkdir(dir, 0755) == -1 && errno != EEXIST)
		fatal("control: %s", dir);
	if (stat(dir, &st) == -1)
		fatal("control: %s", dir);
	if ((st.st_mode & S_IWOTH) != 0 && (st.st_mode & S_ISVTX) == 0)
		fatalx("control: %s is writable by all", dir);
	free(dir);
}

/* Removes what a daemon that died left; never a living one's, nor a file. */
static void
remove_stale(const struct sockaddr_un *sun)
{
	struct stat	st;
	int		fd, rc;

	if (lstat(sun->sun_path, &st) == -1) {
		if (errno == ENOENT)
			return;
		fatal("control: %s", sun->sun_path);
	}
	if (!S_ISSOCK(st.st_mode))
		fatalx("control: %s is there and no socket", sun->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		fatal("socket");
	rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	if (rc == 0 || errno == EAGAIN)
		fatalx("control: another l4muxd answers on %s",
		    sun->sun_path);
	if (errno != ECONNREFUSED)
		fatal("control: %s", sun->sun_path);
	close(fd);
	if (unlink(sun->sun_path) == -1)
		fatal("control: %s", sun->sun_path);
}

static int
control_bind(const struct sockaddr_un *sun)
{
	mode_t	mask;
	int	fd, rc;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		fatal("socket");
	mask = umask(0177);
	rc = bind(fd, (const struct sockaddr *)sun, sizeof(*sun));
	umask(mask);
	if (rc == -1)
		fatal("control: %s", sun->sun_path);
	return fd;
}

int
control_socket(const char *path)
{
	struct sockaddr_un	sun = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(sun.sun_path))
		fatalx("control: %s is longer than a socket's name can be",
		    path);
	memcpy(sun.sun_path, path, strlen(path));
	check_directory(path);
	remove_stale(&sun);
	return control_bind(&sun);
}
