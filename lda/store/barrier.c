/* SPDX-License-Identifier: ISC */
/*
 * barrier.c - wait until nobody delivers by a former state any more
 */
#include "lda/store/barrier.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lda/store/asuser.h"
#include "lda/store/catchup.h"
#include "lda/store/folders.h"
#include "maps/base/file.h"

#define LISTINGS	10		/* until two agree */

struct visit {				/* one barrier, in the child */
	TALLOC_CTX		*ctx;
	const struct record	*rec;
	const struct conf	*conf;
	enum side		 next;
	struct map		*map;	/* may be NULL */
	long			 wait;	/* ms for each mailbox's locks */
	int			 out;	/* floors go here, as they are found */
};

/* The names of two sorted lists, each once: NULL-terminated. */
static const char **
merge(TALLOC_CTX *ctx, const struct folders *a, const struct folders *b)
{
	const char **all = must(talloc_zero_array(ctx, const char *,
	    (unsigned)(a->n + b->n + 1)));
	size_t i = 0, k = 0, n = 0;
	int order;

	while (i < a->n || k < b->n) {
		order = i == a->n ? 1 : k == b->n ? -1 :
		    strcmp(a->at[i].name, b->at[k].name);
		all[n++] = order <= 0 ? a->at[i].name : b->at[k].name;
		i += order <= 0;
		k += order >= 0;
	}
	return all;
}

/* The mailboxes of both sides, each once; a side that is not there has none. */
static enum status
list_both(const struct visit *v, TALLOC_CTX *ctx, const char ***all,
    struct err *err)
{
	struct folders list[2] = { { NULL, 0 }, { NULL, 0 } };
	enum status st;
	int side;

	for (side = OLD; side <= NEW; side++) {
		if (v->rec->side[side].mail == NULL)
			continue;
		st = filer_check(v->conf->filer[side], err);
		if (st == ST_OK)
			st = maildir_folders(ctx, &v->rec->side[side],
			    &list[side], err);
		if (st != ST_OK && st != ST_NONE)
			return st;
	}
	*all = merge(ctx, &list[OLD], &list[NEW]);
	return ST_OK;
}

