#include <sys/ioctl.h>
#include <sys/signalfd.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "common/l4.h"
#include "render.h"
#include "request.h"
#include "table.h"
#include "top.h"
#include "top_row.h"

#define PERIOD_MS	1000
#define TOP_WAIT	2	/* seconds: keys wait as long */
#define SCREEN_ENTER	"\033[?1049h\033[?25l"	/* alternate, no cursor */
#define SCREEN_LEAVE	"\033[?25h\033[?1049l"
#define HEAD_LINES	4	/* those above the targets, and blank ones */
#define FOOT_LINES	3	/* blank, head of the processes, keys */

struct top {
	const char	*path;
	struct termios	 saved;
	int		 signals;	/* signalfd */
	json_t		*now, *old;	/* answers */
	double		 now_at, old_at;
	const char	*trouble;	/* why there is no answer */
	enum top_sort	 sort;
	bool		 quit;
};

static double
clock_now(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
top_ask(struct top *t)
{
	const char	*why;
	char		*answer;
	size_t		 len;
	json_t		*doc = NULL;

	answer = request_send(t->path, "status", TOP_WAIT, &len, &why);
	if (answer != NULL)
		doc = json_loadb(answer, len, JSON_ALLOW_NUL, NULL);
	free(answer);
	t->trouble = NULL;
	if (!json_is_true(json_object_get(doc, "ok"))) {
		t->trouble = doc == NULL ? "no answer from l4muxd" :
		    "l4muxd starts";
		json_decref(doc);
		return;
	}
	json_decref(t->old);
	t->old = t->now;
	t->old_at = t->now_at;
	t->now = doc;
	t->now_at = clock_now();
}

static void
top_head(FILE *f, const struct top *t)
{
	char	age[AGE_LEN];

	fprintf(f, "l4mux ");
	fescaped(f, member_str(t->now, "version"));
	fprintf(f, "  ");
	fescaped(f, member_str(t->now, "state"));
	fprintf(f, "  up %s  generation %" JSON_INTEGER_FORMAT "%s%s\n",
	    format_age(member_real(t->now, "uptime_s"), age),
	    member_int(t->now, "generation"), t->trouble == NULL ? "" : "  ",
	    t->trouble == NULL ? "" : t->trouble);
}

/* All workers: what came, what waits for a decision. */
static void
top_sums(FILE *f, const struct top_rows *p)
{
	double		accepted = 0, live = 0, rate = 0, cpu = 0;
	json_int_t	rss = 0;
	char		mem[SIZE_LEN];
	size_t		i;

	for (i = 0; i < p->n; i++) {
		if (strncmp(p->v[i].name, "worker.", 7) == 0) {
			accepted += p->v[i].total;
			rate += p->v[i].rate;
		}
		live += p->v[i].live;
		cpu += p->v[i].cpu;
		rss += p->v[i].rss_kib;
	}
	fprintf(f, "accepted %.0f  new %.1f/s  live %.0f  cpu %.1f%%  "
	    "memory %s\n", accepted, rate, live, cpu, format_kib(rss, mem));
}

/* Half of the screen for either table, and what one does not need for the
 * other. */
static void
top_share(size_t room, size_t targets, size_t processes, size_t *a, size_t *b)
{
	*a = targets < room / 2 ? targets : room / 2;
	*b = room - *a;
	if (processes < *b) {
		*b = processes;
		*a = targets < room - *b ? targets : room - *b;
	}
}

static void
top_tables(FILE *f, const struct top *t, size_t height)
{
	struct top_rows	targets, processes;
	size_t		room, a, b;
	double		secs = t->now_at - t->old_at;

	top_targets(t->now, t->old, secs, &targets);
	top_processes(t->now, t->old, secs, &processes);
	top_sort(&targets, t->sort);
	top_sort(&processes, t->sort);
	room = height > HEAD_LINES + FOOT_LINES ?
	    height - HEAD_LINES - FOOT_LINES : 0;
	top_share(room, targets.n, processes.n, &a, &b);
	top_sums(f, &processes);
	fputc('\n', f);
	top_print_targets(f, &targets, a);
	fputc('\n', f);
	top_print_processes(f, &processes, b);
	free(targets.v);
	free(processes.v);
}

/* Line by line over what was there: nothing is cleared before, so nothing
 * flickers.  Lines are cut at the edge and the last has no LF, so the screen
 * never scrolls. */
static void
top_show(const char *text, size_t width, size_t height, const char *foot)
{
	size_t	len, row;

	printf("\033[H");
	for (row = 1; row < height; row++) {
		len = strcspn(text, "\n");
		printf("%.*s\033[K\r\n", (int)(len < width ? len : width),
		    text);
		text += len + (text[len] == '\n');
	}
	printf("\033[7m%.*s\033[0m\033[K", (int)width, foot);
	fflush(stdout);
}

static void
top_draw(const struct top *t)
{
	struct winsize	 ws;
	size_t		 width = 80, height = 24, len;
	char		*text = NULL;
	FILE		*f;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0 &&
	    ws.ws_row > 0) {
		width = ws.ws_col;
		height = ws.ws_row;
	}
	if ((f = open_memstream(&text, &len)) == NULL)
		err(1, NULL);
	if (t->now == NULL)
		fprintf(f, "%s\n", t->trouble);
	else {
		top_head(f, t);
		top_tables(f, t, height);
	}
	if (fclose(f) == EOF)
		err(1, NULL);
	top_show(text, width, height, "q quit  sort by: r rate  l live  "
	    "t total  c cpu  n name");
	free(text);
}

