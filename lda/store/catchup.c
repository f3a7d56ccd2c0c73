/* SPDX-License-Identifier: ISC */
/*
 * catchup.c - bring the follower up to the leader before a UID is given
 */
#include "lda/store/catchup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lda/store/aside.h"
#include "maps/base/clock.h"

static bool
same_mailbox(const struct uidlist *a, const struct uidlist *b)
{
	return a->validity == b->validity && strcmp(a->guid, b->guid) == 0;
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

/* A leader without uidlist: `model` (NULL: none) is the same mailbox
 * elsewhere. */
static enum status
lead_make(struct mailbox *lead, const struct mailbox *model, bool two,
    struct err *err)
{
	char guid[33];
	enum status st;
	bool empty;

	st = maildir_empty(lead->md, &empty, err);
	if (st != ST_OK)
		return st;
	if (!empty)
		return !two ? ST_OK : err_set(err, ST_AGAIN,
		    "%s has mail but no %s: let Dovecot number it first "
		    "(doveadm mailbox status -u USER uidnext '*')",
		    lead->md->path, UIDLIST_NAME);
	if (model != NULL && model->uids.fd != -1 && model->uids.guid[0] != '\0')
		return make_uidlist(lead, model->uids.validity, model->uids.next,
		    model->uids.guid, err);
	uidlist_guid(guid);
	return make_uidlist(lead, (uint32_t)time(NULL), 1, guid, err);
}

/* The follower's mailbox goes aside, whole, and an empty one takes its place. */
static enum status
set_aside(struct mailbox *box, struct err *err)
{
	enum status st = aside_mailbox(box->md, time(NULL), err);

	return st == ST_OK ? maildir_reopen(box->md, err) : st;
}

/* The follower becomes the leader's mailbox, where it is not yet. */
static enum status
follow_make(struct mailbox *lead, struct mailbox *follow,
    const struct record *rec, struct err *err)
{
	enum status st;
	bool empty = false;

	if (follow->uids.fd != -1 && same_mailbox(&lead->uids, &follow->uids))
		return ST_OK;
	if (follow->uids.fd == -1) {
		st = maildir_empty(follow->md, &empty, err);
		if (st != ST_OK)
			return st;
	}
	if (!empty) {
		if (rec->led != 0 || follow->side != NEW)
			return err_set(err, ST_AGAIN, "%s and %s were both "
			    "served and are not the same mailbox (UIDVALIDITY "
			    "or GUID differ): mailferry mirror it first",
			    lead->md->path, follow->md->path);
		st = set_aside(follow, err);
		if (st != ST_OK)
			return st;
	}
	/*
	 * On a side that was served before, a surviving session may add to it: that
	 * is known before there is a first UID.
	 */
	st = rec->led == 0 ? ST_OK :
	    deliveries_stop_leading(&follow->log, rec->led, 1, err);
	return st != ST_OK ? st : make_uidlist(follow, lead->uids.validity,
	    lead->uids.next, lead->uids.guid, err);
}

struct copy {				/* of a message that is caught up */
	const char	*base;
	const char	*sub;		/* where the leader has it, and under */
	char		*file;		/* which name; NULL: nowhere */
};

/*
 * One message.  The file comes first here, then the line: a follower with
 * the line only would never be given the file again.  Its name is the same
 * whatever the flags: who goes on after a crash writes over what had no line
 * yet. The line has the leader's keys: a copy made by IMAP has its GUID there,
 * and what was fetched by POP3 its UIDL; another GUID would be another message.
 */
static enum status
copy_message(struct mailbox *lead, struct mailbox *follow,
    const struct uidlist_line *line, struct copy *c, TALLOC_CTX *ctx,
    struct err *err)
{
	enum status st;
	int fd = -1;

	st = maildir_open_message(ctx, lead->md, c->base, &c->sub, &c->file,
	    &fd, err);
	if (st != ST_OK) {		/* ST_NONE: expunged, or never landed */
		c->file = NULL;
		return st == ST_NONE ? ST_OK : st;
	}
	st = maildir_copy_in(follow->md, fd, maildir_unique(ctx), "new", c->base,
	    err);
	(void)close(fd);
	return st == ST_OK ? uidlist_append_line(&follow->uids, line, err) : st;
}

/* The flags, once the lines are on the disk.  What a crash leaves without them
 * is the mirror's business, as is every flag set from now on. */
static enum status
give_flags(struct pair *pair, const struct copy *c, size_t n,
    TALLOC_CTX *ctx, struct err *err)
{
	const struct maildir *md = pair->box[1].md;
	enum status st = ST_OK;
	size_t i;

	if (n > 0 && fdatasync(pair->box[1].uids.fd) == -1)
		return err_sys(err, "%s: sync %s", md->path, UIDLIST_NAME);
	for (i = 0; i < n && st == ST_OK; i++) {
		bool new = c[i].file != NULL && strcmp(c[i].sub, "new") == 0;

		if (c[i].file == NULL || (new && strcmp(c[i].file,
		    c[i].base) == 0))
			continue;
		st = pair_keep(pair, err);
		if (st == ST_OK && renameat(md->new, c[i].base, new ? md->new :
		    md->cur, maildir_without_keywords(ctx, c[i].file)) == -1)
			st = err_sys(err, "%s: rename new/%s", md->path,
			    c[i].base);
	}
	return st;
}

/*
 * The follower's last line, where the leader has another at that UID or has
 * never got that far: the power was lost when it was on one disk only, and the
 * intent with the leader's.  No file stands behind it (else the leader's
 * uidlist is older than its mailbox), and nobody has been shown its UID.
 */
static enum status
drop_orphan(const struct mailbox *lead, struct mailbox *follow, struct err *err)
{
	const struct uidlist *a = &lead->uids, *b = &follow->uids;
	struct uidlist_line *lines = NULL;
	const char *sub = NULL;
	TALLOC_CTX *ctx;
	enum status st;
	bool orphan;
	char *file;
	size_t n = 0;

	if (b->last == 0 || (a->last == b->last &&
	    strcmp(a->last_name, b->last_name) == 0))
		return ST_OK;
	ctx = must(talloc_new(NULL));
	st = uidlist_from(ctx, a, b->last, &lines, &n, err);
	/* A line that the leader no longer has was expunged there. */
	orphan = a->next <= b->last || (n > 0 && lines[0].uid == b->last &&
	    strcmp(lines[0].name, b->last_name) != 0);
	if (st == ST_OK && orphan)
		st = maildir_find(ctx, follow->md, b->last_name, &sub, &file, err);
	if (st == ST_NONE)
		st = uidlist_drop(&follow->uids, follow->md->ctl, b->last_name,
		    b->last, err);
	talloc_free(ctx);
	return st == ST_OK ? st : err_wrap(err, st, "%s", follow->md->path);
}

static enum status
catch_up(struct pair *pair, long long until, struct err *err)
{
	struct mailbox *lead = &pair->box[0], *follow = &pair->box[1];
	struct uidlist_line *lines = NULL;
	struct copy *copies = NULL;
	struct err flags;
	enum status st;
	size_t i, n = 0;
	TALLOC_CTX *ctx;

	if (follow->uids.next >= lead->uids.next)
		return ST_OK;
	ctx = must(talloc_new(NULL));
	st = uidlist_from(ctx, &lead->uids, follow->uids.next, &lines, &n, err);
	copies = must(talloc_zero_array(ctx, struct copy, (unsigned)n + 1));
	for (i = 0; i < n && st == ST_OK; i++) {
		copies[i].base = lines[i].name;
		if (clock_ms() >= until)
			st = err_set(err, ST_AGAIN, "%s: %zu messages more to "
			    "catch up, the next delivery goes on",
			    follow->md->path, n - i);
		else
			st = pair_keep(pair, err);
		if (st == ST_OK)
			st = copy_message(lead, follow, &lines[i], &copies[i],
			    ctx, err);
	}
	if (st == ST_OK)
		st = give_flags(pair, copies, i, ctx, err);
	else				/* of those that were done */
		(void)!give_flags(pair, copies, i > 0 ? i - 1 : 0, ctx, &flags);
	talloc_free(ctx);
	return st;
}

enum status
pair_agree(struct pair *pair, const struct record *rec,
    long long until, struct err *err)
{
	struct mailbox *lead = &pair->box[0];
	struct mailbox *follow = pair_follower(pair);
	enum status st = ST_OK;

	if (lead->uids.fd == -1)
		st = lead_make(lead, follow, follow != NULL, err);
	if (st != ST_OK || follow == NULL)
		return st;
	if (lead->uids.guid[0] == '\0')
		return err_set(err, ST_AGAIN, "%s: its %s has no GUID: let Dovecot "
		    "2.x open the mailbox once", lead->md->path, UIDLIST_NAME);
	st = follow_make(lead, follow, rec, err);
	if (st == ST_OK)
		st = drop_orphan(lead, follow, err);
	return st == ST_OK ? catch_up(pair, until, err) : st;
}
