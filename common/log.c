#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "l4.h"
#include "log.h"
#include "log_rate.h"
#include "proto.h"

#define LINE_MAX_BYTES	4096	/* PIPE_BUF: a line arrives whole */
#define LINE_TAIL	256	/* kept for the fields after a long one */
#define SYSLOG_SOCKET	"/dev/log"

/*
 * The one piece of state that is not passed down: whoever fails must be able
 * to say so.
 */
static struct {
	const char	*role;
	int		 instance;	/* -1: not shown */
	enum log_target	 target;
	enum log_format	 format;
	enum log_level	 level;
	bool		 is_socket;
	bool		 torn;		/* the last line is not whole */
	volatile uint64_t *dropped, *limited;
	struct log_rate	 rate;
	void		(*flooded)(void *arg, uint64_t due);
	void		*flooded_arg;
	bool		 flood;		/* lines are left out in this second */
} logger = {
	.role = "l4mux", .instance = -1, .target = LOG_TO_STDERR,
	.format = LOG_FMT_TEXT, .level = LOG_LVL_INFO,
};

static const struct {
	const char	*word;
	int		 priority;	/* of syslog(3) */
} levels[] = {
	[LOG_LVL_ERROR] =	{ "error", LOG_ERR },
	[LOG_LVL_WARNING] =	{ "warning", LOG_WARNING },
	[LOG_LVL_INFO] =	{ "info", LOG_INFO },
	[LOG_LVL_DEBUG] =	{ "debug", LOG_DEBUG },
};

/* A line under construction; what does not fit is cut. */
struct line {
	char	buf[LINE_MAX_BYTES];
	size_t	len;
};

static void line_vprintf(struct line *, const char *, va_list)
    __attribute__((format(printf, 2, 0)));
