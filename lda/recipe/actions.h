/* SPDX-License-Identifier: ISC */
/*
 * actions.h - what a recipe does once its conditions hold
 *
 * Source: procmailrc(5), Recipe action line, Flags; procmail 3.22
 * src/procmail.c.
 */
#ifndef LDA_RECIPE_ACTIONS_H
#define LDA_RECIPE_ACTIONS_H

#include <stdbool.h>

#include "lda/recipe/parser.h"

struct engine;

/*
 * Run the action of a recipe: a folder, a pipe or a forward.
 *
 * delivered  true if the message was delivered to a folder or a program, and
 *            not only changed by a filter.
 *
 * Returns whether it was successful; a failure is logged.  The run may be over
 * afterwards (e->end.stop).
 */
bool		action_run(struct engine *e, const struct statement *s,
		    const struct head *head, bool *delivered);

/* Log the flags that have no meaning with the action of this recipe. */
void		action_flags(struct engine *e, const struct statement *s,
		    const struct head *head);

/*
 * Begin a block.  With the flag c a clone of this process goes into it.
 *
 * ok  false if the clone failed, as far as it was waited for.
 *
 * Returns true if this process is to go into the block, false if it is to pass
 * the block.
 */
bool		action_block(struct engine *e, const struct head *head,
		    bool *ok);

#endif