static bool
list_same(const char **a, const char **b)
{
	for (; *a != NULL && *b != NULL; a++, b++)
		if (strcmp(*a, *b) != 0)
			return false;
	return *a == *b;
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

static uint32_t
higher(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* What a hand-over says of a mailbox is in its log. */
static enum status
give_log(struct mailbox *box, struct err *err)
{
	return box->log.fd != -1 ? ST_OK : deliveries_make(&box->log,
	    box->md->ctl, box->md->fmode, box->md->gid, err);
}

/*
 * The next leader becomes the same mailbox, with an N that is above everything
 * the present one may have shown, and with its delivery log; a record's version
 * from before the change is not followed any more.
 */
static enum status
hand_over(const struct visit *v, struct pair *pair, struct err *err)
{
	struct mailbox *lead = &pair->box[0], *next = &pair->box[1];
	int64_t now = time(NULL), keep = (int64_t)v->conf->log_days * 86400;
	char line[128];
	enum status st;
	uint32_t n;

	st = pair_agree(pair, v->rec, INT64_MAX, err);
	if (st != ST_OK)
		return st;
	n = higher(higher(lead->uids.next, next->uids.next),
	    record_floor(v->rec, lead->uids.guid, lead->uids.validity));
	st = uidlist_raise(&next->uids, next->md->ctl, n, err);
	if (st == ST_OK)
		st = give_log(next, err);
	if (st == ST_OK)
		st = give_log(lead, err);
	if (st == ST_OK)
		st = deliveries_merge(&next->log, next->md->ctl, &lead->log,
		    now, keep, err);
	if (st == ST_OK)
		st = deliveries_lead(&next->log, v->rec->version + 1, err);
	if (st == ST_OK)
		st = deliveries_stop_leading(&lead->log, v->rec->version + 1,
		    lead->uids.next, err);
	if (st != ST_OK)
		return st;
	n = (uint32_t)snprintf(line, sizeof(line), ".floor %s %lu %lu\n",
	    lead->uids.guid, (unsigned long)lead->uids.validity,
	    (unsigned long)n);
	return file_write(v->out, line, n) == -1 ?
	    err_sys(err, "write to the caller") : ST_OK;
}

/*
 * Under the locks: is the record we go by the map's still?  The leader tells
 *                                                           what
 * landed, and which side may have clients: by a former one a line of the
 * present leader could be taken for one that was never whole.
 */
static enum status
is_current(void *arg, const struct record **rec, struct err *err)
{
	const struct visit *v = arg;
	struct record *now = NULL;
	enum status st = ST_OK;
	bool changed = false;

	*rec = v->rec;
	if (v->next != SIDE_NONE && v->map != NULL) {
		st = map_get_stored(v->map, v->ctx, v->rec->user, &now, err);
		changed = st == ST_NONE ||
		    (st == ST_OK && now->version != v->rec->version);
		talloc_free(now);
	}
	return changed ? err_set(err, ST_AGAIN, "somebody else changed the "
	    "record of %s", v->rec->user) : st;
}

/* Only what the leader has is made on the next one: what the follower alone has
 * is no mailbox to lead with. */
static enum status
visit(struct visit *v, const char *folder, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(v->ctx));
	struct plan plan;
	struct pair_place place = { v->rec, v->conf, &plan, folder,
	    v->next == SIDE_NONE ? PAIR_MAKE_NONE : PAIR_MAKE_FOLLOWER };
	struct pair_terms terms = { .wait = v->wait, .any_version = true,
	    .ahead = v->next != SIDE_NONE, .ask = is_current, .arg = v,
	    .now = time(NULL), .keep = (int64_t)v->conf->log_days * 86400 };
	struct pair pair;
	enum status st;

	pair_all_sides(v->rec, &plan);
	st = pair_open(&pair, ctx, &place, err);
	if (st == ST_OK && pair.n > 0)
		st = pair_take(&pair, &terms, err);
	/* Whoever changed the leader since has held these locks after us. */
	if (pair.overtaken)
		st = v->next == SIDE_NONE ? ST_OK : err_set(err, ST_AGAIN,
		    "somebody else changed the record of %s", v->rec->user);
	/* Mail without uidlist cannot be handed over: agree says what to do. */
	else if (st == ST_OK && v->next != SIDE_NONE && pair.n == 2)
		st = hand_over(v, &pair, err);
	pair_release(&pair);
	talloc_free(ctx);
	return st;
}

/* In the child. */
static enum status
visit_all(void *arg, int out, struct err *err)
{
	struct visit *v = arg;
	const char **all;
	enum status st;

	v->out = out;
	st = list_mailboxes(v, &all, err);
	for (; st == ST_OK && *all != NULL; all++)
		st = visit(v, *all, err);
	return st;
}

struct found {
	TALLOC_CTX	*ctx;
	struct floor	**floors;
	size_t		*n;
};

static void
add_floor(const char *line, void *arg)
{
	struct found *to = arg;
	unsigned long validity, next;
	struct floor *f;
	char guid[33];

	if (sscanf(line, "floor %32[0-9a-f] %lu %lu", guid, &validity,
	    &next) != 3)
		return;
	*to->floors = must(talloc_realloc(to->ctx, *to->floors, struct floor,
	    (unsigned)*to->n + 1));
	f = &(*to->floors)[(*to->n)++];
	memcpy(f->guid, guid, sizeof(guid));
	f->validity = (uint32_t)validity;
	f->next = (uint32_t)next;
}

enum status
barrier(TALLOC_CTX *ctx, const struct record *rec, const struct conf *conf,
    enum side next, struct map *map, struct floor **floors, size_t *nfloors,
    struct err *err)
{
	struct visit v = { ctx, rec, conf, next, map, conf->deadline * 1000L,
	    -1 };
	struct found to = { ctx, floors, nfloors };

	*floors = NULL;
	*nfloors = 0;
	return as_user(rec, conf->deadline, visit_all, &v, add_floor, &to, err);
}
