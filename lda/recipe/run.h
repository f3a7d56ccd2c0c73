/* SPDX-License-Identifier: ISC */
/*
 * run.h - one statement of the open rc files after another
 *
 * Source: procmailrc(5), Recipe flags A, a, E and e; procmail 3.22
 * src/procmail.c, mainloop().
 */
#ifndef LDA_RECIPE_RUN_H
#define LDA_RECIPE_RUN_H

#include <stdbool.h>

struct engine;

enum ended {
	ENDED_DELIVERED,
	ENDED_EOF,		/* all statements were run, or the run is over
				   (e->end.stop) */
	ENDED_LEFT,		/* HOST did not match */
};

/* Run the open rc files to their end.  No file is open afterwards, unless
 * the message was delivered. */
enum ended	run_files(struct engine *e);

#endif
