/* SPDX-License-Identifier: ISC */
/*
 * lexer.h - words, quotes and substitutions of an rc file
 *
 * One reader serves two purposes.  With an expander it gives the words with
 * everything substituted.  Without one it only finds where they end, which is
 * how the parser cuts a file into statements.  So the two cannot disagree.
 *
 * Source: procmailrc(5), sh(1); procmail 3.22 src/goodies.c, readparse().
 */
#ifndef LDA_RECIPE_LEXER_H
#define LDA_RECIPE_LEXER_H

#include "lda/recipe/words.h"

struct text {				/* [p, end) is unread; borrowed */
	const char	*p, *end;
};

enum words_mode {
	WORDS_SPLIT,		/* to the end of the line: a list of words */
	WORDS_VALUE,		/* one word: the value of an assignment */
	WORDS_LINE,		/* to the end of the text, words with one blank
				   between two; a `"` before the text quotes
				   all of it */
};

/* The source of the values.  arg is passed to each function. */
struct expander {
	void		*arg;
	/* A variable's value; NULL: not set.  Borrowed until the next call. */
	const char     *(*value)(void *arg, const char *name);
	/* $$ $? $# $= $_ $-: `which` is the character after the `$`.
	 * Never NULL; borrowed until the next call. */
	const char     *(*special)(void *arg, char which);
	/* Append the output of a command between backquotes to `to`, at most
	 * `most` bytes of it. */
	void		(*command)(void *arg, const char *command, size_t most,
			    struct words *to);
	/* Report a ${name} that cannot be understood. */
	void		(*bad)(void *arg, const char *name);
};

/*
 * Read from `in` and append to w.
 *
 * in  in->p is moved past what was read, the LF of a line included.
 * x   NULL: only find the end; w then holds no values.
 *
 * Returns false if w's limit was exceeded (w->overflow).  w->unclosed is set
 * where the text ends within quotes.
 */
bool		lexer_read(struct words *w, struct text *in,
		    enum words_mode mode, const struct expander *x);

#endif
