/* SPDX-License-Identifier: ISC */
/*
 * visit.c - go to every mailbox of a user, as the user, each once
 *
 * The parent, which may be root, touches no file: one child lists, then several
 * visit what is listed, every one its share, then one lists again.
 */
#include "lda/store/visit.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lda/store/folders.h"
#include "lda/store/visit_list.h"
#include "maps/base/clock.h"

#define ROUNDS		10	/* listings until one names nothing new */
#define CHILDREN	8	/* at a time: they wait for disks and servers */
#define SHARE		8	/* mailboxes that are worth a child */
#define LOCK_WAIT	9 / 10	/* of the deadline: the error names the lock
				   then */

struct round {				/* of the parent; each child has a
					   copy */
	const struct visit	*v;
	struct visit_list	*list;
	long long		 until;	/* CLOCK_MONOTONIC, milliseconds */
	size_t			*todo;	/* indexes into list */
	size_t			 n;
	bool			 broken;	/* a line was none */
};

struct share {				/* of one child */
	const struct round	*round;
	size_t			 first, step;
	struct map		*map;	/* its own connection, or NULL */
};

/* In the child: the mailboxes of both sides; a side that is not there has
 * none. */
static enum status
list_sides(void *arg, int out, struct err *err)
{
	const struct round *round = arg;
	const struct record *rec = round->v->rec;
	struct folders found;
	enum status st = ST_OK;
	struct folder *f;
	int side;

	for (side = OLD; side <= NEW && st == ST_OK; side++) {
		if (rec->side[side].mail == NULL)
			continue;
		found = (struct folders){ NULL, 0 };
		st = filer_check(round->v->conf->filer[side], err);
		if (st == ST_OK)
			st = maildir_folders(NULL, &rec->side[side], &found,
			    err);
		for (f = found.at; st == ST_OK && f < found.at + found.n; f++) {
			struct visit_id id = { f->dev, f->ino };
			char *line = visit_line(NULL, side, id, f->name);

			st = as_user_say(out, err, "%s", line);
			talloc_free(line);
		}
		talloc_free(found.at);
		if (st == ST_NONE)
			st = ST_OK;
	}
	return st;
}

static void
on_listed(const char *line, void *arg)
{
	struct round *round = arg;

	if (!visit_list_take(NULL, round->list, line))
		round->broken = true;
}

/* Under the locks: does the map still have the record that the visit goes
 * by? */
static enum status
is_current(void *arg, const struct record **rec, struct err *err)
{
	const struct share *share = arg;
	const struct record *ours = share->round->v->rec;
	struct record *now = NULL;
	enum status st = ST_OK;
	bool changed = false;

	*rec = ours;
	if (share->map != NULL) {
		st = map_get_stored(share->map, NULL, ours->user, &now, err);
		changed = st == ST_NONE ||
		    (st == ST_OK && now->version != ours->version);
		talloc_free(now);
	}
	return changed ? err_set(err, ST_AGAIN, "somebody else changed the "
	    "record of %s", ours->user) : st;
}

/* Lock, ask, read, decide. */
static enum status
hold(const struct share *share, struct pair *pair, struct err *err)
{
	const struct visit *v = share->round->v;
	struct pair_terms terms = {
	    .wait = v->conf->deadline * 1000L * LOCK_WAIT, .any_version = true,
	    .ahead = v->ahead, .ask = is_current, .arg = (void *)share,
	    .now = time(NULL),
	    .keep = (int64_t)v->conf->log_days * 86400 };
	enum status st = pair_take(pair, &terms, err);

	/* Of a leader that was restored nothing is decided: what is undecided
	 * stays so until its own state is back.  A hand-over still compares. */
	if (pair->tails.restored != 0)
		st = v->ahead == 0 ? ST_NONE : ST_OK;
	/* Whoever changed the leader since has held these locks after the
	 * caller changed the record. */
	if (pair->overtaken)
		st = v->ahead == 0 ? ST_NONE : err_set(err, ST_AGAIN,
		    "somebody else changed the record of %s", v->rec->user);
	return st;
}

/* Where it was visited: the directories that were open, else those listed. */
static enum status
report(const struct visit_place *p, size_t i, const struct pair *pair, int out,
    struct err *err)
{
	struct visit_id id[2] = { p->id[OLD], p->id[NEW] };
	struct stat sb;
	int k;

	for (k = 0; k < pair->n; k++) {
		if (fstat(pair->box[k].md->dir, &sb) == -1)
			return err_sys(err, "%s: stat", pair->box[k].md->path);
		id[pair->box[k].side] = (struct visit_id){ sb.st_dev,
		    sb.st_ino };
	}
	return as_user_say(out, err, "visited %zu %" PRIu64 " %" PRIu64 " %"
	    PRIu64 " %" PRIu64, i, id[OLD].dev, id[OLD].ino, id[NEW].dev,
	    id[NEW].ino);
}

