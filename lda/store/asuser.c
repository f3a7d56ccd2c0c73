/* SPDX-License-Identifier: ISC */
/*
 * asuser.c - work on a user's mail as the user, in child processes
 *
 * On the pipe a line of the work has a dot before it; the last line is the
 * outcome and the reason.
 */
#include "lda/store/asuser.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lda/store/asuser_lines.h"
#include "lda/store/whose.h"
#include "maps/base/clock.h"
#include "maps/base/file.h"

#define REAP_WAIT	1000		/* ms for a child that was killed to
					   end */

struct worker {
	pid_t			 pid;
	int			 fd;		/* its lines; O_NONBLOCK */
	int			 deadline;	/* seconds, for the error */
	long long		 until;		/* CLOCK_MONOTONIC,
						   milliseconds */
	as_user_line_fn		*line;
	void			*arg;
	struct worker_lines	 in;
};

/* Nobody may look into a child by ptrace(2), and no program that it might run
 * gets other rights. */
static enum status
become_user(const struct record *rec, const struct conf *conf, struct err *err)
{
	enum status st = ST_OK;
	struct whose who;

	if (geteuid() == 0) {
		st = whose_mail(rec, conf, &who, err);
		if (st == ST_OK)
			st = whose_become(&who, err);
	}
	if (st == ST_OK && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1))
		st = err_sys(err, "prctl");
	return st;
}

