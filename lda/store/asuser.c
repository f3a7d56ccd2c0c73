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
#include <grp.h>
#include <pwd.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lda/store/asuser_lines.h"
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

struct owner {
	uid_t	 uid;
	gid_t	 gid;
};

/*
 * Take one part of the path to a Maildir, of which the parent must not become
 * an owner whom another user chose: a link counts as the user's who made it,
 * and root's directory below a user's counts as that user's.
 *
 * above  the last owner so far that is not root.
 * False: a user's link; what lies behind it does not count.
 */
static bool
take_part(struct owner *owner, struct owner *above, const struct stat *sb)
{
	struct owner is = { sb->st_uid, sb->st_gid };

	if (is.uid != 0)
		*above = is;
	*owner = is.uid != 0 ? is : *above;
	return !S_ISLNK(sb->st_mode) || is.uid == 0;
}

/* The owner of the last part that is there.  found: all of them are. */
static enum status
owner_of(const char *path, struct owner *owner, bool *found, struct err *err)
{
	char *part = must(talloc_strdup(NULL, path)), *end = part, ch;
	struct owner above = { 0, 0 };
	enum status st = ST_OK;
	struct stat sb;
	int rc = 0;

	*owner = above;
	do {
		end += strspn(end, "/");
		end += strcspn(end, "/");
		ch = *end;
		*end = '\0';
		rc = lstat(part, &sb);
		if (rc == 0 && !take_part(owner, &above, &sb))
			break;		/* a user's link */
		/* Root's link leads where root wants it to. */
		if (rc == 0 && S_ISLNK(sb.st_mode) && (rc = stat(part,
		    &sb)) == 0)
			(void)take_part(owner, &above, &sb);
		*end = ch;
	} while (rc == 0 && ch != '\0');
	*found = rc == 0;
	if (rc == -1 && errno != ENOENT)
		st = err_sys(err, "%s", path);
	talloc_free(part);
	return st;
}

/* The owner of the mail.  For a virtual user that of the Maildir: one account
 * has the mail of many.  Where there is none yet, of what is above it. */
static enum status
whose(const struct record *rec, uid_t *uid, gid_t *gid, struct err *err)
{
	enum side lead = record_leader(rec);
	struct owner owner = { 0, 0 };
	enum status st = ST_OK;
	bool found = false;
	const char *mail;
	int i;

	if (rec->uid >= 0)
		owner.uid = (uid_t)rec->uid;
	for (i = 0; rec->uid < 0 && i < 2 && st == ST_OK && !found; i++) {
		mail = rec->side[i == 0 ? lead : lead == OLD ? NEW : OLD].mail;
		if (mail != NULL)
			st = owner_of(mail, &owner, &found, err);
	}
	*uid = owner.uid;
	*gid = owner.gid;
	return st;
}

static enum status
become_user(const struct record *rec, struct err *err)
{
	struct passwd *pw;
	enum status st;
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0)
		return ST_OK;
	st = whose(rec, &uid, &gid, err);
	if (st != ST_OK || uid == 0)
		return st;
	pw = getpwuid(uid);
	if (pw == NULL && rec->uid >= 0)
		return err_set(err, ST_NEVER, "uid %ld of %s is no system user",
		    rec->uid, rec->user);
	if (pw != NULL)
		gid = pw->pw_gid;
	if ((pw != NULL ? initgroups(pw->pw_name, gid) :
	    setgroups(1, &gid)) == -1 || setgid(gid) == -1 || setuid(uid) == -1)
		return err_sys(err, "become uid %ld", (long)uid);
	return ST_OK;
}

static void NORETURN
child(const struct worker *w, const struct record *rec, pid_t parent,
    as_user_fn *fn, void *arg, int out)
{
	struct err err;
	char line[sizeof(err.text) + 16], *p;
	enum status st;
	int n;

	umask(077);
	(void)signal(SIGPIPE, SIG_DFL);
	st = become_user(rec, &err);
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
worker_begin(TALLOC_CTX *ctx, const struct record *rec, int deadline,
    as_user_fn *fn, void *arg, as_user_line_fn *line, void *line_arg,
    struct worker **out, struct err *err)
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
		child(w, rec, parent, fn, arg, pipefd[1]);
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
as_user(const struct record *rec, int deadline, as_user_fn *fn, void *arg,
    as_user_line_fn *line, void *line_arg, struct err *err)
{
	struct worker *w = NULL;
	enum status st;

	st = worker_begin(NULL, rec, deadline, fn, arg, line, line_arg, &w,
	    err);
	return st == ST_OK ? workers_end(&w, 1, err) : st;
}
