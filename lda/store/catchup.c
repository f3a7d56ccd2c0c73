/* SPDX-License-Identifier: ISC */
/*
 * catchup.c - bring the follower up to the leader before a UID is given
 */
#include "lda/store/catchup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lda/store/mark.h"
#include "maps/base/clock.h"

struct copy {				/* of a message that is caught up */
	const char	*base;
	const char	*sub;		/* where the leader has it, and under */
	char		*file;		/* which name; NULL: nowhere */
	bool		 again;		/* the follower has a line of this name
					   already, under a lower UID */
};

/*
 * The message has been on the leader before, and the follower has kept it: the
 * same file, under whatever flags.  It gets the name that a copy would have.
 *
 * ST_NONE  the follower has it no more.
 */
static enum status
reuse(const struct maildir *md, const char *base, TALLOC_CTX *ctx,
    struct err *err)
{
	const char *sub = NULL;
	enum status st;
	char *file;

	st = maildir_find(ctx, md, base, &sub, &file, err);
	if (st == ST_OK && renameat(strcmp(sub, "new") == 0 ? md->new : md->cur,
	    file, md->new, base) == -1)
		st = err_sys(err, "%s: rename %s/%s", md->path, sub, file);
	if (st == ST_OK && fsync(md->new) == -1)
		st = err_sys(err, "%s: fsync new/", md->path);
	return st;
}

static enum status
copy_file(const struct maildir *md, const struct uidlist_line *line,
    bool again, int fd, TALLOC_CTX *ctx, struct err *err)
{
	enum status st = again ? reuse(md, line->name, ctx, err) : ST_NONE;

	return st != ST_NONE ? st : maildir_copy_in(md, fd,
	    maildir_unique(ctx), "new", line->name, err);
}

/* The line first, durably; taken back where the file cannot follow. */
static enum status
line_then_file(struct mailbox *follow, const struct uidlist_line *line,
    bool again, int fd, TALLOC_CTX *ctx, struct err *err)
{
	const struct uidlist_line marked = { line->uid, line->name,
	    mark_keys(ctx, line->keys) };
	const struct maildir *md = follow->md;
	struct err ignored;
	enum status st;

	st = uidlist_append_line(&follow->uids, &marked, err);
	if (st != ST_OK)
		return st;
	st = fdatasync(follow->uids.fd) == -1 ? err_sys(err, "%s: sync %s",
	    md->path, UIDLIST_NAME) :
	    copy_file(md, line, again, fd, ctx, err);
	if (st != ST_OK && !again)
		(void)!uidlist_drop(&follow->uids, md->ctl, line->name,
		    line->uid, &ignored);
	return st;
}

/* A follower with the line only would never be given the file again. */
static enum status
file_then_line(struct mailbox *follow, const struct uidlist_line *line,
    bool again, int fd, TALLOC_CTX *ctx, struct err *err)
{
	enum status st;

	st = copy_file(follow->md, line, again, fd, ctx, err);
	return st == ST_OK ? uidlist_append_line(&follow->uids, line, err) : st;
}

/*
 * One message.  Its name is the same whatever the flags: the next delivery
 * after a crash writes over what had no line yet.  The line has the leader's
 * keys: a copy made by IMAP has its GUID there, and what was fetched by POP3
 * its UIDL; another GUID would be another message.
 */
static enum status
copy_message(struct pair *pair, bool served, const struct uidlist_line *line,
    struct copy *c, TALLOC_CTX *ctx, struct err *err)
{
	struct mailbox *lead = &pair->box[0], *follow = &pair->box[1];
	enum status st;
	int fd = -1;

	c->base = line->name;
	st = maildir_open_message(ctx, lead->md, c->base, &c->sub, &c->file,
	    &fd, err);
	if (st != ST_OK) {		/* ST_NONE: expunged, or never landed */
		c->file = NULL;
		return st == ST_NONE ? ST_OK : st;
	}
	st = served ? line_then_file(follow, line, c->again, fd, ctx, err) :
	    file_then_line(follow, line, c->again, fd, ctx, err);
	(void)close(fd);
	return st == ST_OK && c->again ? uidlist_drop_below(&follow->uids,
	    follow->md->ctl, line->name, line->uid, err) : st;
}

struct named {				/* a line, and what becomes of it */
	const char	*name;
	struct copy	*copy;
};

