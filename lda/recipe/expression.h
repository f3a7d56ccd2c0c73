/* SPDX-License-Identifier: ISC */
/*
 * expression.h - from the text of a condition to its regular expression
 *
 * Source: procmailrc(5), Miscellaneous: ^TO_, ^TO, ^FROM_DAEMON, ^FROM_MAILER;
 * procmail 3.22 src/regexp.c.
 */
#ifndef LDA_RECIPE_EXPRESSION_H
#define LDA_RECIPE_EXPRESSION_H

#include <stdbool.h>
#include <talloc.h>

/* Join continued lines: backslash and LF are removed, and then the blanks that
 * follow an LF.  Child of ctx. */
char	       *expression_joined(TALLOC_CTX *ctx, const char *text);

/*
 * The expression that text stands for: joined, ^TO_ and its like replaced.
 * Child of ctx.
 *
 * quoted   a backslash stands before the text.
 * no_case  set to true if a replaced ^FROM_DAEMON ignores case, whatever the D
 *          flag says.
 */
char	       *expression_text(TALLOC_CTX *ctx, const char *text, bool quoted,
		    bool *no_case);

#endif
