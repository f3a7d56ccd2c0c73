/* SPDX-License-Identifier: ISC */
/*
 * main.c - mailferry-lda: one message from the mail system to its mailbox
 *
 * An edge: it logs, and turns an outcome into an exit status and, before a
 * deferral, into one `4.x.x` line.  With a map it exits 0 or 75, nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
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
#include "lda/plan_sink.h"
#include "lda/rules.h"
#include "lda/transaction.h"
#include "maps/base/clock.h"
#include "maps/base/file.h"
#include "maps/base/log.h"

#define POOL	(64 * 1024)	/* bytes that malloc() is asked for at once */

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
	struct account	*account;	/* of the user, where he is one */
	bool		 mapped;	/* a map is configured */
	long long	 until;		/* clock_ms() of the deadline: one for all
					   users, and from the first byte on */
	bool		 privileged;	/* root still, for /etc/procmailrc */
	int		 refusal;	/* exit status that says never; 0: defer */
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
	if (r->refusal != 0) {
		say(STDERR_FILENO, "procmail:", err->text);
		return r->refusal;
	}
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

/* A user who is not there, for certain: no source that may be down was asked. */
static bool
passwd_is_all(TALLOC_CTX *ctx)
{
	char *text, *line;
	struct err err;
	size_t len;

	if (file_read(ctx, AT_FDCWD, "/etc/nsswitch.conf", 65536, &text, &len,
	    &err) != ST_OK)
		return false;
	line = strstr(text, "passwd:");
	if (line == NULL)
		return false;
	line[strcspn(line, "\n")] = '\0';
	return strstr(line, "ldap") == NULL && strstr(line, "nis") == NULL &&
	    strstr(line, "sss") == NULL && strstr(line, "winbind") == NULL;
}

