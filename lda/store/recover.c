/* SPDX-License-Identifier: ISC */
/*
 * recover.c - what became of a delivery whose process is gone, or asleep
 */
#include "lda/store/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FENCE_MAX (MAILDIR_NAME_MAX + 16)

struct deciding {			/* what the steps below share */
	struct mailbox	*lead, *follow;	/* follow NULL: one side only */
	int64_t		 now, keep;
};

/* "TIME.M1P2.host" of "TIME.M1P2.host,S=1,W=1": the name in tmp/.  Cuts
 * base. */
static void
cut_sizes(char *base)
{
	char *size = strstr(base, ",S=");

	if (size != NULL)
		*size = '\0';
}

/* Both sides, the follower first: the leader's word ends the undecided
 * state. */
static enum status
log_outcome(const struct deciding *dc, const struct intent *in,
    enum outcome outcome, struct err *err)
{
	enum status st = ST_OK;

	if (dc->follow != NULL)
		st = deliveries_decide(&dc->follow->log, dc->follow->md->ctl,
		    in, outcome, dc->now, dc->keep, err);
	if (st == ST_OK)
		st = deliveries_decide(&dc->lead->log, dc->lead->md->ctl, in,
		    outcome, dc->now, dc->keep, err);
	return st;
}

static enum status
sync_dir(int fd, const struct maildir *md, struct err *err)
{
	return fsync(fd) == -1 ? err_sys(err, "fsync %s", md->path) : ST_OK;
}

/* Has the uidlist this UID under this name? */
static enum status	has_line(const struct mailbox *, const struct intent *,
			    bool *, struct err *);

/*
 * The line of a void attempt.  Its UID stays used; but where the power was lost
 * and the leader never had that line (it is written first, and both are waited
 * for together) a client may be given the UID there: it must stay free here as
 * well.
 */
static enum status
strip_line(const struct mailbox *lead, struct mailbox *box,
    const struct intent *in, struct err *err)
{
	bool here, there = true;	/* its uidlist may be gone as well */
	enum status st;

	st = has_line(box, in, &here, err);
	if (st == ST_OK && here && lead->uids.fd != -1)
		st = has_line(lead, in, &there, err);
	if (st != ST_OK || !here)
		return st;
	return uidlist_drop(&box->uids, box->md->ctl, in->name,
	    !there && in->uid + 1 == box->uids.next ? in->uid : box->uids.next,
	    err);
}

/* Remove what a void attempt left on the follower, where only we write. */
static enum status
strip(const struct mailbox *lead, struct mailbox *box, const struct intent *in,
    const char *tmp, struct err *err)
{
	const char *sub = NULL;
	char *file = NULL;
	enum status st;

	if (unlinkat(box->md->tmp, tmp, 0) == -1 && errno != ENOENT)
		return err_sys(err, "%s: unlink tmp/%s", box->md->path, tmp);
	st = maildir_find(NULL, box->md, in->name, &sub, &file, err);
	if (st == ST_OK && unlinkat(strcmp(sub, "new") == 0 ? box->md->new :
	    box->md->cur, file, 0) == -1 && errno != ENOENT)
		st = err_sys(err, "%s: unlink %s/%s", box->md->path, sub, file);
	talloc_free(file);
	if (st != ST_OK && st != ST_NONE)
		return st;
	return strip_line(lead, box, in, err);
}

/*
 * The fence: renamed and synced, no sleeper can bring the file into new/ any
 * more. *held false: there is nothing to fence.  The rename itself is the
 * question, so that nobody's rename to new/ falls between question and fence.
 * Whoever made the fence may have died before he could log it: it still stands.
 */
static enum status
raise_fence(struct maildir *md, const char *tmp, bool *held, struct err *err)
{
	char fence[FENCE_MAX];
	enum status st;

	(void)snprintf(fence, sizeof(fence), "%s.void", tmp);
	*held = renameat(md->tmp, tmp, md->tmp, fence) == 0;
	if (!*held && errno != ENOENT)
		return err_sys(err, "%s: rename tmp/%s", md->path, tmp);
	st = *held ? ST_OK : maildir_in_tmp(md, fence, held, err);
	return st == ST_OK && *held ? sync_dir(md->tmp, md, err) : st;
}

/* Behind the fence.  The order is the meaning: logged, it is known why; only
 * then unlinked. */
static enum status
decide_void(const struct deciding *dc, const struct intent *in, const char *tmp,
    struct err *err)
{
	char fence[FENCE_MAX];
	struct maildir *md = dc->lead->md;
	enum status st = ST_OK;

	if (dc->follow != NULL)
		st = strip(dc->lead, dc->follow, in, tmp, err);
	if (st == ST_OK)
		st = log_outcome(dc, in, OUTCOME_VOID, err);
	if (st == ST_OK)
		st = deliveries_sync(&dc->lead->log, err);
	(void)snprintf(fence, sizeof(fence), "%s.void", tmp);
	if (st == ST_OK && unlinkat(md->tmp, fence, 0) == -1 && errno != ENOENT)
		st = err_sys(err, "%s: unlink tmp/%s", md->path, fence);
	return st;
}

