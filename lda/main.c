/* SPDX-License-Identifier: ISC */
/*
 * main.c - mailferry-lda: one message from the mail system to its mailbox
 *
 * The edge that talks: it logs, and turns an outcome into an exit status and,
 * before a deferral, into one `4.x.x` line.  With a map the exit status is 0
 * or 75, unless an rc file sets another.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lda/filtering.h"
#include "lda/inbox.h"
#include "lda/recipient.h"
#include "maps/base/clock.h"
#include "maps/base/file.h"
#include "maps/base/log.h"

#define POOL	(64 * 1024)	/* bytes of the first talloc block */

extern char **environ;

struct run {
	struct envelope	*env;
	struct conf	*conf;
	struct recipient to;
	bool		 mapped;	/* a map is configured */
	long long	 until;		/* clock_ms() of the deadline: one for
					   all users, from the first byte on */
	const struct record *rec;	/* for the log; NULL: not read */
	long long	 retry_after;	/* seconds; 0: not known */
};

/* Does Postfix read our output?  It takes it as the reason of a deferral. */
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
	log_str(&l, "user", r->to.user != NULL ? r->to.user : "?");
	if (r->rec != NULL)
		log_str(&l, "state", state_name(r->rec->state));
	if (r->retry_after != 0)
		log_num(&l, "retry", r->retry_after);
	log_str(&l, "why", err->text);
	log_end(&l);
	if (r->to.refusal != 0) {
		say(STDERR_FILENO, "procmail:", err->text);
		return r->to.refusal;
	}
	if (r->mapped || output_is_postfix())
		say(STDOUT_FILENO, code, err->text);
	else
		say(STDERR_FILENO, "mailferry-lda:", err->text);
	return EX_TEMPFAIL;
}

/* Beside the delivery, which it does not keep from its place. */
static void
log_stray(const char *user, const struct delivery *dv)
{
	struct logline l;

	log_begin(&l, LOG_WARNING, "stray");
	log_str(&l, "user", user);
	log_str(&l, "in", dv->stray_in);
	log_num(&l, "uid", dv->stray);
	log_str(&l, "file", dv->stray_name);
	log_end(&l);
}

static int
log_delivered(const char *user, const struct delivery *dv,
    const struct message *msg)
{
	struct logline l;

	if (dv->stray != 0)
		log_stray(user, dv);
	log_begin(&l, LOG_INFO, dv->known ? "known" : "delivered");
	log_str(&l, "user", user);
	log_str(&l, "state", state_name(dv->state));
	log_str(&l, "to", dv->path);
	log_num(&l, "uid", dv->uid);
	log_num(&l, "bytes", msg->size);
	log_end(&l);
	return EX_OK;
}

/* One delivery to a mailbox of the plan, by an rc file. */
static void
plan_delivered(void *arg, const struct delivery *dv, const struct message *msg)
{
	const struct run *r = arg;

	(void)log_delivered(r->to.user, dv, msg);
}

static int
log_filtered(const char *user, const struct recipe_result *result)
{
	struct logline l;

	log_begin(&l, LOG_INFO, "filtered");
	log_str(&l, "user", user);
	log_str(&l, "to", result->folder);
	log_num(&l, "bytes", (long long)result->bytes);
	log_num(&l, "status", result->status);
	log_end(&l);
	return result->status;
}

/* true: there were rc files, and *status is the exit status. */
static bool
filter(struct run *r, int *status, enum status *st, struct err *err)
{
	struct filtering f = { .env = r->env, .conf = r->conf,
	    .mapped = r->mapped, .to = &r->to, .delivered = plan_delivered,
	    .arg = r };
	bool wanted = false;

	*st = filtering_wanted(&f, &wanted, err);
	if (*st == ST_OK && wanted)
		*st = filtering_run(&f, err);
	r->rec = f.rec;
	r->retry_after = f.retry_after;
	if (*st == ST_OK && wanted)
		*status = log_filtered(r->to.user, &f.result);
	return wanted;
}

/* No rc files: into the inbox. */
static enum status
deliver_unfiltered(struct run *r, struct err *err)
{
	struct inbox in = { .env = r->env, .conf = r->conf,
	    .mapped = r->mapped, .to = &r->to, .until = r->until };
	enum status st;

	st = inbox_deliver(&in, err);
	r->rec = in.rec;
	r->retry_after = in.dv.plan.retry_after;
	if (st == ST_OK)
		(void)log_delivered(r->to.user, &in.dv, in.msg);
	return st;
}