static int
by_name(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/*
 * Which of the messages have been here before: a client moved them away and
 * back, or a backup was restored.  Reads the follower's uidlist once.  What is
 * damaged in it far from its end is none of our business.
 */
static enum status
look_back(TALLOC_CTX *ctx, const struct mailbox *follow,
    const struct uidlist_line *lines, struct copy *copies, size_t n,
    struct err *err)
{
	struct named *names = must(talloc_array(ctx, struct named,
	    (unsigned)n + 1)), *found;
	struct uidlist_scan *scan;
	struct uidlist_line line;
	enum status st = ST_NONE;
	size_t i;

	for (i = 0; i < n; i++)
		names[i] = (struct named){ lines[i].name, &copies[i] };
	if (n > 0)
		qsort(names, n, sizeof(*names), by_name);
	scan = uidlist_scan_begin(ctx, &follow->uids);
	while (n > 0 && (st = uidlist_scan_next(scan, &line, err)) == ST_OK) {
		found = bsearch(&(struct named){ line.name, NULL }, names, n,
		    sizeof(*names), by_name);
		if (found != NULL)
			found->copy->again = true;
	}
	talloc_free(scan);
	return st == ST_AGAIN ? st : ST_OK;
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

/* Is the follower's last line ours?  A session that survived the hand-over may
 * have shown the UID of its own, though it expunged the message since. */
static enum status
last_is_ours(TALLOC_CTX *ctx, const struct mailbox *follow,
    const struct record *rec, bool *ours, struct err *err)
{
	struct uidlist_line *lines = NULL;
	enum status st;
	size_t n = 0;

	*ours = !mark_due(rec, follow->side);
	if (*ours)
		return ST_OK;
	st = uidlist_from(ctx, &follow->uids, follow->uids.last, &lines, &n,
	    err);
	*ours = st == ST_OK && n > 0 && mark_is(lines[0].keys);
	return st;
}

/* Has the leader another message at the UID of the follower's last line, or
 * never got that far?  A line that it no longer has was expunged there. */
static enum status
last_is_unknown(TALLOC_CTX *ctx, const struct uidlist *lead,
    const struct uidlist *follow, bool *unknown, struct err *err)
{
	struct uidlist_line *lines = NULL;
	enum status st;
	size_t n = 0;

	st = uidlist_from(ctx, lead, follow->last, &lines, &n, err);
	*unknown = lead->next <= follow->last ||
	    (n > 0 && lines[0].uid == follow->last &&
	    strcmp(lines[0].name, follow->last_name) != 0);
	return st;
}

/*
 * The follower's last line, where the leader does not know it: the power was
 * lost when it was on one disk only, and the intent with the leader's.  No file
 * stands behind it (else the leader's uidlist is older than its mailbox), and
 * nobody has been shown its UID.
 */
static enum status
drop_orphan(struct pair *pair, const struct record *rec, struct err *err)
{
	struct mailbox *follow = &pair->box[1];
	const struct uidlist *a = &pair->box[0].uids, *b = &follow->uids;
	bool unknown = false, ours = false;
	const char *sub = NULL;
	TALLOC_CTX *ctx;
	enum status st;
	char *file;

	if (b->last == 0 || (a->last == b->last &&
	    strcmp(a->last_name, b->last_name) == 0))
		return ST_OK;
	ctx = must(talloc_new(NULL));
	st = last_is_unknown(ctx, a, b, &unknown, err);
	if (st == ST_OK && unknown)
		st = last_is_ours(ctx, follow, rec, &ours, err);
	if (st == ST_OK && ours)
		st = maildir_find(ctx, follow->md, b->last_name, &sub, &file,
		    err);
	/* A next UID that the line did not bring about stays used. */
	if (st == ST_NONE)
		st = uidlist_drop(&follow->uids, follow->md->ctl, b->last_name,
		    b->next == b->last + 1 ? b->last : b->next, err);
	talloc_free(ctx);
	return st == ST_OK ? st : err_wrap(err, st, "%s", follow->md->path);
}

static enum status
copy_all(struct pair *pair, const struct record *rec, long long until,
    struct err *err)
{
	struct mailbox *lead = &pair->box[0], *follow = &pair->box[1];
	bool served = mark_due(rec, follow->side);
	struct uidlist_line *lines = NULL;
	struct copy *copies = NULL;
	struct err flags;
	enum status st;
	size_t i, n = 0;
	TALLOC_CTX *ctx;

	ctx = must(talloc_new(NULL));
	st = uidlist_from(ctx, &lead->uids, follow->uids.next, &lines, &n, err);
	copies = must(talloc_zero_array(ctx, struct copy, (unsigned)n + 1));
	if (st == ST_OK)
		st = look_back(ctx, follow, lines, copies, n, err);
	for (i = 0; i < n && st == ST_OK; i++) {
		if (clock_ms() >= until)
			st = err_set(err, ST_AGAIN, "%s: %zu messages more to "
			    "catch up, the next delivery goes on",
			    follow->md->path, n - i);
		else
			st = pair_keep(pair, err);
		if (st == ST_OK)
			st = copy_message(pair, served, &lines[i], &copies[i],
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
catch_up(struct pair *pair, const struct record *rec, long long until,
    struct err *err)
{
	enum status st = drop_orphan(pair, rec, err);

	if (st != ST_OK || pair->box[1].uids.next >= pair->box[0].uids.next)
		return st;
	return copy_all(pair, rec, until, err);
}
