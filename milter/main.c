/* SPDX-License-Identifier: ISC */
/*
 * main.c - mailferry-milter: refuse mail for recipients who are being moved
 */
#include <errno.h>
#include <libgen.h>
#include <libmilter/mfapi.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "maps/base/clock.h"
#include "maps/base/daemon.h"
#include "maps/base/log.h"
#include "maps/base/notify.h"
#include "milter/verdict.h"
#include "milter/filter.h"
#include "milter/follow.h"

#define BACKLOG		1024
#define STOP_MS		10000	/* after which open sessions are cut off */
#define LOOK_MS		50	/* between two looks at them */

/* The socket that we made. */
struct listening {
	const char	*path;		/* NULL: not a unix one */
	dev_t		 dev;
	ino_t		 ino;
};

static struct daemon called = { .name = "mailferry-milter" };
static struct conf *started;	/* the configuration at the start; not freed */
static struct windows *windows;
static struct listening listening;

/* The configuration, if it suits a milter; no talloc parent. */
static enum status
load(const char *path, struct conf **conf, struct err *err)
{
	enum status st = conf_load(NULL, path, conf, err);

	if (st != ST_OK || strcmp((*conf)->map, "none") != 0)
		return st;
	st = err_set(err, ST_NEVER, "%s: with map = none no user can be moved; "
	    "set map = tdb:/var/lib/mailferry/map.tdb", (*conf)->path);
	talloc_free(*conf);
	return st;
}

/*
 * libmilter has a thread that waits for SIGHUP, SIGTERM and SIGINT; after each
 * of them it stops and cuts off all sessions.  It waits with sigwait(3), which
 * in this program is this function: it never returns.  handle_signals() uses
 * sigwaitinfo(2).
 */
int sigwait(const sigset_t *set, int *sig);

int
sigwait(const sigset_t *set, int *sig)
{
	(void)set;
	(void)sig;
	for (;;)
		(void)pause();
}

/* The map and the sockets cannot be changed by a reload. */
static enum status
check_same(const struct conf *conf, struct err *err)
{
	const struct { const char *key, *is, *was; } k[] = {
		{ "map", conf->map, started->map },
		{ "map_socket", conf->map_socket, started->map_socket },
		{ "milter_socket", conf->milter_socket,
		    started->milter_socket },
	};
	size_t i;

	for (i = 0; i < sizeof(k) / sizeof(k[0]); i++)
		if (strcmp(k[i].is, k[i].was) != 0)
			return err_set(err, ST_NEVER, "%s: %s = %s needs a "
			    "restart", conf->path, k[i].key, k[i].is);
	return ST_OK;
}

/* A configuration with an error changes nothing. */
static void
reload(void)
{
	struct conf *conf = NULL;
	struct err err;

	if (load(called.config, &conf, &err) != ST_OK) {
		log_why(LOG_ERR, "reload", err.text);
		return;
	}
	if (check_same(conf, &err) != ST_OK) {
		log_why(LOG_ERR, "reload", err.text);
		talloc_free(conf);
		return;
	}
	setup_use(setup_new(conf, windows));
	log_why(LOG_INFO, "reloaded", started->path);
	notify_reloaded();
}

/* Remove our own socket, but not one that another process has put there. */
static void
remove_socket(void)
{
	struct stat sb;

	if (listening.path != NULL && lstat(listening.path, &sb) == 0 &&
	    sb.st_dev == listening.dev && sb.st_ino == listening.ino)
		(void)unlink(listening.path);
}

/*
 * New sessions are impossible once the socket is gone; open ones have STOP_MS
 * to end.  libmilter's own way to stop would leave the sessions of its worker
 * pool hanging, so the process simply ends: nothing is left to be done.
 */
static void NORETURN
stop(const sigset_t *set)
{
	struct timespec look = { 0, LOOK_MS * 1000000 };
	long long end = clock_ms() + STOP_MS;
	int sig = 0;

	notify_stopping();
	remove_socket();
	while (filter_sessions() > 0 && clock_ms() < end && sig != SIGTERM &&
	    sig != SIGINT)
		sig = sigtimedwait(set, NULL, &look);
	filter_log_counts();
	log_why(LOG_INFO, "stopped", filter_sessions() == 0 ? "asked to" :
	    "asked to; sessions were still open");
	_exit(0);
}

