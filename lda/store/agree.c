/* SPDX-License-Identifier: ISC */
/*
 * agree.c - leader and follower are the same mailbox
 */
#include "lda/store/agree.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lda/store/aside.h"
#include "lda/store/catchup.h"
#include "lda/store/folders.h"
#include "lda/store/mark.h"
#include "lda/store/validity.h"

static bool
same_mailbox(const struct uidlist *a, const struct uidlist *b)
{
	return a->validity == b->validity && strcmp(a->guid, b->guid) == 0;
}

static bool
is_inbox(const struct mailbox *box)
{
	return box->md->folder[0] == '\0';
}

static enum status
make_uidlist(struct mailbox *box, uint32_t validity, uint32_t next,
    const char *guid, struct err *err)
{
	enum status st;

	uidlist_close(&box->uids);
	st = uidlist_make(&box->uids, box->md->ctl, validity, next, guid,
	    box->md->fmode, box->md->gid, err);
	return st == ST_OK ? st : err_wrap(err, st, "%s", box->md->path);
}

/* The counter of UIDVALIDITYs of each side (validity.h). */
struct counters {
	int	 fd[2];			/* as the boxes of the pair */
	uint32_t value[2];
};

static void
counters_close(struct counters *c, const struct pair *pair)
{
	int i;

	for (i = 0; i < pair->n; i++)
		if (c->fd[i] != -1 && c->fd[i] != pair->box[i].md->root)
			(void)close(c->fd[i]);
}

