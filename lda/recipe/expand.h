/* SPDX-License-Identifier: ISC */
/*
 * expand.h - what a `$` and a backquote stand for, and commands
 *
 * Text between backquotes is a command, and a command is text to be expanded:
 * the one circle of the language, and all of it is here.
 *
 * Source: procmailrc(5), Environment variable defaults, Miscellaneous.
 */
#ifndef LDA_RECIPE_EXPAND_H
#define LDA_RECIPE_EXPAND_H

#include <stdbool.h>
#include <stddef.h>

#include "lda/recipe/child.h"
#include "lda/recipe/lexer.h"

#define LINEBUF_MIN	128		/* bytes */
#define LINEBUF_DEFAULT	2048
#define LINEBUF_MOST	(1024 * 1024)

struct engine;

/*
 * Read text[0 .. len) with all that it stands for, and append it to w.
 *
 * Returns false if w's limit was exceeded, which is logged.  Programs between
 * backquotes run, and may stop the run.
 */
bool		expand(struct engine *e, struct words *w, const char *text,
		    size_t len, enum words_mode mode);

/*
 * Make a program of a command line: its words, or, if it has any of SHELLMETAS
 * or is too long, the line for a shell.  p->words is a child of e->ctx.
 */
void		expand_command(struct engine *e, const char *line,
		    struct program *p);

/* Log that LINEBUF was exceeded, and set PROCMAIL_OVERFLOW. */
void		expand_overflowed(struct engine *e);

#endif