static void *
handle_signals(void *arg)
{
	const sigset_t *set = arg;

	for (;;)
		switch (sigwaitinfo(set, NULL)) {
		case SIGHUP:
			reload();
			break;
		case SIGUSR1:
			filter_log_counts();
			break;
		case SIGTERM:
		case SIGINT:
			stop(set);
		}
	return NULL;
}

/* The signals are blocked before the second thread starts: threads inherit
 * that. */
static enum status
start_signals(struct err *err)
{
	static sigset_t set;
	pthread_t thread;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGUSR1);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	errno = pthread_create(&thread, NULL, handle_signals, &set);
	return errno == 0 ? ST_OK : err_sys(err, "start a thread");
}

/* A socket at which no process answers is left over from a crash. */
static bool
is_answered(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool yes;

	if (fd == -1)
		return true;
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	yes = connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0 ||
	    errno == EAGAIN;
	(void)close(fd);
	return yes;
}

static enum status
prepare_path(const char *path, struct err *err)
{
	char *copy = must(talloc_strdup(NULL, path));
	const char *dir = dirname(copy);
	enum status st = ST_OK;

	if (mkdir(dir, 0755) == -1 && errno != EEXIST)
		st = err_sys(err, "mkdir %s: make this directory, for the user "
		    "that mailferry-milter runs as", dir);
	else if (is_answered(path))
		st = err_set(err, ST_AGAIN, "%s: another mailferry-milter "
		    "answers there", path);
	talloc_free(copy);
	return st;
}

static enum status
open_socket(const struct conf *conf, struct err *err)
{
	const char *path = conf->milter_socket[0] == '/' ? conf->milter_socket :
	    NULL;
	char *name = must(talloc_asprintf(NULL, "%s%s", path == NULL ? "" :
	    "unix:", conf->milter_socket));
	enum status st = path == NULL ? ST_OK : prepare_path(path, err);
	mode_t mask = umask(0777 & ~(mode_t)conf->milter_mode);
	struct stat sb;

	errno = 0;
	if (st == ST_OK && (!filter_register(path == NULL) ||
	    smfi_setconn(name) != MI_SUCCESS ||
	    smfi_setbacklog(BACKLOG) != MI_SUCCESS ||
	    smfi_opensocket(path != NULL) != MI_SUCCESS))
		st = errno != 0 ? err_sys(err, "listen at %s", name) :
		    err_set(err, ST_NEVER, "cannot listen at %s", name);
	(void)umask(mask);
	if (st == ST_OK && path != NULL && lstat(path, &sb) == 0) {
		listening.path = must(talloc_strdup(NULL, path));
		listening.dev = sb.st_dev;
		listening.ino = sb.st_ino;
	}
	talloc_free(name);
	return st;
}

/* Without a free descriptor libmilter loops without end. */
static void
raise_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
}

/* The order matters: a thread that starts before the signals are blocked would
 * receive them. */
static enum status
start(struct err *err)
{
	struct conf *conf = NULL;
	enum status st;

	windows = windows_new(started);
	st = start_signals(err);
	if (st == ST_OK)
		st = follow_start(windows, started, err);
	if (st == ST_OK)
		st = load(called.config, &conf, err);
	if (st == ST_OK)
		setup_use(setup_new(conf, windows));
	return st;
}

static int
serve(void)
{
	struct err err;

	raise_limit();
	if (open_socket(started, &err) != ST_OK)
		return daemon_refuse(&called, &err);
	if (start(&err) != ST_OK) {
		remove_socket();
		return daemon_refuse(&called, &err);
	}
	log_why(LOG_INFO, "started", started->milter_socket);
	notify_ready();
	(void)smfi_main();		/* returns only after a failure */
	filter_log_counts();
	log_why(LOG_ERR, "stopped", "libmilter gave up; see its own log lines");
	remove_socket();
	return 1;
}

int
main(int argc, char **argv)
{
	struct err err;
	int rc;

	must_exit(1);
	rc = daemon_options(&called, argc, argv);
	if (rc != -1)
		return rc;
	(void)signal(SIGPIPE, SIG_IGN);
	if (load(called.config, &started, &err) != ST_OK)
		return daemon_refuse(&called, &err);
	rc = daemon_log(&called, started);
	if (rc != -1)
		return rc;
	rc = called.check ? 0 : serve();
	if (called.check)
		talloc_free(started);
	return rc;
}