/* The rc files decided: their line in the log. */
static int
ruled(const struct run *r, const struct recipe_result *result)
{
	struct logline l;

	log_begin(&l, LOG_INFO, "filtered");
	log_str(&l, "user", r->user);
	log_str(&l, "to", result->folder);
	log_num(&l, "bytes", (long long)result->bytes);
	log_num(&l, "status", result->status);
	log_end(&l);
	return result->status;
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
	if (st == ST_NONE) {
		if (!r->mapped && passwd_is_all(r->env))
			r->refusal = EX_NOUSER;
		return err_set(err, ST_NEVER, "no such user: %s", r->user);
	}
	if (st == ST_OK && geteuid() != 0 && a->uid != getuid()) {
		r->refusal = EX_NOPERM;
		return err_set(err, ST_NEVER, "only root may deliver for %s",
		    r->user);
	}
	if (st == ST_OK)
		r->account = a;
	if (st == ST_OK && geteuid() != 0) {
		if (r->home == NULL)
			r->home = a->home;
		return ST_OK;
	}
	if (st == ST_OK && !r->mapped && r->conf->mail[OLD] == NULL &&
	    envelope_set(r->env, "DEFAULT") == NULL)
		st = place_make_mbox(a->name, a->uid, err);
	/* /etc/procmailrc is root's own, in procmail's place. */
	r->privileged = st == ST_OK && !r->mapped &&
	    access("/etc/procmailrc", F_OK) == 0;
	if (st == ST_OK && !r->privileged)
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
	r->account = a;
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

/* Assignments that only the engine understands, though there is no rc file. */
static bool
needs_engine(const struct run *r)
{
	struct place place;
	struct err err;
	size_t i;

	for (i = 0; i < r->env->nset; i++)
		if (strcmp(r->env->set[i].name, "DEFAULT") != 0 &&
		    strcmp(r->env->set[i].name, "ORGMAIL") != 0 &&
		    strcmp(r->env->set[i].name, "MAILDIR") != 0)
			return true;
	return r->env->nset > 0 && place_choose(r->env, r->env, r->user, r->home,
	    NULL, &place, &err) != ST_OK;
}

/* With a map: whose account it is; a virtual user has a name and nothing else. */
static enum status
whose_rules(struct run *r, struct err *err)
{
	struct account *a = NULL;
	enum status st;

	if (r->account != NULL)
		return ST_OK;
	st = account_find(r->env, NULL, getuid(), r->user, &a, err);
	if (st != ST_OK && st != ST_NONE)
		return st;
	if (st == ST_NONE || strcmp(a->name, r->user) != 0) {
		a = must(talloc_zero(r->env, struct account));
		*a = (struct account){ r->user, "/nonexistent", "/bin/sh",
		    getuid(), getgid() };
	}
	r->account = a;
	return ST_OK;
}

static void
told(void *arg, const struct delivery *dv, const struct message *msg)
{
	struct run r = *(const struct run *)arg;

	r.dv = *dv;
	r.msg = (struct message *)(uintptr_t)msg;
	(void)delivered(&r);
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

/* With a map nothing runs while the mailbox is being moved, and what rc files
 * name below its roots is delivered by the plan. */
static enum status
by_the_plan(struct run *r, struct rules *rules, struct plan_sink *ps,
    struct err *err)
{
	enum status st = is_himself(r, err);

	if (st == ST_OK)
		st = whose_rules(r, err);
	if (st != ST_OK)
		return st;
	if (route(r->rec, time(NULL), &r->dv.plan) != ST_OK)
		return err_set(err, ST_AGAIN, "mailbox of %s is being moved, try "
		    "again in %lld s", r->user,
		    (long long)r->dv.plan.retry_after);
	ps->dv = (struct delivery){ .ctx = r->env, .map = r->map,
	    .conf = r->conf, .user = r->user, .home = r->home,
	    .plan = r->dv.plan, .recipient = envelope_recipient(r) };
	ps->rec = r->rec;
	ps->input = message_in_memory(r->env, rules->mail->b.p,
	    rules->mail->b.len, NULL);
	ps->told = told;
	ps->told_arg = r;
	plan_sink_begin(ps);
	rules->account = r->account;
	rules->sink = &ps->sink;
	rules->folder = r->conf->extension_mailboxes ?
	    place_folder(r->env, r->env->extension) : "";
	return ST_OK;
}

/*
 * The rc files of a user who has any, or the site's.  Who is no user of the
 * system has no rc file of his own.  true: *status is the exit status.
 */
static bool
run_rules(struct run *r, int *status, enum status *st, struct err *err)
{
	struct recipe_result result;
	struct rules rules = { .env = r->env, .conf = r->conf,
	    .account = r->account, .privileged = r->privileged };
	struct plan_sink sink = { .pid = 0 };
	bool wanted;

	*st = recipe_wanted(r->env, r->mapped || r->account == NULL ? r->home :
	    r->account->home, &wanted, err);
	if (*st == ST_OK && !wanted && (r->mapped || !needs_engine(r)))
		return false;
	if (*st != ST_OK)
		return true;
	*st = mail_read(r->env, r->env, STDIN_FILENO, &rules.mail, err);
	if (*st == ST_OK)
		*st = map_open(r->env, r->conf, 0, &r->map, err);
	if (*st == ST_OK)
		*st = map_get(r->map, r->env, r->user, r->home, time(NULL),
		    &r->rec, err);
	rules.rec = r->rec;
	if (*st == ST_OK && r->mapped)
		*st = by_the_plan(r, &rules, &sink, err);
	if (*st == ST_OK)
		*st = rules_run(r->env, &rules, &result, err);
	if (r->mapped && r->dv.plan.retry_after == 0)
		r->dv.plan.retry_after = sink.dv.plan.retry_after;
	*status = *st == ST_OK ? ruled(r, &result) : EX_TEMPFAIL;
	return true;
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
	if (st == ST_OK && r->map == NULL)
		st = map_open(r->env, r->conf, 0, &r->map, err);
	if (st == ST_OK)		/* behind the locks it is asked again */
		st = map_get_late(r->map, r->env, r->user, r->home, time(NULL),
		    &r->rec, err);
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
	int status = EX_TEMPFAIL;
	struct err err;
	enum status st;

	set_deadline(r);
	r->user = r->env->recipient_user;
	if (r->env->mailfilter && r->env->rcfiles[0] == NULL) {
		r->refusal = EX_NOINPUT;
		(void)err_set(&err, ST_NEVER, "Missing rcfile");
		return defer(r, "4.3.5", &err);
	}
	st = who(r, &err);
	if (st == ST_OK && run_rules(r, &status, &st, &err) && st == ST_OK)
		return status;
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

/* From here on nothing is said to the mail system.  The input is read already, so
 * that nobody need look whether it is still there. */
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
		if (!WIFEXITED(status) || WEXITSTATUS(status) != EX_OK) {
			/* One line is the reason; what others say is logged. */
			if (worst == EX_OK && WIFEXITED(status))
				hush();
			worst = EX_TEMPFAIL;
		}
		r->env->recipient_user = *user;
	} while (*user++ != NULL);
	return worst;
}

int
main(int argc, char **argv)
{
	struct run r = { .mapped = false };
	TALLOC_CTX *ctx = must(talloc_pool(NULL, POOL));
	struct err err;

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
