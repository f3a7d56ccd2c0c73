/* SPDX-License-Identifier: ISC */
/*
 * delivered.h - the last delivery, and whether an earlier run has made it
 *
 * When the mail system brings a message again, what the earlier run delivered
 * is not delivered again.  A delivery is known by its destination and by its
 * number in the run, which is the same in each run of the same rc files.  The
 * sink remembers (sink.h); without one every delivery is new.
 */
#ifndef LDA_RECIPE_DELIVERED_H
#define LDA_RECIPE_DELIVERED_H

#include "lda/recipe/sink.h"
#include "maps/base/err.h"

struct engine;

/* Set LASTFOLDER. */
void		delivered_to(struct engine *e, const char *name);

/* The next delivery of this run.  path is borrowed; dest->dir is a child of
 * e->ctx. */
struct dest	delivered_next(struct engine *e, enum dest_kind kind,
		    const char *path);

/*
 * Has an earlier run made this delivery?
 * ST_OK    yes: LASTFOLDER is set as it was.
 * ST_NONE  no.
 * ST_AGAIN, ST_NEVER  that cannot be said: the run is deferred.
 */
enum status	delivered_before(struct engine *e, const struct dest *dest);

/* It is made now.  If the sink cannot remember it, that is logged. */
void		delivered_now(struct engine *e, const struct dest *dest);

/* This process is a new clone: its deliveries are numbered apart. */
void		delivered_as_clone(struct engine *e);

#endif
