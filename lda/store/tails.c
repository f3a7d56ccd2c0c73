/* SPDX-License-Identifier: ISC */
/*
 * tails.c - the last lines of two uidlists, held against each other
 */
#include "lda/store/tails.h"

#include <stdio.h>
#include <string.h>

#include "lda/store/mark.h"

#define BACK	32			/* UIDs before the follower's last */

struct lines {
	struct uidlist_line *at;
	size_t		 n;
};

/* Nothing to compare, or they end alike: as before most deliveries. */
static bool
end_alike(const struct uidlist *a, const struct uidlist *b)
{
	return a->fd == -1 || b->fd == -1 || b->last == 0 ||
	    a->validity != b->validity || strcmp(a->guid, b->guid) != 0 ||
	    (a->last == b->last && strcmp(a->last_name, b->last_name) == 0);
}

/* Has the leader something else at this UID, or not got there?  *i goes on. */
static bool
differs(const struct uidlist *lead, const struct lines *lines, size_t *i,
    const struct uidlist_line *line)
{
	while (*i < lines->n && lines->at[*i].uid < line->uid)
		(*i)++;
	if (*i < lines->n && lines->at[*i].uid == line->uid)
		return strcmp(lines->at[*i].name, line->name) != 0;
	return line->uid >= lead->next;		/* else it was expunged there */
}

static bool
is_ours(const struct mailbox *follow, const struct record *rec,
    const struct uidlist_line *line)
{
	return !mark_due(rec, follow->side) || mark_is(line->keys) ||
	    line->uid < deliveries_led_next(&follow->log, rec->led);
}

static enum status
judge(TALLOC_CTX *ctx, const struct mailbox *follow, const struct record *rec,
    const struct uidlist_line *line, struct tails *tails, struct err *err)
{
	const char *sub = NULL;
	char *file = NULL;
	enum status st;

	st = maildir_find(ctx, follow->md, line->name, &sub, &file, err);
	if (st != ST_OK)
		return st == ST_NONE ? ST_OK : st;
	if (is_ours(follow, rec, line))
		tails->restored = line->uid;
	else {
		tails->stray = line->uid;
		(void)snprintf(tails->name, sizeof(tails->name), "%s",
		    line->name);
	}
	return ST_OK;
}

enum status
tails_compare(const struct mailbox *lead, const struct mailbox *follow,
    const struct record *rec, struct tails *tails, struct err *err)
{
	const struct uidlist *a = &lead->uids, *b = &follow->uids;
	struct lines at_lead = { NULL, 0 }, mine = { NULL, 0 };
	TALLOC_CTX *ctx;
	enum status st;
	uint32_t from;
	size_t i, k = 0;

	tails->restored = tails->stray = 0;
	if (end_alike(a, b))
		return ST_OK;
	ctx = must(talloc_new(NULL));
	from = b->last > BACK ? b->last - BACK : 1;
	st = uidlist_from(ctx, b, from, &mine.at, &mine.n, err);
	if (st == ST_OK)
		st = uidlist_from(ctx, a, from, &at_lead.at, &at_lead.n, err);
	for (i = 0; i < mine.n && st == ST_OK && tails->restored == 0; i++)
		if (differs(a, &at_lead, &k, &mine.at[i]))
			st = judge(ctx, follow, rec, &mine.at[i], tails, err);
	talloc_free(ctx);
	return st == ST_OK ? st : err_wrap(err, st, "%s", follow->md->path);
}
