/* SPDX-License-Identifier: ISC */
/*
 * conditions.h - does a recipe apply?
 *
 * Source: procmailrc(5), Conditions; procmailsc(5); procmail 3.22 src/misc.c.
 */
#ifndef LDA_RECIPE_CONDITIONS_H
#define LDA_RECIPE_CONDITIONS_H

#include <stdbool.h>

#include "lda/recipe/parser.h"

struct engine;

/*
 * Do the conditions of a recipe hold?  Sets $=, and MATCH where an expression
 * has a `\/`.  The header of e->mail may be unfolded afterwards.
 *
 * flags  of the recipe (enum flag): what is searched, and how.
 * tried  false: the recipe does not apply anyway, and no condition is
 * evaluated.
 */
bool		conditions_hold(struct engine *e, const struct statement *s,
		    unsigned flags, bool tried);

#endif