static const char usage[] =
    "usage: mailferry-lda [--config FILE] [-ptoYm] [-f sender] "
    "[-a argument]...\n"
    "                     [-d user] [VAR=value]... [rcfile]...\n";

static int
help(const struct envelope *env)
{
	const char *text = env->help ? usage : "mailferry-lda " VERSION "\n";

	(void)!write(STDOUT_FILENO, text, strlen(text));
	return EX_OK;
}

/*
 * SIGALRM's default action enforces the deadline: it ends the process even if
 * a filer hangs, and Postfix defers after death by a signal.  The caller may
 * have ignored or blocked the signal.
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

/* Deliver the message on the standard input to one user. */
static int
one_user(struct run *r)
{
	int status = EX_TEMPFAIL;
	struct err err;
	enum status st;

	set_deadline(r);
	r->to.user = r->env->recipient_user;
	if (r->env->mailfilter && r->env->rcfiles[0] == NULL) {
		r->to.refusal = EX_NOINPUT;
		(void)err_set(&err, ST_NEVER, "Missing rcfile");
		return defer(r, "4.3.5", &err);
	}
	st = recipient_find(r->env, r->conf, r->mapped, &r->to, &err);
	if (st == ST_OK && filter(r, &status, &st, &err) && st == ST_OK)
		return status;
	if (st == ST_OK)
		st = deliver_unfiltered(r, &err);
	if (st == ST_OK)
		return EX_OK;
	return defer(r, r->retry_after != 0 ? "4.2.1" : err_dsn(&err), &err);
}

/* Print nothing more to the mail system.  The whole input was read, so that
 * the pipe need not be watched any longer. */
static void
hush(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null == -1)
		return;
	(void)dup2(null, STDOUT_FILENO);
	(void)dup2(null, STDERR_FILENO);
	(void)close(null);
}

/* -d with several users: each is delivered to by a process of its own.  There
 * is one exit status: if one delivery is deferred, all are. */
static int
several_users(struct run *r)
{
	const char **user = r->env->more_users;
	int worst = EX_OK, status;
	struct err err;
	pid_t pid;

	set_deadline(r);
	if (message_spool(STDIN_FILENO, &err) != ST_OK)
		return defer(r, err_dsn(&err), &err);
	(void)alarm(0);			/* each process sets its own */
	do {
		if (lseek(STDIN_FILENO, 0, SEEK_SET) == -1 ||
		    (pid = fork()) == -1) {
			(void)err_sys(&err, "deliver to %s",
			    r->env->recipient_user);
			return defer(r, err_dsn(&err), &err);
		}
		if (pid == 0)
			exit(one_user(r));
		while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
			continue;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != EX_OK) {
			/* Only the first reason is printed. */
			if (worst == EX_OK && WIFEXITED(status))
				hush();
			worst = EX_TEMPFAIL;
		}
		r->env->recipient_user = *user;
	} while (*user++ != NULL);
	return worst;
}

/*
 * procmail may be set-id; this program would give its caller the rights of its
 * owner, by --config alone.
 */
static int
refuse_set_id(void)
{
	say(STDOUT_FILENO, "4.3.5", "mailferry-lda has a set-id bit or file "
	    "capabilities: chmod ug-s it, setcap -r it");
	return EX_TEMPFAIL;
}

int
main(int argc, char **argv)
{
	struct run r = { .mapped = false };
	TALLOC_CTX *ctx = must(talloc_pool(NULL, POOL));
	struct err err;

	if (getauxval(AT_SECURE) != 0)
		return refuse_set_id();
	file_standard();
	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(077);
	if (envelope_read(ctx, argc, argv, environ, &r.env, &err) != ST_OK) {
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
	if (r.env->unknown != NULL)
		say(STDERR_FILENO, "procmail: Unrecognised options:",
		    r.env->unknown);
	if (r.env->lacking != NULL)
		say(STDERR_FILENO, "procmail: Missing argument:",
		    r.env->lacking);
	if (r.env->lmtp) {
		say(STDERR_FILENO, "procmail:", "LMTP is not spoken here");
		return EX_USAGE;
	}
	return r.env->more_users[0] != NULL ? several_users(&r) : one_user(&r);
}
