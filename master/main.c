#include <sys/resource.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "control.h"
#include "master.h"
#include "upgrade.h"

#define CONF_PATH	"/etc/l4mux.conf"

static void
usage(void)
{
	fprintf(stderr, "usage: l4muxd [-dnv] [-f file]\n"
	    "       l4muxd --selftest-sandbox role [-f file]\n");
	exit(1);
}

/* Whatever started us: descriptors 0 to 2 exist, no signal is blocked or
 * ignored, and as many descriptors may be open as the limit allows. */
static void
main_sanitize(void)
{
	struct rlimit	rl;
	sigset_t	none;
	int		fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGCHLD, SIG_DFL);
	umask(022);
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
}

/* The children's binaries stand beside ours: ../libexec/l4mux. */
static void
main_find_self(struct master *m, const char *argv0)
{
	char	self[PATH_MAX], dir[PATH_MAX];
	ssize_t	n;

	/* After an upgrade the kernel's name is that of a file replaced. */
	if (m->resume != -1)
		snprintf(self, sizeof(self), "%s", argv0);
	else {
		n = readlink("/proc/self/exe", self, sizeof(self) - 1);
		if (n <= 0)
			err(1, "/proc/self/exe");
		self[n] = '\0';
	}
	memcpy(dir, self, sizeof(dir));
	if ((m->self = strdup(self)) == NULL ||
	    asprintf(&m->libexec, "%s/../libexec/l4mux", dirname(dir)) == -1)
		err(1, NULL);
}

/* Absolute, but as it was given: a link may lead elsewhere at a reload. */
static void
main_find_conf(struct master *m)
{
	char	*cwd, *path;

	if (*m->path == '/')
		return;
	if ((cwd = getcwd(NULL, 0)) == NULL)
		err(1, "%s", m->path);
	if (asprintf(&path, "%s/%s", cwd, m->path) == -1)
		err(1, NULL);
	free(cwd);
	m->path = path;
}

/* Leaves the terminal.  The parent waits until we are ready, or know why we
 * will not be, and exits accordingly. */
static void
main_background(struct master *m)
{
	char	text[32];
	int	fd[2];
	ssize_t	n;

	if (pipe2(fd, O_CLOEXEC) == -1)
		err(1, "pipe");
	switch (fork()) {
	case -1:
		err(1, "fork");
	case 0:
		break;
	default:
		close(fd[1]);
		n = read(fd[0], text, sizeof(text));
		_exit(n > 0 ? 0 : 1);
	}
	close(fd[0]);
	setsid();
	m->ready_fd = fd[1];
}

static void
main_signal(int signo, void *arg)
{
	struct master	*m = arg;

	switch (signo) {
	case SIGCHLD:
		life_reap(m);
		break;
	case SIGHUP:
		life_reload(m);
		break;
	case SIGUSR2:
		life_upgrade(m);
		break;
	case SIGTERM:
	case SIGINT:
		life_stop(m);
		break;
	}
}

static void
main_signals(struct master *m)
{
	sigset_t	set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	ev_signals(m->ev, &set, main_signal, m);
}

static bool
main_options(struct master *m, int argc, char **argv)
{
	static const struct option	longopts[] = {
		{ "selftest-sandbox", required_argument, NULL, 'S' },
		{ "resume", required_argument, NULL, 'R' },
		{ "upgrade-format", no_argument, NULL, 'U' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	bool	foreground = false;
	int	ch;

	m->path = CONF_PATH;
	while ((ch = getopt_long(argc, argv, "df:nv", longopts, NULL)) != -1) {
		switch (ch) {
		case 'd':
			foreground = true;
			break;
		case 'f':
			m->path = optarg;
			break;
		case 'n':
			m->check_only = foreground = true;
			break;
		case 'v':
			m->verbose++;
			break;
		case 'R':
			m->resume = atoi(optarg);
			break;
		case 'S':
			m->selftest = optarg;
			foreground = true;
			break;
		case 'U':
			exit(upgrade_print_format() ? 0 : 1);
		case 'V':
			puts("l4muxd " L4_VERSION);
			exit(0);
		default:
			usage();
		}
	}
	if (optind != argc)
		usage();
	return foreground;
}

/* The first generation, or the one after those of an earlier program. */
static void
main_begin(struct master *m, struct conf *conf)
{
	if (m->resume != -1) {
		conf_free(conf);
		upgrade_resume(m, m->resume);
		return;
	}
	if (!m->check_only) {
		logs_start(m, conf);
		m->control = control_open(m, conf->control);
	}
	tickets_make(m);
	life_start(m, conf);
}

int
main(int argc, char **argv)
{
	struct master	 m = { .ready_fd = -1, .devnull = -1, .resume = -1,
			    .addrs = -1, .history = -1 };
	struct conf	*conf = NULL;
	bool		 foreground;

	foreground = main_options(&m, argc, argv);
	if (m.resume == -1)
		main_sanitize();
	signal(SIGPIPE, SIG_IGN);
	log_init("l4muxd", -1);
	m.privileged = geteuid() == 0;
	main_find_self(&m, argv[0]);
	main_find_conf(&m);
	if (m.resume == -1 && (conf = conf_load(m.path, stderr)) == NULL)
		return 1;
	if (m.selftest != NULL)
		return selftest_run(&m, conf, m.selftest);
	if (!foreground)
		main_background(&m);
	if (!m.check_only && conf != NULL && !logs_open(&m, conf))
		err(1, "%s: log.target", m.path);
	if ((m.devnull = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1)
		fatal("/dev/null");
	/* Whoever reads what our starter prints must see its end. */
	if (!foreground && (dup2(m.devnull, STDIN_FILENO) == -1 ||
	    dup2(m.devnull, STDOUT_FILENO) == -1))
		fatal("/dev/null");
	m.ev = ev_new();
	m.started = ev_clock();
	main_signals(&m);
	notify_watchdog(&m);
	life_start_watch(&m);
	docroots_start(&m);
	main_begin(&m, conf);
	ev_run(m.ev);
	control_close(m.control);
	explicit_bzero(m.tickets, sizeof(m.tickets));
	return m.status;
}
