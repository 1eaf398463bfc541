#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "stats.h"

const struct stat_desc stat_desc[STAT__MAX] = {
	[STAT_LIVE] =			{ "live", 1 },
	[STAT_RECEIVED] =		{ "received", 0 },
	[STAT_ENDED] =			{ "ended", 0 },
	[STAT_BYTES_IN] =		{ "bytes_in", 0 },
	[STAT_BYTES_OUT] =		{ "bytes_out", 0 },
	[STAT_LOG_DROPPED] =		{ "log_dropped", 0 },
	[STAT_LOG_LIMITED] =		{ "log_limited", 0 },
	[STAT_IPC_BAD] =		{ "ipc_bad", 0 },
	[STAT_IPC_LOST] =		{ "ipc_lost", 0 },
	[STAT_FD_FULL] =		{ "fd_full", 0 },
	[STAT_ACCEPTED] =		{ "accepted", 0 },
	[STAT_UNDECIDED] =		{ "undecided", 1 },
	[STAT_QUEUED] =			{ "queued", 1 },
	[STAT_HANDED] =			{ "handed", 0 },
	[STAT_SHED] =			{ "shed", 0 },
	[STAT_LIMITED] =		{ "limited", 0 },
	[STAT_PROXY_HEADERS] =		{ "proxy_headers", 0 },
	[STAT_PROXY_BAD] =		{ "proxy_bad", 0 },
	[STAT_CONNECTED] =		{ "connected", 0 },
	[STAT_CONNECT_FAILED] =		{ "connect_failed", 0 },
	[STAT_REFUSED] =		{ "refused", 0 },
	[STAT_SPLICED] =		{ "spliced", 0 },
	[STAT_TAKEN_OVER] =		{ "taken_over", 0 },
	[STAT_HANDED_ON] =		{ "handed_on", 0 },
	[STAT_RELAYED_IN] =		{ "relayed_in", 0 },
	[STAT_RELAYED_OUT] =		{ "relayed_out", 0 },
	[STAT_HANDSHAKES] =		{ "handshakes", 0 },
	[STAT_RESUMED] =		{ "resumed", 0 },
	[STAT_HANDSHAKE_FAILED] =	{ "handshake_failed", 0 },
	[STAT_REQUESTS] =		{ "requests", 0 },
	[STAT_2XX] =			{ "responses_2xx", 0 },
	[STAT_3XX] =			{ "responses_3xx", 0 },
	[STAT_4XX] =			{ "responses_4xx", 0 },
	[STAT_5XX] =			{ "responses_5xx", 0 },
	[STAT_FORWARDED] =		{ "forwarded", 0 },
	[STAT_CACHE_HITS] =		{ "cache_hits", 0 },
	[STAT_CACHE_MISSES] =		{ "cache_misses", 0 },
	[STAT_CACHE_BYTES] =		{ "cache_bytes", 1 },
	[STAT_SIGNED] =			{ "signed", 0 },
	[STAT_SIGN_REFUSED] =		{ "sign_refused", 0 },
	[STAT_ANSWERED] =		{ "answered", 0 },
	[STAT_TURNED_AWAY] =		{ "turned_away", 0 },
};

const struct stat_bound stat_bound[TIME_BOUNDS] = {
	{ 1000, "0.001" }, { 2000, "0.002" }, { 5000, "0.005" },
	{ 10000, "0.01" }, { 20000, "0.02" }, { 50000, "0.05" },
	{ 100000, "0.1" }, { 200000, "0.2" }, { 500000, "0.5" },
	{ 1000000, "1.0" }, { 2000000, "2.0" }, { 5000000, "5.0" },
	{ 10000000, "10.0" },
};

void
stats_time(const struct stats *s, enum stat_time what, uint64_t ns)
{
	volatile uint64_t	*cell = stats_times(s, what);
	uint64_t		 us = ns / 1000;
	size_t			 i = 0;

	while (i < TIME_BOUNDS && us > stat_bound[i].us)
		i++;
	cell[i]++;
	cell[TIME_CELLS - 1] += us;
}

static size_t
stats_size(size_t ncells)
{
	return (STAT_FIXED + ncells) * sizeof(uint64_t);
}

int
stats_create(size_t ncells)
{
	int	fd, saved;

	fd = memfd_create("l4mux-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return -1;
	if (ftruncate(fd, (off_t)stats_size(ncells)) == -1 ||
	    fcntl(fd, F_ADD_SEALS,
	    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int
stats_map(struct stats *s, int fd, size_t ncells, int writable)
{
	void	*p;

	p = mmap(NULL, stats_size(ncells),
	    writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -1;
	s->ncells = ncells;
	s->size = stats_size(ncells);
	s->count = p;
	return 0;
}

void
stats_unmap(struct stats *s)
{
	if (s->count != NULL)
		munmap((void *)(uintptr_t)s->count, s->size);
	s->count = NULL;
}
