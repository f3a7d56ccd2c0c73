/* SPDX-License-Identifier: ISC */
/*
 * pipes.h - programs that take a message, judge it or change it
 *
 * What becomes of a program's exit status and output, in procmail's words.
 *
 * Source: procmailrc(5), Flags w, W and i; procmail 3.22 src/pipes.c.
 */
#ifndef LDA_RECIPE_PIPES_H
#define LDA_RECIPE_PIPES_H

#include <stdbool.h>

#include "lda/recipe/child.h"

struct engine;

enum pipes_wait {			/* bits: flags w and W */
	NO_WAIT,
	WAIT = 1,
	WAIT_QUIET = 2,			/* only VERBOSE logs a failure */
};

/*
 * Run a program that takes the message, or that is a condition.  Sets $? and
 * e->last.
 *
 * ignore   it need not read all of its input.
 * deliver  set LASTFOLDER.
 *
 * Returns false if it failed, which is logged: it was not started, did not read
 * its input, was waited for and its exit status is not 0, or the run is over.
 */
bool		pipes_deliver(struct engine *e, const struct program *p,
		    const struct part *in, unsigned wait, bool ignore,
		    bool deliver);

/*
 * Run a program whose output counts: it is appended to `out`.  Sets $?, and
 * e->programs.filter_failed if it was waited for.
 *
 * Returns false if it failed, as above or by TIMEOUT: what went in is to stay
 * as it was.
 */
bool		pipes_filter(struct engine *e, const struct program *p,
		    const struct part *in, unsigned wait, bool ignore,
		    struct bytes *out);

/* Log that a program exited with a status other than 0. */
void		pipes_failure(struct engine *e, const char *name, int code,
		    unsigned wait);

/* The program with its arguments, for LASTFOLDER; child of e->ctx, or borrowed
 * from p. */
const char     *pipes_name(struct engine *e, const struct program *p);

#endif
