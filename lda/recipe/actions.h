/* SPDX-License-Identifier: ISC */
/*
 * actions.h - what a recipe does once its conditions hold
 */
#ifndef LDA_RECIPE_ACTIONS_H
#define LDA_RECIPE_ACTIONS_H

#include <stdio.h>

#include "lda/recipe/engine.h"

/*
 * Do it.  delivered: true where the message has gone somewhere (to a folder or a
 * program; not through a filter).
 * Returns whether it was successful; e->stop may be set meanwhile.
 */
bool		action_run(struct engine *e, const struct statement *s,
		    const struct head *head, unsigned flags, bool *delivered);

/* Tell of flags that mean nothing with this action. */
void		action_flags(struct engine *e, const struct statement *s,
		    const struct head *head, unsigned flags);

/*
 * A block: true: go in; false: go past it, as our clone is in it.  ok: whether the
 * recipe was successful.
 */
bool		action_block(struct engine *e, const struct head *head,
		    unsigned flags, bool *ok);

#endif
