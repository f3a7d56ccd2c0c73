/* SPDX-License-Identifier: ISC */
/*
 * filtering.h - the rc files that decide where a message goes
 *
 * Whether there are any for this user, and what lda/recipe needs to run them:
 * without a map the name for DEFAULT, with one the mailboxes of the plan
 * (lda/plan_sink.h).
 */
#ifndef LDA_FILTERING_H
#define LDA_FILTERING_H

#include "lda/plan_sink.h"
#include "lda/recipe/recipe.h"
#include "lda/recipient.h"

struct filtering {
	struct envelope	*env;		/* talloc parent of what is made */
	const struct conf *conf;
	bool		 mapped;	/* a map is configured */
	struct recipient *to;		/* with a map, its account is filled
					   in */
	plan_delivered_fn *delivered;	/* called for each delivery by the
					   plan */
	void		*arg;
	/* Filled in by filtering_run(). */
	struct record	*rec;		/* located; NULL: not read */
	long long	 retry_after;	/* seconds, of a deferral while the
					   mailbox is moved; else 0 */
	struct recipe_result result;
};

/*
 * Does anything have to be run for this user?  Looks at names only.
 *
 * f  the fields up to `to` are set.
 *
 * ST_AGAIN  the file system that may have the user's rc file does not answer.
 */
enum status	filtering_wanted(const struct filtering *f, bool *wanted,
		    struct err *err) MUST_CHECK;

/*
 * Read the message from the standard input and run the rc files for it.
 *
 * ST_OK     f->result.status is the exit status, which an rc file may set.
 * ST_AGAIN, ST_NEVER  the delivery is deferred; nothing more may be done.
 */
enum status	filtering_run(struct filtering *f, struct err *err) MUST_CHECK;

#endif