static enum status
visit_one(const struct share *share, size_t i, int out, struct err *err)
{
	const struct visit *v = share->round->v;
	const struct visit_place *p = &share->round->list->at[i];
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct plan plan;
	/* What the follower alone has is no mailbox to lead with. */
	struct pair_place place = { v->rec, v->conf, &plan, p->name,
	    (v->flags & VISIT_MAKE) != 0 ? PAIR_MAKE_FOLLOWER :
	    PAIR_MAKE_NONE };
	struct pair pair;
	enum status st;

	pair_all_sides(v->rec, &plan);
	st = pair_open(&pair, ctx, &place, err);
	if (st == ST_OK && pair.n > 0 && (v->flags & VISIT_HOLD) != 0)
		st = hold(share, &pair, err);
	if (st == ST_OK && pair.n > 0 && v->fn != NULL)
		st = v->fn(v, &pair, p->name, out, err);
	if (st == ST_OK || st == ST_NONE)
		st = report(p, i, &pair, out, err);
	pair_release(&pair);
	talloc_free(ctx);
	return st;
}

/* In a child: every step-th mailbox that is to be visited. */
static enum status
visit_share(void *arg, int out, struct err *err)
{
	const struct share *share = arg;
	enum status st = ST_OK;
	size_t i;

	for (i = share->first; i < share->round->n && st == ST_OK;
	    i += share->step)
		st = visit_one(share, share->round->todo[i], out, err);
	return st;
}

static void
on_visited(const char *line, void *arg)
{
	struct round *round = arg;

	if (strncmp(line, "visited ", 8) != 0) {
		if (round->v->line != NULL)
			round->v->line(line, round->v->line_arg);
	} else if (!visit_list_visited(round->list, line + 8))
		round->broken = true;
}

/* Connected here: the child is the user, and may not be known to mapd. */
static enum status
connect_map(TALLOC_CTX *ctx, const struct visit *v, struct map **map,
    struct err *err)
{
	struct record *now = NULL;
	enum status st;

	*map = NULL;
	if ((v->flags & VISIT_ASK) == 0)
		return ST_OK;
	st = map_open(ctx, v->conf, v->map_flags, map, err);
	if (st == ST_OK)
		st = map_get_stored(*map, ctx, v->rec->user, &now, err);
	talloc_free(now);
	return st;
}

static int
seconds_left(const struct round *round)
{
	long long left = round->until - clock_ms();

	return left <= 1000 ? 1 : (int)((left + 999) / 1000);
}

static enum status
visit_round(struct round *round, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	size_t n = 1 + (round->n - 1) / SHARE, i, begun = 0;
	struct share share[CHILDREN];
	struct worker *w[CHILDREN];
	enum status st = ST_OK, end;
	struct err why;

	if (n > CHILDREN)
		n = CHILDREN;
	for (i = 0; i < n && st == ST_OK; i++) {
		share[i] = (struct share){ round, i, n, NULL };
		st = connect_map(ctx, round->v, &share[i].map, err);
		if (st == ST_OK)
			st = worker_begin(ctx, round->v->rec,
			    round->v->conf, seconds_left(round), visit_share,
			    &share[i], on_visited, round, &w[i], err);
		begun += st == ST_OK;
	}
	end = workers_end(w, begun, &why);
	if (st == ST_OK && end != ST_OK) {
		*err = why;
		st = end;
	}
	talloc_free(ctx);
	return st;
}

static enum status
list_round(struct round *round, struct err *err)
{
	visit_list_begin(round->list);
	return as_user(round->v->rec, round->v->conf, seconds_left(round),
	    list_sides, round, on_listed, round, err);
}

enum status
visit_mailboxes(const struct visit *v, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct visit_list list = { NULL, 0, 0, 0 };
	struct round round = { .v = v, .list = &list,
	    .until = clock_ms() + v->conf->deadline * 1000LL };
	enum status st = ST_OK;
	int i;

	for (i = 0; i < ROUNDS && st == ST_OK; i++) {
		st = list_round(&round, err);
		if (st != ST_OK)
			break;
		round.todo = visit_list_todo(ctx, &list, &round.n);
		if (round.broken || round.n == 0)
			break;
		st = visit_round(&round, err);
	}
	if (st == ST_OK && (i == ROUNDS || round.broken))
		st = err_set(err, ST_AGAIN, round.broken ? "a child of %s was "
		    "not understood" : "the mailboxes of %s keep changing",
		    v->rec->user);
	talloc_free(list.at);
	talloc_free(ctx);
	return st;
}

enum status
visit_barrier(const struct record *rec, const struct conf *conf,
    struct err *err)
{
	struct visit v = { .rec = rec, .conf = conf, .flags = VISIT_HOLD };

	return visit_mailboxes(&v, err);
}
