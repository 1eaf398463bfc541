#include <sys/resource.h>

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/l4.h"
#include "proxy/buf.h"
#include "proxy/pipe.h"
#include "tests/unit/suite.h"

static void
bufs_free(struct bufs *bs)
{
	struct buf	*b;
	size_t		 i;

	for (i = 0; i < BUF_CLASSES; i++)
		while ((b = bs->free[i]) != NULL) {
			bs->free[i] = b->next;
			free(b);
		}
}

static void
pipes_free(struct pipes *ps)
{
	struct pipe	*p;

	while ((p = ps->free) != NULL) {
		ps->free = p->next;
		close(p->fd[0]);
		close(p->fd[1]);
		free(p);
	}
}

START_TEST(test_buf_keeps_bytes)
{
	static const size_t	 sizes[] = { 1, 4095, 4096, 4097, 16384,
		16385, BUF_MAX - 1, BUF_MAX };
	struct bufs		 bs = { 0 };
	size_t			 n = sizes[_i];
	uint8_t			*src = malloc(n);	/* exact, for ASan */
	struct buf		*b;

	ck_assert_ptr_nonnull(src);
	memset(src, 0xa5, n);
	b = buf_keep(&bs, src, n);
	ck_assert_ptr_nonnull(b);
	ck_assert_uint_eq(buf_len(b), n);
	ck_assert_int_eq(memcmp(b->data, src, n), 0);
	b->off += 1;
	ck_assert_uint_eq(buf_len(b), n - 1);
	buf_release(&bs, b);
	/* The next of its size is the same one, from its start. */
	ck_assert_ptr_eq(buf_keep(&bs, src, n), b);
	ck_assert_uint_eq(buf_len(b), n);
	free(b);
	free(src);
}
END_TEST

START_TEST(test_buf_limits)
{
	struct bufs	 bs = { 0 };
	struct buf	*b[200];
	uint8_t		*src = calloc(1, BUF_MAX + 1);
	size_t		 i;

	ck_assert_ptr_nonnull(src);
	ck_assert_ptr_null(buf_keep(&bs, src, BUF_MAX + 1));
	buf_release(&bs, NULL);
	ck_assert_uint_eq(buf_len(NULL), 0);
	for (i = 0; i < nitems(b); i++)
		b[i] = buf_keep(&bs, src, BUF_MAX);
	for (i = 0; i < nitems(b); i++)
		buf_release(&bs, b[i]);
	/* A burst does not stay in memory. */
	ck_assert_uint_le(bs.nfree[BUF_CLASSES - 1], 16);
	bufs_free(&bs);
	free(src);
}
END_TEST

START_TEST(test_pipe_is_reused)
{
	struct pipes	 ps = { 0 };
	struct pipe	*p = pipe_get(&ps, true, 0);

	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq(pipe_len(p), 0);
	ck_assert_int_eq(fcntl(p->fd[1], F_GETPIPE_SZ), (int)p->cap);
	ck_assert_int_ne(fcntl(p->fd[0], F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(p->fd[1], F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_ptr_null(pipe_get(&ps, false, 0));
	pipe_put(&ps, p);
	ck_assert_ptr_eq(pipe_get(&ps, false, 0), p);
	ck_assert_uint_eq(ps.n, 1);
	pipe_put(&ps, p);
	pipe_put(&ps, NULL);
	ck_assert_uint_eq(pipe_len(NULL), 0);
	pipes_free(&ps);
}
END_TEST

/* Bytes of one session must never reach another. */
START_TEST(test_pipe_with_bytes_is_closed)
{
	struct pipes	 ps = { 0 };
	struct pipe	*p = pipe_get(&ps, true, 0);
	int		 fd;

	ck_assert_ptr_nonnull(p);
	fd = p->fd[0];
	ck_assert_int_eq(write(p->fd[1], "x", 1), 1);
	p->len = 1;
	pipe_put(&ps, p);
	ck_assert_uint_eq(ps.n, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

/* Who made it may still have its ends: it carries what it came with. */
START_TEST(test_pipe_of_another_process_is_closed)
{
	struct pipes	 ps = { 0 };
	struct pipe	*p;
	int		 fd[2];
	char		 b;

	ck_assert_int_eq(pipe2(fd, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	ck_assert_ptr_nonnull(p = pipe_adopt(&ps, fd, 1));
	ck_assert_int_eq(read(fd[0], &b, 1), 1);
	p->len = 0;
	pipe_put(&ps, p);
	ck_assert_uint_eq(ps.n, 0);
	ck_assert_int_eq(fcntl(fd[0], F_GETFD), -1);
	ck_assert_ptr_null(pipe_get(&ps, false, 0));
}
END_TEST

START_TEST(test_pipe_bounded)
{
	struct pipes	 ps = { 0 };
	struct pipe	*p[PIPES_MAX];
	size_t		 i;

	for (i = 0; i < nitems(p); i++)
		p[i] = pipe_get(&ps, true, 0);
	/* What the kernel grants depends on the user's other pipes. */
	ck_assert_ptr_nonnull(p[0]);
	ck_assert_ptr_null(pipe_get(&ps, true, 0));
	ck_assert_uint_le(ps.n, PIPES_MAX);
	for (i = 0; i < nitems(p); i++)
		pipe_put(&ps, p[i]);
	ck_assert_uint_le(ps.n, 16);
	ck_assert_uint_eq(ps.n, ps.nfree);
	pipes_free(&ps);
}
END_TEST

/* After a failure it is not tried for each read, but tried again. */
START_TEST(test_pipe_none_to_be_had)
{
	struct pipes	 ps = { 0 };
	struct rlimit	 old, none = { 0, 0 };
	struct pipe	*p;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	none.rlim_max = old.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_ptr_null(pipe_get(&ps, true, 1000));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_uint_eq(ps.n, 0);
	ck_assert_ptr_null(pipe_get(&ps, true, 1001));
	p = pipe_get(&ps, true, 1000 + 2 * NSEC_PER_SEC);
	ck_assert_ptr_nonnull(p);
	pipe_put(&ps, p);
	pipes_free(&ps);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("pool");
	TCase	*tc = tcase_create("pool");

	tcase_add_loop_test(tc, test_buf_keeps_bytes, 0, 8);
	tcase_add_test(tc, test_buf_limits);
	tcase_add_test(tc, test_pipe_is_reused);
	tcase_add_test(tc, test_pipe_with_bytes_is_closed);
	tcase_add_test(tc, test_pipe_of_another_process_is_closed);
	tcase_add_test(tc, test_pipe_bounded);
	tcase_add_test(tc, test_pipe_none_to_be_had);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