static void
top_key(struct top *t, char key)
{
	static const char	keys[SORT__MAX] = {
		[SORT_RATE] = 'r', [SORT_LIVE] = 'l', [SORT_TOTAL] = 't',
		[SORT_CPU] = 'c', [SORT_NAME] = 'n',
	};
	size_t			i;

	if (key == 'q' || key == 'Q')
		t->quit = true;
	for (i = 0; i < SORT__MAX; i++)
		if (keys[i] == key)
			t->sort = (enum top_sort)i;
}

/* Keys and signals; false when the terminal is gone. */
static bool
top_input(struct top *t, const struct pollfd *pfd)
{
	struct signalfd_siginfo	si;
	char			key;

	if (pfd[1].revents != 0 &&
	    read(t->signals, &si, sizeof(si)) == (ssize_t)sizeof(si) &&
	    si.ssi_signo != SIGWINCH)
		t->quit = true;
	if (pfd[0].revents != 0) {
		if (read(STDIN_FILENO, &key, 1) != 1)
			return false;
		top_key(t, key);
	}
	return true;
}

static void
top_loop(struct top *t)
{
	struct pollfd	pfd[2] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = t->signals, .events = POLLIN },
	};
	double		next = clock_now(), left;

	while (!t->quit) {
		left = next - clock_now();
		if (left <= 0) {
			top_ask(t);
			next = clock_now() + PERIOD_MS / 1000.0;
			left = PERIOD_MS / 1000.0;
		}
		top_draw(t);
		if (poll(pfd, nitems(pfd), (int)(left * 1000) + 1) > 0 &&
		    !top_input(t, pfd))
			return;
	}
}

static void
top_terminal(struct top *t)
{
	struct termios	raw = t->saved;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) == -1)
		err(1, "terminal");
	fputs(SCREEN_ENTER, stdout);
}

int
top_run(const char *path)
{
	struct top	t = { .path = path, .sort = SORT_RATE };
	sigset_t	set;

	if (!isatty(STDOUT_FILENO) ||
	    tcgetattr(STDIN_FILENO, &t.saved) == -1) {
		warnx("top: needs a terminal");
		return 1;
	}
	top_ask(&t);
	if (t.now == NULL) {
		warnx("%s: %s", path, t.trouble);
		return 3;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if ((t.signals = signalfd(-1, &set, SFD_CLOEXEC)) == -1)
		err(1, "signalfd");
	top_terminal(&t);
	top_loop(&t);
	fputs(SCREEN_LEAVE, stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &t.saved);
	json_decref(t.now);
	json_decref(t.old);
	return 0;
}
