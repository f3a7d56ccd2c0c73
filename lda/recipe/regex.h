/* SPDX-License-Identifier: ISC */
/*
 * regex.h - procmail's regular expressions, in linear time
 *
 * The dialect of procmailrc(5): every character is a byte; `^` and `$` are a
 * newline; `^^` is the very start or end of the text; `\<` and `\>` are a
 * character that is in no word; after `\/` MATCH begins.  There are no back
 * references, so an expression of m bytes costs at most m steps for each byte
 * of the text.
 *
 * Source: procmailrc(5), Extended regular expressions; procmail 3.22
 * src/regexp.c, observed by its matches.
 */
#ifndef LDA_RECIPE_REGEX_H
#define LDA_RECIPE_REGEX_H

#include <stdbool.h>
#include <sys/types.h>
#include <talloc.h>

#include "maps/base/err.h"

struct regex;

#define REGEX_NO_MATCH	(-2)	/* less than any offset of a match */

/*
 * Compile an expression; talloc child of ctx.  Never fails.
 *
 * fold    upper and lower case of ASCII are the same.
 * broken  set to true if parentheses do not pair or nest too deeply.  The
 *         expression still matches: an unclosed group is closed at the end, and
 *         what follows a closing parenthesis too many is ignored.
 */
struct regex   *regex_compile(TALLOC_CTX *ctx, const char *expr, bool fold,
		    bool *broken);

/*
 * Find the match that ends first in text[0 .. len), from offset `from` on.
 *
 * Returns the offset one past its end, or REGEX_NO_MATCH.  The offset is -1 if
 * it matched before the first byte (a newline is imagined before the text), and
 * len + 1 if it ended with the newline that is imagined after the text.
 */
ssize_t		regex_search(struct regex *re, const char *text, size_t len,
		    size_t from);

/* Does the expression have a `\/`? */
bool		regex_extracts(const struct regex *re);

/*
 * Find what the right side of `\/` matches: the leftmost, and of these the
 * longest.
 *
 * Returns whether the expression matches at all.  Then [*start, *end), within
 * 0 .. len, is the extract; *start is -1 if an alternative without `\/`
 * matched.
 */
bool		regex_extract(struct regex *re, const char *text, size_t len,
		    size_t from, ssize_t *start, ssize_t *end);

#endif
