/* SPDX-License-Identifier: ISC */
/*
 * visit.h - go to every mailbox of a user, as the user, each once
 *
 * Deliveries ask the map again under the mailbox's lock.  So whoever has
 * changed the map and then held every mailbox's lock once knows: what is
 * delivered from now on was decided by the new record.  That is the barrier: a
 * visit without a function.
 */
#ifndef LDA_STORE_VISIT_H
#define LDA_STORE_VISIT_H

#include "lda/store/asuser.h"
#include "lda/store/pair.h"

struct visit;

/*
 * What is done at a mailbox, in a child that is the user.
 *
 * pair  open; with VISIT_HOLD also locked and read, with nothing undecided.
 *       pair->n is at least 1.
 * out   for lines to the parent: as_user_say().
 *
 * ST_NONE counts as ST_OK; anything else ends the visit.
 */
typedef enum status visit_fn(const struct visit *v, struct pair *pair,
		    const char *folder, int out, struct err *err);

enum visit_flag {
	VISIT_HOLD = 1,		/* take the locks, decide what is undecided */
	VISIT_MAKE = 2,		/* make on the follower what the leader has */
	VISIT_ASK = 4,		/* ask the map, under every lock, whether it
				   still has rec: another command may be the one
				   that changes the leader.  Without it rec is
				   what the caller wrote, or the map is the
				   caller's alone. */
};

struct visit {
	const struct record	*rec;	/* located */
	const struct conf	*conf;
	unsigned		 flags;
	unsigned		 map_flags;	/* of map_open(), with
					   VISIT_ASK; 0: a client of mapd's */
	unsigned		 ahead;	/* as in struct pair_terms */
	visit_fn		*fn;	/* NULL: the barrier */
	void			*arg;	/* fn's; each child has its own copy */
	as_user_line_fn		*line;	/* fn's lines, in the parent; NULL:
					   none */
	void			*line_arg;
};

/*
 * List the mailboxes of both sides and go to each of them, in several children
 * at a time, until a listing names none that was not visited: one that is
 * renamed while it is listed is found by the next listing.  A mailbox is known
 * by its name and by the inode of its directory on each side, and visited once.
 *
 * Of a mailbox whose delivery log has seen a later change of leader nothing is
 * decided: whoever made that change has held its lock.  With `ahead` that is an
 * error.
 *
 * ST_OK     every mailbox was visited.
 * ST_AGAIN  a lock stays taken, a filer is not mounted or does not answer, a
 *           child was killed (conf->deadline seconds in all), the mailboxes
 *           keep changing, or somebody else changed the record.
 */
enum status	visit_mailboxes(const struct visit *v, struct err *err)
		    MUST_CHECK;

/*
 * The barrier: wait until nobody delivers by a former state any more.
 *
 * rec  as it stands in the map after the change, located.
 */
enum status	visit_barrier(const struct record *rec, const struct conf *conf,
		    struct err *err) MUST_CHECK;

#endif
