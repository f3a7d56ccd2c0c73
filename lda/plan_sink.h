/* SPDX-License-Identifier: ISC */
/*
 * plan_sink.h - the mailboxes of the plan, for rc files
 *
 * A destination below the old or the new mail root, also by a symbolic link,
 * is delivered by the transaction; every other one is left to lda/recipe.
 */
#ifndef LDA_PLAN_SINK_H
#define LDA_PLAN_SINK_H

#include "lda/recipe/sink.h"
#include "lda/transaction.h"

/* A message was delivered to one mailbox of the plan. */
typedef void plan_delivered_fn(void *arg, const struct delivery *dv,
		    const struct message *msg);

struct plan_sink {
	struct sink	 sink;		/* to be given to the engine */
	struct delivery	 dv;		/* ctx, map, conf, user, home,
					   recipient, plan */
	const struct record *rec;	/* located */
	const struct message *input;	/* as received; identifies a retry */
	plan_delivered_fn *delivered;	/* called after each delivery */
	void		*arg;
	/* Private. */
	const char	*root[2];	/* resolved; NULL: there is none */
	long		 pid;		/* the process that opened the map */
};

/* Fill in what is left after the fields above are set. */
void		plan_sink_begin(struct plan_sink *ps);

#endif