static enum status
has_line(const struct mailbox *box, const struct intent *in, bool *has,
    struct err *err)
{
	struct uidlist_line *lines = NULL;
	TALLOC_CTX *ctx;
	enum status st;
	size_t n = 0;

	*has = false;
	if (box->uids.fd == -1 || in->uid == 0 || in->uid >= box->uids.next)
		return ST_OK;
	ctx = must(talloc_new(NULL));
	st = uidlist_from(ctx, &box->uids, in->uid, &lines, &n, err);
	*has = st == ST_OK && n > 0 && lines[0].uid == in->uid &&
	    strcmp(lines[0].name, in->name) == 0;
	talloc_free(ctx);
	return st == ST_OK ? st : err_wrap(err, st, "%s", box->md->path);
}

/*
 * The follower is renamed before the leader, so it lacks a landed message only
 * when its filer lost the rename, or when it had no part in the delivery.  Then
 * it has no line for it either: to catch up is what brings it there, with all
 * that lies below, in order.
 */
static enum status
complete(const struct deciding *dc, const struct intent *in, const char *tmp,
    struct err *err)
{
	struct mailbox *lead = dc->lead, *follow = dc->follow;
	const char *sub = NULL, *had = NULL;
	char *file = NULL, *mine = NULL;
	int fd = -1;
	enum status st;
	bool line;

	st = has_line(follow, in, &line, err);
	if (st != ST_OK || !line)
		return st;
	st = maildir_find(NULL, follow->md, in->name, &had, &mine, err);
	if (st != ST_NONE) {
		talloc_free(mine);
		return st;
	}
	st = maildir_open_message(NULL, lead->md, in->name, &sub, &file, &fd,
	    err);
	if (st == ST_OK) {
		st = maildir_copy_in(follow->md, fd, tmp, sub,
		    maildir_without_keywords(file, file), err);
		(void)close(fd);
		talloc_free(file);
	} else if (st == ST_NONE)	/* the client was faster */
		st = ST_OK;
	if (st == ST_OK && unlinkat(follow->md->tmp, tmp, 0) == -1 &&
	    errno != ENOENT)
		st = err_sys(err, "%s: unlink tmp/%s", follow->md->path, tmp);
	return st;
}

static enum status
decide_landed(const struct deciding *dc, const struct intent *in,
    const char *tmp, struct err *err)
{
	enum status st;

	st = sync_dir(dc->lead->md->new, dc->lead->md, err);
	if (st == ST_OK && dc->follow != NULL)
		st = complete(dc, in, tmp, err);
	if (st == ST_OK && dc->follow != NULL)
		st = sync_dir(dc->follow->md->new, dc->follow->md, err);
	return st == ST_OK ? log_outcome(dc, in, OUTCOME_DONE, err) : st;
}

/*
 * Has the leader the message before everybody's eyes?  That it has not proves
 * nothing, but where it has it was delivered.
 */
static enum status
is_seen(const struct deciding *dc, const struct intent *in, bool *seen,
    struct err *err)
{
	const char *sub = NULL;
	char *file = NULL;
	enum status st;

	st = maildir_find(NULL, dc->lead->md, in->name, &sub, &file, err);
	*seen = st == ST_OK;
	talloc_free(file);
	return st == ST_NONE ? ST_OK : st;
}

/* An intent of the leader's own log: its tmp/ is the judge, unless one was
 * there. */
static enum status
decide_lead(const struct deciding *dc, const struct intent *in, struct err *err)
{
	char tmp[MAILDIR_NAME_MAX + 1];
	enum outcome here = OUTCOME_UNKNOWN, there = OUTCOME_UNKNOWN;
	enum status st;
	bool held, seen = true;

	memcpy(tmp, in->name, sizeof(tmp));
	cut_sizes(tmp);
	st = deliveries_lookup(&dc->lead->log, in->key, in->name, &here, err);
	if (st == ST_OK && dc->follow != NULL)
		st = deliveries_lookup(&dc->follow->log, in->key, in->name,
		    &there, err);
	if (st != ST_OK)
		return st;
	if (there == OUTCOME_DONE)
		return log_outcome(dc, in, OUTCOME_DONE, err);
	st = raise_fence(dc->lead->md, tmp, &held, err);
	if (st == ST_OK && !held && dc->now - in->at > DELIVERIES_SWEPT)
		st = is_seen(dc, in, &seen, err);
	if (st != ST_OK)
		return st;
	/* Void is for ever, too: a sleeper may have written its intent
	 * again. */
	return held || here == OUTCOME_VOID || !seen ?
	    decide_void(dc, in, tmp, err) : decide_landed(dc, in, tmp, err);
}

/* An intent that only the follower has: the leader never got as far, or has
 * already said what came of it; or its log was lost, or is younger. */
