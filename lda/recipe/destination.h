/* SPDX-License-Identifier: ISC */
/*
 * destination.h - the folders that a recipe names, wherever they lie
 *
 * A mailbox of the plan is the sink's to deliver (sink.h); any other folder is
 * written here (folder.h), once for all runs.
 */
#ifndef LDA_RECIPE_DESTINATION_H
#define LDA_RECIPE_DESTINATION_H

#include <stdbool.h>

#include "lda/recipe/mail.h"
#include "lda/recipe/words.h"

struct engine;

/*
 * Deliver to the folders `names`.  Sets LASTFOLDER and e->last.  No mail is
 * written by root.
 *
 * ignore  ignore errors of writing.
 * lock    take the lockfile of an mbox.
 *
 * Returns false if it was not delivered, which is logged, or if the run is
 * over: a mailbox of the plan that cannot be delivered to defers it.
 */
bool		destination_write(struct engine *e, const struct words *names,
		    const struct part *in, bool ignore, bool lock);

#endif