static enum status
counters_open(struct counters *c, const struct pair *pair,
    const struct record *rec, struct err *err)
{
	const struct location *loc;
	enum status st = ST_OK;
	int i;

	c->fd[0] = c->fd[1] = -1;
	for (i = 0; i < pair->n && st == ST_OK; i++) {
		loc = &rec->side[pair->box[i].side];
		c->fd[i] = loc->control == NULL ? pair->box[i].md->root :
		    open(loc->control, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		st = c->fd[i] == -1 ? err_sys(err, "%s", loc->control) :
		    validity_read(c->fd[i], &c->value[i], err);
	}
	if (st != ST_OK)
		counters_close(c, pair);
	return st;
}

/* As for Dovecot, a counter that cannot be moved on is no reason to do without
 * the mailbox. */
static void
counters_raise(const struct counters *c, const struct pair *pair,
    uint32_t value)
{
	const struct maildir *md;
	struct err ignored;
	int i;

	for (i = 0; i < pair->n; i++) {
		md = pair->box[i].md;
		(void)!validity_raise(c->fd[i], value, md->fmode, md->gid,
		    &ignored);
	}
}

static uint32_t
above(uint32_t than, uint32_t value)
{
	return value <= than && than < UINT32_MAX ? than + 1 : value;
}

/* The leader's mailbox is a new one, with a V that no client can have seen
 * under this name. */
static enum status
make_new(struct pair *pair, const struct record *rec, struct err *err)
{
	const struct mailbox *follow = pair_follower(pair);
	uint32_t validity = (uint32_t)time(NULL);
	struct counters c;
	enum status st;
	char guid[33];
	int i;

	st = counters_open(&c, pair, rec, err);
	if (st != ST_OK)
		return st;
	if (follow != NULL && follow->uids.fd != -1)
		validity = above(follow->uids.validity, validity);
	for (i = 0; i < pair->n; i++)
		validity = above(c.value[i], validity);
	counters_raise(&c, pair, validity);
	counters_close(&c, pair);
	uidlist_guid(guid);
	return make_uidlist(&pair->box[0], validity, 1, guid, err);
}

enum status
pair_same_counter(const struct pair *pair, const struct record *rec,
    struct err *err)
{
	struct counters c;
	enum status st;
	int i;

	st = counters_open(&c, pair, rec, err);
	if (st != ST_OK)
		return st;
	for (i = 0; i < pair->n; i++)
		counters_raise(&c, pair, c.value[i]);
	counters_close(&c, pair);
	return ST_OK;
}

static enum status
is_wiped(const struct pair *pair, const char *why, struct err *err)
{
	return err_set(err, ST_AGAIN, "%s: %s: was the filer wiped, or an old "
	    "state restored?  Nothing is delivered until the mailbox is "
	    "back, or the mail in %s is moved away (mailferry-lda(8), "
	    "DELIVERY)",
	    pair->box[0].md->path, why, pair->box[1].md->path);
}

/* Folders that the follower has and the leader has not. */
static enum status
count_missing(TALLOC_CTX *ctx, const struct pair *pair,
    const struct record *rec, size_t *n, struct err *err)
{
	struct folders lead = { NULL, 0 }, follow = { NULL, 0 };
	enum status st;
	size_t i;

	*n = 0;
	st = maildir_folders(ctx, &rec->side[pair->box[0].side], &lead, err);
	if (st == ST_OK)
		st = maildir_folders(ctx, &rec->side[pair->box[1].side],
		    &follow, err);
	for (i = 0; st == ST_OK && i < follow.n; i++)
		*n += folders_find(&lead, follow.at[i].name) == NULL;
	return st == ST_NONE ? ST_OK : st;
}

/*
 * No client can delete or rename an inbox.  One that was handed over without
 * mail is gone together with folders.
 */
static enum status
check_inbox(const struct pair *pair, const struct record *rec, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	bool mail = false;
	enum status st;
	size_t n = 0;

	st = maildir_has_mail(pair->box[1].md, &mail, err);
	if (st == ST_OK && !mail && rec->led != 0 &&
	    pair->box[1].uids.fd != -1)
		st = count_missing(ctx, pair, rec, &n, err);
	talloc_free(ctx);
	if (st != ST_OK || (!mail && n == 0))
		return st;
	return is_wiped(pair, mail ? "this inbox is not the one that the other "
	    "side has a copy of" : "this inbox is new, and folders are missing "
	    "that the other side has", err);
}

/* The inbox of a side, as it is at this moment; nothing there: fd -1. */
static enum status
look_at_inbox(TALLOC_CTX *ctx, const struct record *rec, enum side side,
    struct uidlist *uids, uint64_t *led, struct err *err)
{
	struct deliveries log;
	struct maildir *md;
	enum status st;

	uids->fd = -1;
	*led = 0;
	st = maildir_open(ctx, &rec->side[side], "", NULL, false, &md, err);
	if (st != ST_OK)
		return st;
	st = uidlist_read(uids, md->ctl, err);
	if (st != ST_OK && st != ST_NONE)
		return st;
	st = deliveries_open(&log, md->ctl, err);
	if (st == ST_OK)
		*led = log.led;
	deliveries_close(&log);
	return st;
}

/* Was the leader's root made since the leader last changed?  Then its inbox is
 * not the one that was handed over. */
static enum status
is_young(TALLOC_CTX *ctx, const struct pair *pair, const struct record *rec,
    bool *young, struct err *err)
{
	struct uidlist uids[2] = { { .fd = -1 }, { .fd = -1 } };
	uint64_t led[2] = { 0, 0 };
	enum status st = ST_OK;
	int i;

	for (i = 0; i < 2 && (st == ST_OK || st == ST_NONE); i++)
		st = look_at_inbox(ctx, rec, pair->box[i].side, &uids[i],
		    &led[i], err);
	*young = led[0] < rec->led || (uids[1].fd != -1 &&
	    (uids[0].fd == -1 || !same_mailbox(&uids[0], &uids[1])));
	uidlist_close(&uids[0]);
	uidlist_close(&uids[1]);
	return st == ST_NONE ? ST_OK : st;
}

/*
 * This folder of the leader is new, or another one: was it a client that
 * deleted the one of which the follower has a copy?  Not where the whole root
 * is new, and other folders are gone, too.
 */
static enum status
check_folder(const struct pair *pair, const struct record *rec,
    struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	bool young = false;
	enum status st;
	size_t n = 0;

	st = is_young(ctx, pair, rec, &young, err);
	if (st == ST_OK && young)
		st = count_missing(ctx, pair, rec, &n, err);
	if (st == ST_OK && n > 0)
		st = is_wiped(pair, "this folder, and others, are missing from "
		    "a Maildir that is younger than the last step", err);
	talloc_free(ctx);
	return st;
}

/* The follower has another mailbox: may the leader's take its place? */
static enum status
check_follower(struct pair *pair, const struct record *rec, struct err *err)
{
	if (!mark_due(rec, pair->box[1].side))
		return ST_OK;
	return is_inbox(&pair->box[0]) ? check_inbox(pair, rec, err) :
	    check_folder(pair, rec, err);
}

static enum status
lead_make(struct pair *pair, const struct record *rec, struct err *err)
{
	const struct mailbox *lead = &pair->box[0];
	const struct mailbox *follow = pair_follower(pair);
	enum status st;
	bool empty;

	st = maildir_empty(lead->md, &empty, err);
	if (st != ST_OK)
		return st;
	if (!empty && follow == NULL)
		return ST_OK;		/* Dovecot will number it */
	if (!empty)
		return err_set(err, ST_AGAIN, "%s has mail but no %s: let "
		    "Dovecot number it first (doveadm fetch -u USER uid "
		    "mailbox NAME all)", lead->md->path, UIDLIST_NAME);
	if (follow != NULL && is_inbox(lead))
		st = check_inbox(pair, rec, err);
	else if (follow != NULL && follow->uids.fd != -1)
		st = check_follower(pair, rec, err);
	return st == ST_OK ? make_new(pair, rec, err) : st;
}

/* The follower becomes the leader's mailbox, where it is not yet. */
static enum status
follow_make(struct pair *pair, const struct record *rec, struct err *err)
{
	struct mailbox *lead = &pair->box[0], *follow = &pair->box[1];
	enum status st = ST_OK;
	bool empty = false;

	if (follow->uids.fd != -1 && same_mailbox(&lead->uids, &follow->uids))
		return ST_OK;
	if (follow->uids.fd == -1)
		st = maildir_empty(follow->md, &empty, err);
	else
		st = check_follower(pair, rec, err);
	if (st == ST_OK && !empty)
		st = aside_mailbox(follow->md, time(NULL), err);
	if (st == ST_OK && !empty)
		st = maildir_reopen(follow->md, err);
	/*
	 * On a side that was served before, a surviving session may add to it:
	 * that is known before there is a first UID.
	 */
	if (st == ST_OK && rec->led != 0)
		st = deliveries_stop_leading(&follow->log, rec->led, 1, err);
	if (st == ST_OK)
		st = pair_same_counter(pair, rec, err);
	return st != ST_OK ? st : make_uidlist(follow, lead->uids.validity,
	    lead->uids.next, lead->uids.guid, err);
}

enum status
pair_agree(struct pair *pair, const struct record *rec, long long until,
    struct err *err)
{
	struct mailbox *lead = &pair->box[0];
	enum status st = ST_OK;

	if (lead->uids.fd == -1)
		st = lead_make(pair, rec, err);
	if (st != ST_OK || pair->n == 1)
		return st;
	if (lead->uids.guid[0] == '\0')
		return err_set(err, ST_AGAIN, "%s: its %s has no GUID: let "
		    "Dovecot 2.x open the mailbox once", lead->md->path,
		    UIDLIST_NAME);
	st = follow_make(pair, rec, err);
	return st == ST_OK ? catch_up(pair, rec, until, err) : st;
}
