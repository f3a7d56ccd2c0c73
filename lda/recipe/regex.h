/* SPDX-License-Identifier: ISC */
/*
 * regex.h - procmail's regular expressions, in linear time
 *
 * The dialect of procmailrc(5): every character is a byte; `^` and `$` are a
 * newline; `^^` the very start or end of the text; `\<` and `\>` a character that
 * is in no word; `\/` where MATCH begins.  No back references, so an expression
 * of m bytes never costs more than m steps for each byte of the text.
 *
 * Source: procmailrc(5), procmail 3.22 by what it matches.
 */
#ifndef LDA_RECIPE_REGEX_H
#define LDA_RECIPE_REGEX_H

#include <stdbool.h>
#include <sys/types.h>
#include <talloc.h>

#include "maps/base/err.h"

struct regex;

#define REGEX_NO_MATCH	(-2)	/* no offset of a match's end is that small */

/*
 * Compile.  fold: upper and lower case of ASCII are the same.
 *
 * broken  true: parentheses do not pair.  The expression matches all the same, as
 *         far as it goes: an unclosed group is closed at the end, and what
 *         follows a parenthesis too many is left out.
 * Talloc child of ctx.
 */
struct regex   *regex_compile(TALLOC_CTX *ctx, const char *expr, bool fold,
		    bool *broken);

/*
 * Find the match that ends first, in text[0 .. len), beginning at `from`.
 *
 * Returns the offset one past its end: -1 where it matched before the first
 * byte (the text begins as if after a newline), len + 1 where it ended with the
 * newline that is imagined after the text; or REGEX_NO_MATCH.
 */
ssize_t		regex_search(struct regex *re, const char *text, size_t len,
		    size_t from);

/* Has the expression a `\/`? */
bool		regex_extracts(const struct regex *re);

/*
 * The same for an expression with `\/`: the leftmost and then longest of what its
 * right side matches.
 *
 * true: it matched; *start and *end (within 0 .. len) bound the extract, or
 * *start is -1 where it matched by an alternative without a `\/`.
 */
bool		regex_extract(struct regex *re, const char *text, size_t len,
		    size_t from, ssize_t *start, ssize_t *end);

#endif
