/* SPDX-License-Identifier: ISC */
/*
 * lexer.h - words, quotes and substitutions of an rc file
 *
 * One reader for two purposes: with an expander it gives the words with
 * everything substituted; without one it only finds where they end, which is
 * how the parser cuts a file into statements.  So the two cannot disagree.
 *
 * Source: procmailrc(5), sh(1) as far as it goes; procmail 3.22 by what it does.
 */
#ifndef LDA_RECIPE_LEXER_H
#define LDA_RECIPE_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <talloc.h>

struct text {				/* what is still to be read; borrowed */
	const char	*p, *end;
};

enum words_mode {
	WORDS_SPLIT,		/* to the end of the line: words, each with a NUL */
	WORDS_VALUE,		/* one word: the value of an assignment */
	WORDS_LINE,		/* to the end, words joined by one blank; a `"`
				   before the text makes it all quoted */
};

#define WORDS_NO_ARGS	((size_t)-1)

struct words {
	TALLOC_CTX	*ctx;
	char		*buf;		/* talloc; always a NUL at buf[len] */
	size_t		 len;		/* with the NUL of every word */
	size_t		 room;
	size_t		 limit;		/* LINEBUF: more is cut off */
	size_t		 args;		/* where "$@" stands; WORDS_NO_ARGS */
	bool		 overflow;	/* something was cut off */
	bool		 unclosed;	/* a quote that the text ends in */
};

/* Who knows the values. */
struct expander {
	void		*arg;
	/* NULL: not set.  Borrowed until the next call. */
	const char     *(*value)(void *arg, const char *name);
	/* $$ $? $# $= $_ $- */
	const char     *(*special)(void *arg, char which);
	/* Append the output of a program, at most `most` bytes of it. */
	void		(*command)(void *arg, const char *command, size_t most,
			    struct words *to);
	void		(*bad)(void *arg, const char *name);	/* ${name?} */
};

void		words_begin(struct words *w, TALLOC_CTX *ctx, size_t limit);

/*
 * Read from `in` and append to w.  in->p is moved behind what was read, with the LF.
 * x    NULL: only find the end; nothing but structure is put into w then.
 * Returns false where LINEBUF was exceeded (w->overflow).
 */
bool		words_read(struct words *w, struct text *in, enum words_mode mode,
		    const struct expander *x);

/* Append as it is, within the limit. */
void		words_put(struct words *w, const char *data, size_t len);

/* The words one by one: NULL past the last.  `word` NULL: the first. */
const char     *words_next(const struct words *w, const char *word);

/* How many. */
size_t		words_count(const struct words *w);

/* All of them with a blank between two; talloc child of ctx. */
char	       *words_join(TALLOC_CTX *ctx, const struct words *w,
		    const char *from);

#endif
