/*
 * barrier.c - wait until nobody delivers by a former state any more
 */
#include "lda/store/barrier.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lda/store/catchup.h"
#include "maps/base/file.h"

#define LISTINGS	10		/* until two agree */

struct visit {				/* one barrier, in the child */
	TALLOC_CTX		*ctx;
	const struct record	*rec;
	const struct conf	*conf;
	enum side		 next;
	long			 wait;	/* ms for each mailbox's locks */
	int			 out;	/* floors go here, as they are found */
};

static bool
listed(const char **list, const char *folder)
{
	for (; *list != NULL; list++)
		if (strcmp(*list, folder) == 0)
			return true;
	return false;
}

/* The mailboxes of both sides, each once; a side that is not there has none. */
static enum status
list_both(const struct visit *v, TALLOC_CTX *ctx, const char ***all,
    struct err *err)
{
	const char **one;
	enum status st;
	size_t n = 0, i;
	int side;

	*all = must(talloc_zero_array(ctx, const char *, 1));
	for (side = OLD; side <= NEW; side++) {
		if (v->rec->side[side].mail == NULL)
			continue;
		st = filer_check(v->conf->filer[side], err);
		if (st != ST_OK)
			return st;
		st = maildir_list(ctx, &v->rec->side[side], &one, err);
		if (st == ST_NONE)
			continue;
		if (st != ST_OK)
			return st;
		for (i = 0; one[i] != NULL; i++) {
			if (listed(*all, one[i]))
				continue;
			*all = must(talloc_realloc(ctx, *all, const char *,
			    (unsigned)n + 2));
			(*all)[n++] = one[i];
			(*all)[n] = NULL;
		}
	}
	return ST_OK;
}

static bool
list_same(const char **a, const char **b)
{
	const char **p;

	for (p = a; *p != NULL; p++)
		if (!listed(b, *p))
			return false;
	for (p = b; *p != NULL; p++)
		if (!listed(a, *p))
			return false;
	return true;
}

/* readdir() may miss what is being renamed: two listings must agree. */
static enum status
list_mailboxes(const struct visit *v, const char ***all, struct err *err)
{
	const char **before = NULL;
	enum status st;
	int i;

	for (i = 0; i < LISTINGS; i++) {
		st = list_both(v, v->ctx, all, err);
		if (st != ST_OK)
			return st;
		if (before != NULL && list_same(before, *all))
			return ST_OK;
		before = *all;
	}
	return err_set(err, ST_AGAIN, "the mailboxes of %s keep changing",
	    v->rec->user);
}

/* Open it on the leader's side, then on the other; make it only to lead. */
static enum status
open_both(const struct visit *v, TALLOC_CTX *ctx, const char *folder,
    struct mailbox box[2], struct mailboxes *set, struct err *err)
{
	enum side lead = record_leader(v->rec), side;
	enum status st;
	bool make;
	int i;

	set->n = 0;
	for (i = 0; i < 2; i++) {
		side = i == 0 ? lead : lead == OLD ? NEW : OLD;
		if (v->rec->side[side].mail == NULL)
			continue;
		/* What only the follower has is no mailbox to lead with. */
		make = side == v->next && set->n == 1;
		box[set->n] = (struct mailbox){ .side = side };
		box[set->n].uids.fd = box[set->n].log.fd = -1;
		st = maildir_open(ctx, &v->rec->side[side], folder,
		    v->conf->filer[side], make, &box[set->n].md, err);
		if (st == ST_NONE)
			continue;
		if (st != ST_OK)
			return st;
		set->box[set->n] = &box[set->n];
		set->n++;
	}
	return ST_OK;
}

static uint32_t
higher(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/*
 * The next leader becomes the same mailbox, with an N that is above everything
 * the present one may have shown, and with its delivery log; a record's version
 * from before the change is not followed any more.
 */
static enum status
hand_over(const struct visit *v, struct mailboxes *set, struct err *err)
{
	struct mailbox *lead = set->box[0], *next = set->box[1];
	int64_t now = time(NULL), keep = (int64_t)v->conf->log_days * 86400;
	char line[128];
	enum status st;
	uint32_t n;

	st = mailboxes_agree(set, v->rec, INT64_MAX, err);
	if (st != ST_OK)
		return st;
	n = higher(higher(lead->uids.next, next->uids.next),
	    record_floor(v->rec, lead->uids.guid, lead->uids.validity));
	st = uidlist_raise(&next->uids, next->md->ctl, n, err);
	if (st == ST_OK && lead->log.fd != -1 && next->log.fd == -1)
		st = deliveries_make(&next->log, next->md->ctl, next->md->fmode,
		    next->md->gid, err);
	if (st == ST_OK)
		st = deliveries_merge(&next->log, next->md->ctl, &lead->log, now,
		    keep, err);
	if (st == ST_OK)
		st = deliveries_lead(&next->log, v->rec->version + 1, err);
	if (st == ST_OK)
		st = deliveries_lead(&lead->log, v->rec->version + 1, err);
	if (st != ST_OK)
		return st;
	n = (uint32_t)snprintf(line, sizeof(line), "floor %s %lu %lu\n",
	    lead->uids.guid, (unsigned long)lead->uids.validity,
	    (unsigned long)n);
	return file_write(v->out, line, n) == -1 ?
	    err_sys(err, "write to the caller") : ST_OK;
}

static enum status
visit(const struct visit *v, const char *folder, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(v->ctx));
	int64_t keep = (int64_t)v->conf->log_days * 86400;
	struct mailbox box[2];
	struct mailboxes set;
	enum status st;
	int i;

	st = open_both(v, ctx, folder, box, &set, err);
	if (st != ST_OK || set.n == 0)
		goto out;
	st = mailboxes_lock(&set, v->wait, err);
	if (st != ST_OK)
		goto out;
	for (i = 0; i < set.n && st == ST_OK; i++)
		st = mailbox_read(set.box[i], false, err);
	if (st == ST_OK)
		st = mailboxes_decide(&set, time(NULL), keep, err);
	/* Mail without uidlist cannot be handed over: agree says what to do. */
	if (st == ST_OK && v->next != SIDE_NONE && set.n == 2)
		st = hand_over(v, &set, err);
	mailboxes_unlock(&set);
out:
	talloc_free(ctx);
	return st;
}

