/*
 * main.c - mailferry-lda: one message from the mail system to its mailbox
 *
 * An edge: it logs, and turns an outcome into an exit status and, before a
 * deferral, into one `4.x.x` line.  With a map it exits 0 or 75, nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lda/account.h"
#include "lda/envelope.h"
#include "lda/message.h"
#include "lda/place.h"
#include "lda/transaction.h"
#include "maps/base/clock.h"
#include "maps/base/file.h"
#include "maps/base/log.h"

#ifndef VERSION
#define VERSION "0.1"
#endif

extern char **environ;

struct run {
	struct envelope	*env;
	struct conf	*conf;
	struct map	*map;
	struct record	*rec;
	struct message	*msg;
	struct delivery	 dv;
	struct place	 place;		/* without a map */
	const char	*user, *home;
	bool		 mapped;	/* a map is configured */
	long long	 until;		/* clock_ms() of the deadline: one for all
					   users, and from the first byte on */
};

/* Postfix takes what is written to either as the reason. */
static bool
output_is_postfix(void)
{
	struct stat a, b;

	return fstat(STDOUT_FILENO, &a) == 0 && fstat(STDERR_FILENO, &b) == 0 &&
	    S_ISFIFO(a.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void
say(int fd, const char *code, const char *text)
{
	char line[700];
	int len = snprintf(line, sizeof(line), "%s %s\n", code, text);

	(void)!write(fd, line, (size_t)len);
}

static int
defer(const struct run *r, const char *code, const struct err *err)
{
	struct logline l;

	log_begin(&l, LOG_WARNING, "deferred");
	log_str(&l, "user", r->user != NULL ? r->user : "?");
	if (r->rec != NULL)
		log_str(&l, "state", state_name(r->rec->state));
	if (r->dv.plan.retry_after != 0)
		log_num(&l, "retry", r->dv.plan.retry_after);
	log_str(&l, "why", err->text);
	log_end(&l);
	if (r->mapped || output_is_postfix())
		say(STDOUT_FILENO, code, err->text);
	else
		say(STDERR_FILENO, "mailferry-lda:", err->text);
	return EX_TEMPFAIL;
}

static int
delivered(const struct run *r)
{
	struct logline l;

	log_begin(&l, LOG_INFO, r->dv.known ? "known" : "delivered");
	log_str(&l, "user", r->user);
	log_str(&l, "state", state_name(r->dv.state));
	log_str(&l, "to", r->dv.path);
	log_num(&l, "uid", r->dv.uid);
	log_num(&l, "bytes", r->msg->size);
	log_end(&l);
	return EX_OK;
}

/* -d USER: root becomes him; who is not root asks in his name, and mapd says
 * whether he may. */
static enum status
recipient(struct run *r, struct err *err)
{
	struct account *a;
	enum status st;

	r->user = r->env->recipient_user;
	r->home = r->env->home;
	if (getuid() == 0)
		r->env->invoker = "root";
	if (geteuid() != 0 && r->mapped)
		return ST_OK;
	st = account_find(r->env, r->user, 0, NULL, &a, err);
	if (st == ST_NONE)
		return err_set(err, ST_NEVER, "no such user: %s", r->user);
	if (st == ST_OK && geteuid() != 0 && a->uid != getuid())
		return err_set(err, ST_NEVER, "only root may deliver for %s",
		    r->user);
	if (st == ST_OK && geteuid() != 0) {
		if (r->home == NULL)
			r->home = a->home;
		return ST_OK;
	}
	if (st == ST_OK && !r->mapped && r->conf->mail[OLD] == NULL &&
	    envelope_set(r->env, "DEFAULT") == NULL)
		st = place_make_mbox(a->name, a->uid, err);
	if (st == ST_OK)
		st = account_become(a, err);
	if (st == ST_OK)
		r->home = a->home;
	return st;
}

static enum status
who(struct run *r, struct err *err)
{
	struct account *a;
	enum status st;

	if (r->env->recipient_user != NULL)
		return recipient(r, err);
	r->home = r->env->home;
	r->user = r->env->env_user;
	if (r->mapped && r->user == NULL)
		return err_set(err, ST_NEVER, "for whom? neither -d nor LOGNAME");
	if (r->mapped)
		return ST_OK;		/* the record's uid is compared */
	/* procmail's place: whose uid it is, whatever the environment says. */
	st = account_find(r->env, NULL, getuid(), r->user, &a, err);
	if (st == ST_NONE)
		return err_set(err, ST_NEVER, "uid %ld is no user",
		    (long)getuid());
	if (st != ST_OK)
		return st;
	if (r->user != NULL && strcmp(r->user, a->name) != 0)
		return err_set(err, ST_NEVER, "the environment says %s, but uid %ld "
		    "is %s: an alias for %s is missing", r->user, (long)getuid(),
		    a->name, r->user);
	r->user = a->name;
	if (r->home == NULL)
		r->home = a->home;
	return ST_OK;
}

/* Postfix runs the LDA for root as nobody, with root in the environment. */
static enum status
is_himself(const struct run *r, struct err *err)
{
	struct account *a;
	enum status st;

	if (r->env->recipient_user != NULL)
		return ST_OK;
	if (r->rec->uid != -1)
		return (uid_t)r->rec->uid == getuid() ? ST_OK : err_set(err,
		    ST_NEVER, "we run as uid %ld, but %s is uid %ld",
		    (long)getuid(), r->user, r->rec->uid);
	st = account_find(r->env, NULL, getuid(), r->user, &a, err);
	if (st != ST_OK && st != ST_NONE)
		return st;
	return st == ST_OK && strcmp(a->name, r->user) == 0 ? ST_OK :
	    err_set(err, ST_NEVER, "we run as uid %ld, which is not %s's: an alias "
	    "for %s is missing", (long)getuid(), r->user, r->user);
}

static enum status
no_rcfile(const char *path, struct err *err)
{
	struct stat sb;

	/* EACCES: not his to read, procmail goes on without as well. */
	if (stat(path, &sb) == -1)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES ?
		    ST_OK : err_sys(err, "%s", path);
	if (sb.st_size == 0)
		return ST_OK;
	return err_set(err, ST_NEVER, "%s is there, and this version cannot run "
	    "it: its mail waits, so that no filter is lost", path);
}

/* Rules that we cannot run must not be lost in silence. */
static enum status
no_rules(const struct run *r, struct err *err)
{
	enum status st;
	char *rc;

	if (r->env->mailfilter || r->env->rcfiles[0] != NULL)
		return err_set(err, ST_NEVER,
		    "this version cannot run rc files");
	if (r->env->no_rcfile)
		return ST_OK;
	st = no_rcfile("/etc/procmailrc", err);
	if (st != ST_OK || r->home == NULL)
		return st;
	rc = must(talloc_asprintf(r->env, "%s/.procmailrc", r->home));
	return no_rcfile(rc, err);
}

/* pipe(8) does not name it: then its parts.  u+a and u+b of one message are two. */
static const char *
envelope_recipient(const struct run *r)
{
	if (r->env->recipient != NULL)
		return r->env->recipient;
	return *r->env->extension == '\0' ? r->user :
	    must(talloc_asprintf(r->env, "%s+%s", r->user, r->env->extension));
}

static enum status
into_mailbox(struct run *r, struct err *err)
{
	r->dv = (struct delivery){ .ctx = r->env, .map = r->map, .conf = r->conf,
	    .user = r->user, .home = r->home, .recipient = envelope_recipient(r),
	    .folder = r->conf->extension_mailboxes ?
	    place_folder(r->env, r->env->extension) : "", .uids = r->mapped,
	    .until = r->until };
	return deliver(&r->dv, r->rec, r->msg, err);
}

/* Without a map: where procmail would put it, or into the configured Maildir. */
static enum status
in_procmails_place(struct run *r, struct err *err)
{
	enum status st;

	st = place_choose(r->env, r->env, r->user, r->home,
	    r->rec->side[OLD].mail, &r->place, err);
	if (st != ST_OK)
		return st;
	switch (r->place.kind) {
	case PLACE_MAILDIR:
		if (r->place.path != r->rec->side[OLD].mail)
			r->rec->side[OLD] = (struct location){ r->place.path,
			    NULL, NULL };
		return into_mailbox(r, err);
	case PLACE_MBOX:
		r->dv.path = r->place.path;
		return place_append(r->env, r->env, r->place.path, r->msg,
		    r->conf->deadline * 750L, err);
	case PLACE_NOWHERE:
		r->dv.path = r->place.path;
		break;
	}
	return ST_OK;
}

static enum status
run_delivery(struct run *r, struct err *err)
{
	enum status st;

	st = message_begin(r->env, r->env, STDIN_FILENO, &r->msg, err);
	if (st == ST_OK)
		st = map_open(r->env, r->conf, 0, &r->map, err);
	if (st == ST_OK)
		st = map_get(r->map, r->env, r->user, r->home, time(NULL), &r->rec,
		    err);
	if (st == ST_OK && !r->mapped)
		return in_procmails_place(r, err);
	if (st == ST_OK)
		st = is_himself(r, err);
	if (st == ST_OK)
		st = place_check(r->env, r->env, r->home, r->rec, err);
	return st == ST_OK ? into_mailbox(r, err) : st;
}

static const char usage[] =
    "usage: mailferry-lda [--config FILE] [-ptoYm] [-f sender] [-a argument]...\n"
    "                     [-d user] [VAR=value]... [rcfile]...\n";

static int
help(const struct envelope *env)
{
	const char *text = env->help ? usage : "mailferry-lda " VERSION "\n";

	(void)!write(STDOUT_FILENO, text, strlen(text));
	return EX_OK;
}

/*
 * SIGALRM's default action is the deadline: it ends us even where a filer hangs,
 * and death by a signal defers.  Whoever called us may have ignored or blocked it.
 */
static void
set_deadline(const struct run *r)
{
	long long left = (r->until - clock_ms() + 999) / 1000;
	sigset_t set;

	(void)alarm(left < 1 ? 1 : (unsigned)left);
	(void)signal(SIGALRM, SIG_DFL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGALRM);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* The delivery to one user, of the message on the standard input. */
static int
one_user(struct run *r)
{
	struct err err;
	enum status st;

	set_deadline(r);
	r->user = r->env->recipient_user;
	st = who(r, &err);
	if (st == ST_OK)
		st = no_rules(r, &err);
	if (st == ST_OK)
		st = run_delivery(r, &err);
	if (st == ST_OK)
		return delivered(r);
	return defer(r, r->dv.plan.retry_after != 0 ? "4.2.1" : err_dsn(&err),
	    &err);
}

/* The standard input in a file without a name, to be read several times. */
static enum status
spool_input(struct err *err)
{
	char buf[65536];
	ssize_t n;
	int fd;

	/* What we say must not go into the message where fds 1 and 2 are closed;
	 * nor is a closed fd 0 an empty message. */
	do
		fd = open("/dev/null", O_WRONLY);
	while (fd != -1 && fd <= STDERR_FILENO);
	if (fd == -1)
		return err_sys(err, "/dev/null");
	(void)close(fd);
	fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd == -1)
		return err_sys(err, "a file in /var/tmp");
	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 || file_write(fd, buf, (size_t)n) == -1)
			return err_sys(err, "copy the message");
	}
	if (message_orphaned())
		return err_set(err, ST_AGAIN,
		    "the mail system that sent the message is gone");
	return dup2(fd, STDIN_FILENO) == -1 ? err_sys(err, "dup") : ST_OK;
}

