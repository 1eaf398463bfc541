/*
 * Preloaded into the daemon by test_clock.py: another wall clock than that of
 * the machine.  How far off it is stands in a file that is mapped before the
 * sandbox is there, so that a process which may open nothing sees each step,
 * and at once.  What else it is asked is the kernel's to answer.
 */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t	*offset;	/* seconds */

static void __attribute__((constructor))
wallclock_open(void)
{
	int	fd = open(WALLCLOCK, O_RDONLY | O_CLOEXEC);

	offset = mmap(NULL, sizeof(*offset), PROT_READ, MAP_SHARED, fd, 0);
	if (offset == MAP_FAILED)
		abort();
	close(fd);
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	long	r = syscall(SYS_clock_gettime, id, ts);

	if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		ts->tv_sec += *offset;
	return (int)r;
}

time_t
time(time_t *t)
{
	struct timespec	ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (t != NULL)
		*t = ts.tv_sec;
	return ts.tv_sec;
}

int
gettimeofday(struct timeval *tv, void *zone)
{
	struct timespec	ts;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}
