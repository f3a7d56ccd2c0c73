/* SPDX-License-Identifier: ISC */
/*
 * words.h - a list of words in one buffer, no longer than LINEBUF
 *
 * Each word ends with a NUL.  What exceeds the limit is cut off, and reported
 * by `overflow`: procmail's buffer is as long, and overruns there.
 */
#ifndef LDA_RECIPE_WORDS_H
#define LDA_RECIPE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <talloc.h>

#define WORDS_NO_ARGS	((size_t)-1)

struct words {
	TALLOC_CTX	*ctx;
	char		*buf;		/* talloc; always a NUL at buf[len] */
	size_t		 len;		/* bytes, with the NUL of every word */
	size_t		 room;		/* bytes allocated */
	size_t		 limit;		/* bytes: LINEBUF */
	size_t		 args;		/* offset of "$@"; WORDS_NO_ARGS */
	bool		 overflow;	/* something was cut off */
	bool		 unclosed;	/* the text ended within quotes */
};

/* Begin an empty list of at most `limit` bytes; w->buf is a child of ctx. */
void		words_begin(struct words *w, TALLOC_CTX *ctx, size_t limit);

/* Append len bytes of data, a NUL among them too, up to the limit. */
void		words_put(struct words *w, const char *data, size_t len);

/*
 * The word after `word`, or the first one if `word` is NULL.  Returns NULL
 * past the last word.  Borrowed until the next words_put().
 */
const char     *words_next(const struct words *w, const char *word);

/* The number of words. */
size_t		words_count(const struct words *w);

/*
 * The words from `from` (a result of words_next(); NULL: none) to the last,
 * with a blank between two; talloc child of ctx.
 */
char	       *words_join(TALLOC_CTX *ctx, const struct words *w,
		    const char *from);

#endif
