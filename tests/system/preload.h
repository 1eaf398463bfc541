#ifndef L4_TEST_PRELOAD_H
#define L4_TEST_PRELOAD_H

#include <sys/mman.h>
#include <sys/syscall.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

/* What preload.py says: the file NUMBER, mapped before anything is called. */
static const volatile int64_t	*number;

static void __attribute__((constructor))
preload_open(void)
{
	int	fd = open(NUMBER, O_RDONLY | O_CLOEXEC);

	number = mmap(NULL, sizeof(*number), PROT_READ, MAP_SHARED, fd, 0);
	if (number == MAP_FAILED)
		abort();
	close(fd);
}

#endif
