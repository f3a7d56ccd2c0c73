/* SPDX-License-Identifier: ISC */
/*
 * handover.c - another side becomes the leader, and no mail is hidden by that
 */
#include "lda/store/handover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lda/store/agree.h"
#include "lda/store/lacking.h"
#include "lda/store/visit.h"
#include "lda/store/visit_list.h"

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

/* In the child: a line for the parent, where a mailbox lacks some. */
static enum status
say_lacking(const char *folder, unsigned long n, int out, struct err *err)
{
	char *packed = visit_pack(NULL, folder);
	enum status st = n == 0 ? ST_OK :
	    as_user_say(out, err, "lacks %lu %s", n, packed);

	talloc_free(packed);
	return st;
}

/* The uidlists are one mailbox's; the next leader's gets above every UID that
 * the present one may have shown. */
static enum status
raise_next(const struct record *rec, struct mailbox *lead,
    struct mailbox *next, struct err *err)
{
	uint32_t n = higher(higher(lead->uids.next, next->uids.next),
	    record_floor(rec, lead->uids.guid, lead->uids.validity));

	return uidlist_raise(&next->uids, next->md->ctl, n, err);
}

/* The next leader knows what was delivered; a record from before the change is
 * not followed any more; the present one knows how far it led. */
static enum status
pass_log(const struct visit *v, struct mailbox *lead, struct mailbox *next,
    bool whole, struct err *err)
{
	int64_t now = time(NULL), keep = (int64_t)v->conf->log_days * 86400;
	uint64_t version = v->rec->version + 1;
	enum status st;

	st = deliveries_merge(&next->log, next->md->ctl, &lead->log, now, keep,
	    err);
	if (st == ST_OK)
		st = deliveries_lead(&next->log, version, err);
	/* An earlier try of this step may have found it whole. */
	if (st == ST_OK)
		st = deliveries_stop_leading(&lead->log, version, whole ?
		    lead->uids.next : 0, err);
	return st;
}

/* The logs first: a mailbox that is made on a side which was served says so in
 * its own. */
static enum status
make_ready(const struct visit *v, struct pair *pair, const char *folder,
    struct err *err)
{
	struct mailbox *lead = &pair->box[0], *next = &pair->box[1];
	enum status st;

	if (pair->tails.restored != 0)
		return pair_restored(pair, err);
	st = give_log(next, err);
	if (st == ST_OK)
		st = give_log(lead, err);
	/* Mail without uidlist cannot be handed over: agree says what to do. */
	if (st == ST_OK)
		st = pair_agree(pair, v->rec, INT64_MAX, err);
	if (st == ST_OK && folder[0] == '\0')
		st = pair_same_counter(pair, v->rec, err);
	return st;
}

static enum status
hand_over(const struct visit *v, struct pair *pair, const char *folder, int out,
    struct err *err)
{
	const struct handover *ho = v->arg;
	struct mailbox *lead = &pair->box[0], *next = &pair->box[1];
	unsigned long n = 0;
	enum status st;
	bool behind;

	/* What the follower alone has is no mailbox to lead with. */
	if (pair->n < 2)
		return ST_OK;
	st = mailbox_lacking(lead, next, true, &n, err);
	if (st == ST_OK && n > 0 && !ho->force)
		return say_lacking(folder, n, out, err);
	behind = next->uids.fd == -1 || next->uids.next < lead->uids.next;
	if (st == ST_OK)
		st = make_ready(v, pair, folder, err);
	/* A file that the catch-up did not find would be hidden. */
	if (st == ST_OK && behind)
		st = mailbox_lacking(lead, next, false, &n, err);
	if (st == ST_OK)
		st = say_lacking(folder, n, out, err);
	if (st != ST_OK || (n > 0 && !ho->force))
		return st;
	st = raise_next(v->rec, lead, next, err);
	return st == ST_OK ? pass_log(v, lead, next, n == 0, err) : st;
}