static enum status
visit_all(const struct visit *v, struct err *err)
{
	const char **all;
	enum status st;

	st = list_mailboxes(v, &all, err);
	for (; st == ST_OK && *all != NULL; all++)
		st = visit(v, *all, err);
	return st;
}

/* root_squash: on such a filer root is nobody, the user is himself. */
static enum status
become_user(const struct record *rec, struct err *err)
{
	struct passwd *pw;
	gid_t gid;

	if (geteuid() != 0 || rec->uid <= 0)
		return ST_OK;
	pw = getpwuid((uid_t)rec->uid);
	if (pw == NULL)
		return err_set(err, ST_NEVER, "uid %ld of %s is no system user",
		    rec->uid, rec->user);
	gid = pw->pw_gid;
	if (initgroups(pw->pw_name, gid) == -1 || setgid(gid) == -1 ||
	    setuid((uid_t)rec->uid) == -1)
		return err_sys(err, "become uid %ld", rec->uid);
	return ST_OK;
}

/* In the child: answers are lines, the last one `ok` or the outcome and why. */
static void NORETURN
child(struct visit *v)
{
	struct err err;
	char line[sizeof(err.text) + 16];
	enum status st;
	int n;

	umask(077);
	(void)alarm((unsigned)v->conf->deadline);
	st = become_user(v->rec, &err);
	if (st == ST_OK)
		st = visit_all(v, &err);
	n = snprintf(line, sizeof(line), "%s %s\n", status_name(st),
	    st == ST_OK ? "" : err.text);
	_exit(file_write(v->out, line, (size_t)n) == -1);
}

static enum status
add_floor(TALLOC_CTX *ctx, const char *line, struct floor **floors, size_t *n)
{
	unsigned long validity, next;
	struct floor *f;
	char guid[33];

	if (sscanf(line, "floor %32[0-9a-f] %lu %lu", guid, &validity, &next) != 3)
		return ST_NONE;
	*floors = must(talloc_realloc(ctx, *floors, struct floor,
	    (unsigned)*n + 1));
	f = &(*floors)[(*n)++];
	memcpy(f->guid, guid, sizeof(guid));
	f->validity = (uint32_t)validity;
	f->next = (uint32_t)next;
	return ST_OK;
}

/* The child's last line is the outcome; without one it died. */
static enum status
read_answer(TALLOC_CTX *ctx, FILE *in, struct floor **floors, size_t *n,
    struct err *err)
{
	char line[sizeof(err->text) + 16];

	while (fgets(line, sizeof(line), in) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (add_floor(ctx, line, floors, n) == ST_OK)
			continue;
		if (strncmp(line, "ok", 2) == 0)
			return ST_OK;
		if (strncmp(line, "never ", 6) == 0)
			return err_set(err, ST_NEVER, "%s", line + 6);
		if (strncmp(line, "again ", 6) == 0)
			return err_set(err, ST_AGAIN, "%s", line + 6);
		break;
	}
	return err_set(err, ST_AGAIN, "the barrier did not end in time: a filer "
	    "hangs, or a mailbox stays locked");
}

enum status
barrier(TALLOC_CTX *ctx, const struct record *rec, const struct conf *conf,
    enum side next, struct floor **floors, size_t *nfloors, struct err *err)
{
	struct visit v = { ctx, rec, conf, next, conf->deadline * 1000L, -1 };
	int pipefd[2], status;
	enum status st;
	FILE *in;
	pid_t pid;

	*floors = NULL;
	*nfloors = 0;
	if (pipe2(pipefd, O_CLOEXEC) == -1)
		return err_sys(err, "pipe");
	pid = fork();
	if (pid == -1) {
		st = err_sys(err, "fork");
		(void)close(pipefd[0]);
		(void)close(pipefd[1]);
		return st;
	}
	if (pid == 0) {
		(void)close(pipefd[0]);
		v.out = pipefd[1];
		child(&v);
	}
	(void)close(pipefd[1]);
	in = fdopen(pipefd[0], "r");
	st = in == NULL ? err_sys(err, "fdopen") :
	    read_answer(ctx, in, floors, nfloors, err);
	if (in != NULL)
		(void)fclose(in);
	(void)kill(pid, SIGKILL);	/* it has answered, or hangs in a filer */
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		continue;
	return st;
}