static void NORETURN
child(const struct worker *w, const struct record *rec,
    const struct conf *conf, pid_t parent, as_user_fn *fn, void *arg, int out)
{
	struct err err;
	char line[sizeof(err.text) + 16], *p;
	enum status st;
	int n;

	umask(077);
	(void)signal(SIGPIPE, SIG_DFL);
	st = become_user(rec, conf, &err);
	/* After the change of uid, which takes it back; the parent may be
	 * gone. */
	if (st == ST_OK && prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		st = err_sys(&err, "prctl");
	if (getppid() != parent)
		_exit(1);
	/* Nobody kills it while the parent is stopped; it may hold a lock. */
	(void)alarm((unsigned)w->deadline);
	if (st == ST_OK)
		st = fn(arg, out, &err);
	n = snprintf(line, sizeof(line), "%s %s\n", status_name(st),
	    st == ST_OK || st == ST_NONE ? "" : err.text);
	while ((p = strchr(line, '\n')) != line + n - 1)
		*p = '?';		/* of a name of the user's */
	_exit(file_write(out, line, (size_t)n) == -1);
}

enum status
as_user_say(int out, struct err *err, const char *fmt, ...)
{
	char text[AS_USER_LINE];
	va_list ap;
	int n;

	text[0] = '.';
	va_start(ap, fmt);
	n = vsnprintf(text + 1, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	if (n < 0 || n >= (int)sizeof(text) - 2 || strchr(text, '\n') != NULL)
		return err_set(err, ST_NEVER, "a line that cannot be reported");
	text[n + 1] = '\n';
	return file_write(out, text, (size_t)n + 2) == -1 ?
	    err_sys(err, "write to the command") : ST_OK;
}

/* A process that hangs in a filer may not even die at once: it is left then. */
static void
reap(pid_t pid)
{
	const struct timespec pause = { 0, 5 * 1000000 };
	long long until = clock_ms() + REAP_WAIT;
	pid_t got;

	(void)kill(pid, SIGKILL);
	while ((got = waitpid(pid, NULL, WNOHANG)) == 0 ||
	    (got == -1 && errno == EINTR)) {
		if (clock_ms() >= until)
			return;
		(void)nanosleep(&pause, NULL);
	}
}

static int
worker_destroy(struct worker *w)
{
	if (w->fd != -1)
		(void)close(w->fd);
	if (w->pid > 0)
		reap(w->pid);
	return 0;
}

enum status
worker_begin(TALLOC_CTX *ctx, const struct record *rec,
    const struct conf *conf, int deadline, as_user_fn *fn, void *arg,
    as_user_line_fn *line, void *line_arg, struct worker **out,
    struct err *err)
{
	struct worker *w = must(talloc_zero(ctx, struct worker));
	pid_t parent = getpid();
	enum status st;
	int pipefd[2];

	w->deadline = deadline;
	w->until = clock_ms() + deadline * 1000LL;
	w->line = line;
	w->arg = line_arg;
	w->fd = -1;
	talloc_set_destructor(w, worker_destroy);
	if (pipe2(pipefd, O_CLOEXEC) == -1) {
		st = err_sys(err, "pipe");
		goto fail;
	}
	w->fd = pipefd[0];
	w->pid = fork();
	if (w->pid == 0) {
		(void)close(pipefd[0]);
		child(w, rec, conf, parent, fn, arg, pipefd[1]);
	}
	st = w->pid == -1 ? err_sys(err, "fork") : ST_OK;
	(void)close(pipefd[1]);
	if (st == ST_OK && fcntl(w->fd, F_SETFL, O_NONBLOCK) == -1)
		st = err_sys(err, "fcntl");
	if (st == ST_OK) {
		*out = w;
		return st;
	}
fail:
	talloc_free(w);
	return st;
}

/* What has come by now; the end of the file is that of the worker. */
static void
read_lines(struct worker *w)
{
	char buf[16 * 1024];
	ssize_t n;

	while ((n = read(w->fd, buf, sizeof(buf))) > 0)
		worker_lines_feed(&w->in, buf, (size_t)n, w->line, w->arg);
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		w->in.ended = true;
}

/* Wait for lines of any of them.  False: there is none to wait for any more. */
static bool
wait_for_lines(struct worker **w, size_t n, struct pollfd *fds)
{
	long long now = clock_ms(), until = 0;
	bool any = false;
	size_t i;

	for (i = 0; i < n; i++) {
		bool alive = !w[i]->in.ended && w[i]->until > now;

		fds[i] = (struct pollfd){ alive ? w[i]->fd : -1, POLLIN, 0 };
		if (alive && (!any || w[i]->until < until))
			until = w[i]->until;
		any = any || alive;
	}
	if (!any)
		return false;
	if (poll(fds, n, (int)(until - now)) == -1)
		for (i = 0; i < n; i++)
			fds[i].revents = 0;
	return true;
}

static enum status
result_of(const struct worker *w, struct err *err)
{
	if (w->in.said) {
		*err = w->in.err;
		return w->in.result;
	}
	if (w->in.ended)
		return err_set(err, ST_AGAIN, "the process that works as the "
		    "user was killed, or failed");
	return err_set(err, ST_AGAIN, "it did not end within %d seconds: a "
	    "filer hangs, a mailbox stays locked, or the user stopped the "
	    "process that runs as him", w->deadline);
}

enum status
workers_end(struct worker **w, size_t n, struct err *err)
{
	struct pollfd *fds = must(talloc_array(NULL, struct pollfd,
	    (unsigned)n + 1));
	enum status st = ST_OK, one;
	struct err why;
	size_t i;

	while (wait_for_lines(w, n, fds))
		for (i = 0; i < n; i++)
			if (fds[i].revents != 0)
				read_lines(w[i]);
	for (i = 0; i < n; i++) {
		one = result_of(w[i], &why);
		if (st == ST_OK && one != ST_OK) {
			st = one;
			*err = why;
		}
		talloc_free(w[i]);
	}
	talloc_free(fds);
	return st;
}

enum status
as_user(const struct record *rec, const struct conf *conf, int deadline,
    as_user_fn *fn, void *arg, as_user_line_fn *line, void *line_arg,
    struct err *err)
{
	struct worker *w = NULL;
	enum status st;

	st = worker_begin(NULL, rec, conf, deadline, fn, arg, line, line_arg,
	    &w, err);
	return st == ST_OK ? workers_end(&w, 1, err) : st;
}