static enum status
decide_follow(const struct deciding *dc, const struct intent *in,
    struct err *err)
{
	char tmp[MAILDIR_NAME_MAX + 1];
	enum outcome said;
	bool held, seen = false;
	enum status st;

	st = deliveries_lookup(&dc->lead->log, in->key, in->name, &said, err);
	if (st != ST_OK)
		return st;
	memcpy(tmp, in->name, sizeof(tmp));
	cut_sizes(tmp);
	if (said == OUTCOME_DONE)
		return decide_landed(dc, in, tmp, err);
	st = raise_fence(dc->lead->md, tmp, &held, err);
	if (st == ST_OK && !held && said == OUTCOME_UNKNOWN)
		st = is_seen(dc, in, &seen, err);
	if (st != ST_OK)
		return st;
	return seen ? decide_landed(dc, in, tmp, err) :
	    decide_void(dc, in, tmp, err);
}

static bool
has_landed(const struct deliveries *d, const unsigned char *key)
{
	int i;

	for (i = 0; i < DELIVERIES_SLOTS && d->fd != -1; i++)
		if (d->slot[i].outcome == OUTCOME_LANDED &&
		    memcmp(d->slot[i].key, key, DELIVERIES_KEY) == 0)
			return true;
	return false;
}

static bool
is_open(const struct deliveries *d, const struct intent *in, bool all)
{
	return d->fd != -1 && (in->outcome == OUTCOME_INTENT ||
	    (all && in->outcome == OUTCOME_LANDED));
}

enum status
recover_check(struct mailbox *lead, struct mailbox *follow, struct err *err)
{
	enum status st = dotlock_check(&lead->lock, err);

	return st == ST_OK && follow != NULL ?
	    dotlock_check(&follow->lock, err) : st;
}

enum status
recover_decide(struct mailbox *lead, struct mailbox *follow,
    const unsigned char *key, int64_t now, int64_t keep, struct err *err)
{
	struct deciding dc = { lead, follow, now, keep };
	bool all = key == NULL || has_landed(&dc.lead->log, key) ||
	    (dc.follow != NULL && has_landed(&dc.follow->log, key));
	enum status st = ST_OK;
	struct intent in;
	int i;

	for (i = 0; i < DELIVERIES_SLOTS && st == ST_OK; i++) {
		in = dc.lead->log.slot[i];
		if (is_open(&dc.lead->log, &in, all)) {
			st = recover_check(lead, follow, err);
			if (st == ST_OK)
				st = decide_lead(&dc, &in, err);
		}
	}
	for (i = 0; i < DELIVERIES_SLOTS && st == ST_OK && dc.follow != NULL;
	    i++) {
		in = dc.follow->log.slot[i];
		if (is_open(&dc.follow->log, &in, all)) {
			st = recover_check(lead, follow, err);
			if (st == ST_OK)
				st = decide_follow(&dc, &in, err);
		}
	}
	return st;
}

/* After a loss of power, most likely: then it is as undecided as any. */
static enum status
is_in_doubt(const struct deciding *dc, const struct intent *in, bool *doubt,
    struct err *err)
{
	char tmp[MAILDIR_NAME_MAX + 1], fence[FENCE_MAX];
	enum status st;

	memcpy(tmp, in->name, sizeof(tmp));
	cut_sizes(tmp);
	(void)snprintf(fence, sizeof(fence), "%s.void", tmp);
	*doubt = true;
	if (dc->now - in->at > DELIVERIES_SWEPT)
		return ST_OK;
	st = maildir_in_tmp(dc->lead->md, tmp, doubt, err);
	if (st == ST_OK && !*doubt)	/* somebody was about to say void */
		st = maildir_in_tmp(dc->lead->md, fence, doubt, err);
	if (st == ST_OK && !*doubt && dc->follow != NULL)
		st = maildir_in_tmp(dc->follow->md, tmp, doubt, err);
	return st;
}

enum status
recover_settle(struct mailbox *lead, struct mailbox *follow, int64_t now,
    int64_t keep, struct err *err)
{
	struct deciding dc = { lead, follow, now, keep };
	enum status st = ST_OK;
	struct intent in;
	bool doubt;
	int i;

	for (i = 0; i < DELIVERIES_SLOTS && st == ST_OK; i++) {
		in = dc.lead->log.slot[i];
		if (dc.lead->log.fd == -1 || in.outcome != OUTCOME_LANDED)
			continue;
		st = is_in_doubt(&dc, &in, &doubt, err);
		if (st == ST_OK)
			st = doubt ? decide_lead(&dc, &in, err) :
			    log_outcome(&dc, &in, OUTCOME_DONE, err);
	}
	for (i = 0; i < DELIVERIES_SLOTS && st == ST_OK && dc.follow != NULL;
	    i++) {
		in = dc.follow->log.slot[i];
		if (dc.follow->log.fd != -1 && in.outcome == OUTCOME_LANDED)
			st = decide_follow(&dc, &in, err);
	}
	return st;
}
