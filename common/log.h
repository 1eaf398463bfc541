#ifndef L4_LOG_H
#define L4_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One line per event to one descriptor, never blocking: a line that cannot be
 * written at once is dropped and counted.  The argument of log_warn() and
 * fatal() is what failed, not prose; they append the text of errno.
 *
 * Untrusted bytes go through log_escape() first.
 */

enum log_level { LOG_LVL_ERROR, LOG_LVL_WARNING, LOG_LVL_INFO, LOG_LVL_DEBUG };
enum log_format { LOG_FMT_TEXT, LOG_FMT_JSON };
enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG };

/* Before this, lines go to descriptor 2 as text at level info. */
void	log_init(const char *role, int instance);
void	log_setup(enum log_target target, enum log_format format,
	    enum log_level level);
void	log_set_level(enum log_level level);
enum log_level log_get_level(void);
bool	log_level_parse(const char *word, enum log_level *);

/*
 * Master: a non-blocking descriptor for `target`, to become descriptor 2 of
 * itself and its children; -1 with errno set.  Caller closes.
 */
int	log_open(enum log_target target);

/* syslog: looks for its socket again, which may have come, or have been made
 * anew.  All processes that have our descriptor 2 are connected at once.  False
 * when nobody listens there. */
bool	log_reconnect(void);

/* Where lines that could not be written, and those beyond the rate, are
 * counted; NULL for nowhere. */
void	log_count(volatile uint64_t *dropped, volatile uint64_t *limited);

void	log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	log_warnx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	log_errorx(const char *fmt, ...)
	    __attribute__((format(printf, 1, 2)));
void	fatal(const char *fmt, ...)
	    __attribute__((format(printf, 1, 2), noreturn));
void	fatalx(const char *fmt, ...)
	    __attribute__((format(printf, 1, 2), noreturn));

/*
 * A connection's line (INTERFACE: "Log line of a connection"), written at any
 * level.  Keys are ours; values are escaped here.  A value is printed as a
 * number where str is NULL.
 */
struct log_field {
	const char	*key;
	const char	*str;
	uint64_t	 num;
};
void	log_event(const char *event, const struct log_field *fields,
	    unsigned int n);

/*
 * The same for lines that a stranger can cause: of one group up to `rate`
 * (log_set_rate(), 0 = any number) are written in a second, and one line says
 * how many there were beyond that.  now: ns, CLOCK_MONOTONIC.
 */
void	log_event_limited(const char *group, uint64_t now, const char *event,
	    const struct log_field *fields, unsigned int n);
/* flooded() is called for the first line in a second that is not written:
 * log_flood_over() is due when that second is over. */
void	log_set_rate(uint32_t rate, void (*flooded)(void *arg, uint64_t due),
	    void *arg);
void	log_flood_over(void);

/*
 * Copies src to dst with every byte outside printable ASCII, and every
 * backslash, as \xHH; always terminated.  Returns the length written; what
 * does not fit is left out whole.
 */
size_t	log_escape(char *dst, size_t dstsize, const void *src, size_t len);

#endif
