/* SPDX-License-Identifier: ISC */
/*
 * child.h - a program: started, fed, listened to and waited for
 *
 * It is the one child, with no copy of this process between: its input and
 * output go through poll(2).  TIMEOUT ends it, and what it leaves behind cannot
 * hold up this process for ever.
 *
 * Source: procmailrc(5), SHELL, SHELLFLAGS, TIMEOUT; procmail 3.22 src/pipes.c.
 */
#ifndef LDA_RECIPE_CHILD_H
#define LDA_RECIPE_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#include "lda/recipe/bytes.h"
#include "lda/recipe/mail.h"
#include "lda/recipe/words.h"

struct engine;

/* A command, as expand_command() makes it. */
struct program {
	bool		 shell;
	struct words	 words;		/* arguments; one text for a shell */
};

struct child_end {			/* how it ended */
	bool		 started;
	bool		 written;	/* it has read all of its input */
	bool		 waited;	/* it has ended, and code is known */
	bool		 timed_out;
	int		 code;		/* exit status, or minus the signal */
	size_t		 bytes;		/* of its input that were written */
};

/*
 * Run a program with the variables of e as its environment.
 *
 * in          its input; an empty line follows that is missing, but not if raw.
 * out         its output is appended; NULL: see out_to_log.
 * out_to_log  its output goes to the log, else to /dev/null.
 * wait        wait for its end (always if it was timed out).
 * end         written in any case.
 *
 * The deadline of the run is extended meanwhile to engine_seconds_left().  A
 * signal may stop the run (e->end.stop).
 */
void		child_run(struct engine *e, const struct program *p,
		    const struct part *in, struct bytes *out, bool out_to_log,
		    bool wait, struct child_end *end);

#endif
