/* SPDX-License-Identifier: ISC */
/*
 * lockfile.h - lockfiles, as other programs of the user take them
 *
 * A lockfile is made exclusively.  One that is older than LOCKTIMEOUT is
 * removed by force.
 *
 * Source: procmailrc(5), LOCKFILE, LOCKTIMEOUT, LOCKSLEEP; procmail 3.22
 * src/locking.c.
 */
#ifndef LDA_RECIPE_LOCKFILE_H
#define LDA_RECIPE_LOCKFILE_H

#include <stdbool.h>

struct engine;

/*
 * Drop the lockfile that *lock holds, unless it is `name`, and take `name` (""
 * takes none).  lock is &e->locks.local or &e->locks.global.
 *
 * Returns false if that failed, which is logged, or if the run is over.
 */
bool		lockfile_take(struct engine *e, const char *name, char **lock);

/*
 * Take the lockfile of a recipe: the one that it names, or, if that is NULL,
 * `of` and LOCKEXT.
 */
void		lockfile_local(struct engine *e, const char *named,
		    const char *of);

/* Remove the lockfile that *lock holds, if any. */
void		lockfile_drop(struct engine *e, char **lock);

/* This process is a clone: the lockfiles are its parent's. */
void		lockfile_forget(struct engine *e);

#endif
