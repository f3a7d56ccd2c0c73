/* SPDX-License-Identifier: ISC */
/*
 * step.h - one step of a user: compare, hand over, swap, wait
 *
 * The act alone: it reads no command line and prints nothing.  `step`, `undo`,
 * `import` and the mover call it.
 */
#ifndef ADMIN_STEP_H
#define ADMIN_STEP_H

#include "admin/context.h"
#include "lda/store/handover.h"

#define STEP_MARGIN	100000		/* UIDs: see struct step */

/* Something that may take long begins: what is waited for, in one line.  NULL:
 * it is over. */
typedef void step_progress_fn(const char *text, void *arg);

struct step {
	enum state	 to;
	time_t		 begin, end;	/* of a cutover, seconds UTC; else 0 */
	bool		 dry_run;	/* judge the step, and change nothing */
	bool		 force;		/* also where the next leader lacks
					   messages that the present one has */
	enum side	 without;	/* dead, not touched; SIDE_NONE */
	uint32_t	 margin;	/* then, at a change of leader: by how
					   much next UIDs are raised */
	step_progress_fn *progress;	/* may be NULL */
	handover_lacks_fn *lacks;	/* the same; called for each mailbox of
					   which messages are lacking */
	void		*arg;
};

/*
 * Step a user, wait until everybody follows the new state, hand over where the
 * leader changes.  A step to the state that the user is in cancels a window
 * that is planned, and waits once more.
 *
 * was  the record as admin_get() gave it: located.
 *
 * ST_AGAIN  somebody else changed the record first; or a filer or a lock did
 *           not answer: nothing was written, unless err says that the step was.
 * ST_NEVER  not a legal step, or we may not work on the user's mailboxes, or
 *           the next leader lacks messages: the state stays.
 */
enum status	step_user(struct admin *ad, struct record *was,
		    const struct step *s, struct err *err) MUST_CHECK;

/* The wait alone: until no delivery by a former state is under way.  Of s only
 * progress and without count. */
enum status	step_wait(struct admin *ad, struct record *rec,
		    const struct step *s, struct err *err) MUST_CHECK;

#endif