/* -d with several users: each in a process of his own.  One that is deferred
 * defers all of them, as there is one exit status. */
static int
several_users(struct run *r)
{
	const char **user = r->env->more_users;
	int worst = EX_OK, status;
	struct err err;
	pid_t pid;

	set_deadline(r);
	if (spool_input(&err) != ST_OK)
		return defer(r, err_dsn(&err), &err);
	(void)alarm(0);			/* each has his own, and they end in time */
	do {
		if (lseek(STDIN_FILENO, 0, SEEK_SET) == -1 || (pid = fork()) == -1) {
			(void)err_sys(&err, "deliver to %s",
			    r->env->recipient_user);
			return defer(r, err_dsn(&err), &err);
		}
		if (pid == 0)
			exit(one_user(r));
		while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
			continue;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != EX_OK)
			worst = EX_TEMPFAIL;
		r->env->recipient_user = *user;
	} while (*user++ != NULL);
	return worst;
}

int
main(int argc, char **argv)
{
	struct run r = { .mapped = false };
	struct err err;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(077);
	if (envelope_read(NULL, argc, argv, environ, &r.env, &err) != ST_OK) {
		r.mapped = output_is_postfix();
		return defer(&r, "4.3.5", &err);
	}
	if (r.env->help || r.env->version)
		return help(r.env);
	if (conf_load(r.env, r.env->config, &r.conf, &err) != ST_OK)
		return defer(&r, err_dsn(&err), &err);
	(void)log_open("mailferry-lda", r.conf->log, r.conf->debug ? LOG_DEBUG :
	    LOG_INFO);
	r.mapped = strcmp(r.conf->map, "none") != 0;
	r.until = clock_ms() + r.conf->deadline * 1000LL;
	return r.env->more_users[0] != NULL ? several_users(&r) : one_user(&r);
}