static void line_printf(struct line *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static void
line_vprintf(struct line *l, const char *fmt, va_list ap)
{
	size_t	room = sizeof(l->buf) - l->len;
	int	n;

	n = vsnprintf(l->buf + l->len, room, fmt, ap);
	if (n > 0)
		l->len += (size_t)n < room ? (size_t)n : room - 1;
}

static void
line_printf(struct line *l, const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	line_vprintf(l, fmt, ap);
	va_end(ap);
}

static void
line_json(struct line *l, const char *s)
{
	const unsigned char	*p = (const unsigned char *)s;

	line_printf(l, "\"");
	/* What is cut must leave a document that can be read. */
	for (; *p != '\0' && l->len < sizeof(l->buf) - LINE_TAIL; p++) {
		if (*p == '"' || *p == '\\')
			line_printf(l, "\\%c", *p);
		else if (*p < 0x20 || *p >= 0x7f)
			line_printf(l, "\\u%04x", *p);
		else
			line_printf(l, "%c", *p);
	}
	line_printf(l, "\"");
}

void
log_init(const char *role, int instance)
{
	logger.role = role;
	logger.instance = instance;
}

void
log_setup(enum log_target target, enum log_format format,
    enum log_level level)
{
	int		type;
	socklen_t	len = sizeof(type);

	logger.target = target;
	logger.format = format;
	logger.level = level;
	logger.is_socket = getsockopt(FD_LOG, SOL_SOCKET, SO_TYPE, &type,
	    &len) == 0;
}

void
log_set_level(enum log_level level)
{
	logger.level = level;
}

enum log_level
log_get_level(void)
{
	return logger.level;
}

bool
log_level_parse(const char *word, enum log_level *level)
{
	size_t	i;

	for (i = 0; i < nitems(levels); i++)
		if (strcmp(levels[i].word, word) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	return false;
}

void
log_count(volatile uint64_t *dropped, volatile uint64_t *limited)
{
	logger.dropped = dropped;
	logger.limited = limited;
}

static bool
syslog_connect(int fd)
{
	struct sockaddr_un	sun = { .sun_family = AF_UNIX,
		.sun_path = SYSLOG_SOCKET };

	return connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0;
}

bool
log_reconnect(void)
{
	return syslog_connect(FD_LOG);
}

/* Nobody may be there yet: log_reconnect() looks again. */
static int
log_open_syslog(void)
{
	int	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd != -1)
		(void)syslog_connect(fd);
	return fd;
}

/*
 * Ours to write to, but not to open: it was made by another user.  Then it is
 * set for all who share it, for nothing here may wait for who reads the log.
 * A FIFO that nobody reads opens for reading as well, and keeps what it can
 * hold for its reader.
 */
static int
log_share(void)
{
	struct stat	st;
	int		fd, flags;

	if (errno == ENXIO && (fd = open("/proc/self/fd/2",
	    O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)) != -1)
		return fd;
	fd = fcntl(FD_LOG, F_DUPFD_CLOEXEC, 3);
	if (fd != -1 && fstat(fd, &st) == 0 &&
	    (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) &&
	    (flags = fcntl(fd, F_GETFL)) != -1)
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	return fd;
}

int
log_open(enum log_target target)
{
	int	fd, type;
	socklen_t len = sizeof(type);

	if (target == LOG_TO_SYSLOG)
		return log_open_syslog();
	/* A socket gets MSG_DONTWAIT with each line instead. */
	if (getsockopt(FD_LOG, SOL_SOCKET, SO_TYPE, &type, &len) == 0)
		return fcntl(FD_LOG, F_DUPFD_CLOEXEC, 3);
	/* An own open file, so that O_NONBLOCK is not set for the shell that
	 * shares ours. */
	fd = open("/proc/self/fd/2",
	    O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd == -1 ? log_share() : fd;
}

static void
line_head(struct line *l, enum log_level level)
{
	struct timespec	ts;

	l->len = 0;
	if (logger.target == LOG_TO_SYSLOG)
		line_printf(l, "<%d>l4mux[%d]: ",
		    LOG_DAEMON | levels[level].priority, (int)getpid());
	if (logger.format == LOG_FMT_JSON) {
		clock_gettime(CLOCK_REALTIME, &ts);
		line_printf(l, "{\"time\":%lld.%03ld,\"level\":\"%s\","
		    "\"role\":\"%s\",\"pid\":%d", (long long)ts.tv_sec,
		    ts.tv_nsec / 1000000, levels[level].word, logger.role,
		    (int)getpid());
	}
}

/* Half a line, as a full disk leaves it, is ended before the next. */
static ssize_t
line_write_file(const struct line *l)
{
	if (logger.torn && write(FD_LOG, "\n", 1) != 1)
		return -1;
	logger.torn = false;
	return write(FD_LOG, l->buf, l->len);
}

/* Ends the line and writes it, or counts it as dropped. */
static void
line_write(struct line *l)
{
	ssize_t	n;
	int	saved = errno;

	if (l->len > sizeof(l->buf) - 2)
		l->len = sizeof(l->buf) - 2;
	if (logger.target != LOG_TO_SYSLOG)
		l->buf[l->len++] = '\n';
	if (logger.is_socket)
		n = send(FD_LOG, l->buf, l->len, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		n = line_write_file(l);
	if (n > 0 && n < (ssize_t)l->len)
		logger.torn = true;
	if (n != (ssize_t)l->len && logger.dropped != NULL)
		++*logger.dropped;
	errno = saved;
}

static void log_message(enum log_level, int, const char *, va_list)
    __attribute__((format(printf, 3, 0)));

static void
log_message(enum log_level level, int err, const char *fmt, va_list ap)
{
	struct line	 msg = { .len = 0 }, l;
	size_t		 i;

	if (level > logger.level)
		return;
	line_vprintf(&msg, fmt, ap);
	if (err != 0)
		line_printf(&msg, ": %s", strerror(err));
	msg.buf[msg.len] = '\0';
	for (i = 0; i < msg.len; i++)
		if ((unsigned char)msg.buf[i] < ' ' || msg.buf[i] == 0x7f)
			msg.buf[i] = '?';
	line_head(&l, level);
	if (logger.format == LOG_FMT_JSON) {
		line_printf(&l, ",\"instance\":%d,\"msg\":", logger.instance);
		line_json(&l, msg.buf);
		line_printf(&l, "}");
	} else if (logger.instance >= 0)
		line_printf(&l, "%s[%d]: %s: %s", logger.role,
		    logger.instance, levels[level].word, msg.buf);
	else
		line_printf(&l, "%s: %s: %s", logger.role,
		    levels[level].word, msg.buf);
	line_write(&l);
}

#define LOG_FUNCTION(name, level, err)					\
void									\
name(const char *fmt, ...)						\
{									\
	va_list	ap;							\
									\
	va_start(ap, fmt);						\
	log_message(level, err, fmt, ap);				\
	va_end(ap);							\
}

LOG_FUNCTION(log_debug, LOG_LVL_DEBUG, 0)
LOG_FUNCTION(log_info, LOG_LVL_INFO, 0)
LOG_FUNCTION(log_warn, LOG_LVL_WARNING, errno)
LOG_FUNCTION(log_warnx, LOG_LVL_WARNING, 0)
LOG_FUNCTION(log_errorx, LOG_LVL_ERROR, 0)

void
fatal(const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	log_message(LOG_LVL_ERROR, errno, fmt, ap);
	va_end(ap);
	_exit(1);
}

void
fatalx(const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	log_message(LOG_LVL_ERROR, 0, fmt, ap);
	va_end(ap);
	_exit(1);
}

/* As log_escape(), and without what would end a key=value pair. */
static void
line_value(struct line *l, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s <= ' ' || *s >= 0x7f || *s == '"')
			line_printf(l, "\\x%02x", (unsigned char)*s);
		else
			line_printf(l, "%c", *s);
	}
}

static void
line_field(struct line *l, const struct log_field *f)
{
	int	json = logger.format == LOG_FMT_JSON;

	line_printf(l, json ? ",\"%s\":" : " %s=", f->key);
	if (f->str == NULL)
		line_printf(l, "%llu", (unsigned long long)f->num);
	else if (json)
		line_json(l, f->str);
	else
		line_value(l, f->str);
}

void
log_event(const char *event, const struct log_field *fields, unsigned int n)
{
	struct line	l;
	unsigned int	i;

	line_head(&l, LOG_LVL_INFO);
	if (logger.format == LOG_FMT_JSON)
		line_printf(&l, ",\"event\":\"%s\"", event);
	else
		line_printf(&l, "%s", event);
	for (i = 0; i < n; i++)
		line_field(&l, &fields[i]);
	if (logger.format == LOG_FMT_JSON)
		line_printf(&l, "}");
	line_write(&l);
}

void
log_set_rate(uint32_t rate, void (*flooded)(void *arg, uint64_t due),
    void *arg)
{
	logger.rate.max = rate;
	logger.flooded = flooded;
	logger.flooded_arg = arg;
}

void
log_flood_over(void)
{
	const struct log_group	*g;

	logger.flood = false;
	for (g = logger.rate.group; g < logger.rate.group + logger.rate.n; g++)
		if (g->left > 0)
			log_event("more", (const struct log_field[]){
			    { "reason", g->name, 0 },
			    { "lines", NULL, g->left },
			}, 2);
	log_rate_begin(&logger.rate, logger.rate.second);
}

void
log_event_limited(const char *group, uint64_t now, const char *event,
    const struct log_field *fields, unsigned int n)
{
	uint64_t	second = now / NSEC_PER_SEC;

	if (second != logger.rate.second) {
		log_flood_over();
		log_rate_begin(&logger.rate, second);
	}
	if (log_rate_take(&logger.rate, group)) {
		log_event(event, fields, n);
		return;
	}
	if (logger.limited != NULL)
		++*logger.limited;
	if (!logger.flood && logger.flooded != NULL)
		logger.flooded(logger.flooded_arg,
		    (second + 1) * NSEC_PER_SEC);
	logger.flood = true;
}

size_t
log_escape(char *dst, size_t dstsize, const void *src, size_t len)
{
	static const char	 hex[] = "0123456789abcdef";
	const unsigned char	*p = src;
	size_t			 i, n = 0;

	if (dstsize == 0)
		return 0;
	for (i = 0; i < len; i++) {
		if (p[i] >= ' ' && p[i] < 0x7f && p[i] != '\\') {
			if (n + 1 >= dstsize)
				break;
			dst[n++] = (char)p[i];
			continue;
		}
		if (n + 4 >= dstsize)
			break;
		dst[n++] = '\\';
		dst[n++] = 'x';
		dst[n++] = hex[p[i] >> 4];
		dst[n++] = hex[p[i] & 15];
	}
	dst[n] = '\0';
	return n;
}