struct lacking {			/* a mailbox, in the parent */
	const char	*folder;
	unsigned long	 n;
};

struct judging {			/* what the children report */
	struct handover	*ho;
	struct lacking	*at;		/* talloc; NULL where n is 0 */
	size_t		 n;
};

static void
on_lacking(const char *line, void *arg)
{
	struct judging *j = arg;
	unsigned long n;
	char *end, *name;

	if (strncmp(line, "lacks ", 6) != 0)
		return;
	n = strtoul(line + 6, &end, 10);
	if (n == 0 || *end != ' ')
		return;
	j->at = must(talloc_realloc(NULL, j->at, struct lacking,
	    (unsigned)j->n + 1));
	name = must(talloc_strdup(j->at, end + 1));
	visit_unpack(name);
	j->at[j->n++] = (struct lacking){ name, n };
}

static int
by_folder(const void *a, const void *b)
{
	const struct lacking *x = a, *y = b;

	return strcmp(x->folder, y->folder);
}

/* The children come to the mailboxes in any order. */
static void
sum_up(struct judging *j)
{
	struct handover *ho = j->ho;
	size_t i;

	if (j->n > 0)
		qsort(j->at, j->n, sizeof(*j->at), by_folder);
	ho->messages = 0;
	ho->mailboxes = j->n;
	for (i = 0; i < j->n; i++) {
		ho->messages += j->at[i].n;
		if (ho->lacks != NULL)
			ho->lacks(j->at[i].folder, j->at[i].n, ho->arg);
	}
	talloc_free(j->at);
}

static enum status
visit_and_judge(struct handover *ho, struct visit *v, struct err *err)
{
	struct judging j = { ho, NULL, 0 };
	enum status st;

	v->arg = ho;
	v->line = on_lacking;
	v->line_arg = &j;
	st = visit_mailboxes(v, err);
	sum_up(&j);
	if (st != ST_OK || ho->messages == 0 || ho->force)
		return st;
	return err_set(err, ST_NEVER, "%s would hide mail of %s: it lacks %lu "
	    "message%s in %lu mailbox%s that %s has", side_name(ho->next),
	    ho->rec->user, ho->messages, ho->messages == 1 ? "" : "s",
	    ho->mailboxes, ho->mailboxes == 1 ? "" : "es",
	    side_name(record_leader(ho->rec)));
}

enum status
handover(struct handover *ho, struct err *err)
{
	struct visit v = { .rec = ho->rec, .conf = ho->conf,
	    .flags = VISIT_HOLD | VISIT_MAKE | (ho->ask ? VISIT_ASK : 0),
	    .map_flags = ho->map_flags, .ahead = 1, .fn = hand_over };

	return visit_and_judge(ho, &v, err);
}

/* Without a lock: a uidlist that cannot be read now is none. */
static enum status
read_uids(struct mailbox *box, struct err *err)
{
	enum status st = uidlist_read(&box->uids, box->md->ctl, err);

	if (st == ST_NONE || (st == ST_NEVER && err->code == 0))
		return ST_OK;
	return st == ST_OK ? st : err_wrap(err, st, "%s", box->md->path);
}

static enum status
compare(const struct visit *v, struct pair *pair, const char *folder, int out,
    struct err *err)
{
	const struct handover *ho = v->arg;
	enum status st = ST_OK;
	unsigned long n = 0;
	int i;

	if (pair->box[0].side == ho->next)	/* the leader lacks it */
		return ST_OK;
	for (i = 0; i < pair->n && st == ST_OK; i++)
		st = read_uids(&pair->box[i], err);
	if (st == ST_OK)
		st = mailbox_lacking(&pair->box[0], pair_follower(pair), true,
		    &n, err);
	return st == ST_OK ? say_lacking(folder, n, out, err) : st;
}

enum status
handover_compare(struct handover *ho, struct err *err)
{
	struct visit v = { .rec = ho->rec, .conf = ho->conf, .fn = compare };

	return visit_and_judge(ho, &v, err);
}
