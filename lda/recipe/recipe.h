/* SPDX-License-Identifier: ISC */
/*
 * recipe.h - run the rc files of one user for one message
 *
 * Source: procmail(1), procmailrc(5), procmailsc(5); mailferryrc(5) lists the
 * differences.
 */
#ifndef LDA_RECIPE_RECIPE_H
#define LDA_RECIPE_RECIPE_H

#include "lda/recipe/setup.h"

/*
 * Is there an rc file to run for this user?  *wanted false: deliver as without
 * rc
 * files.  Only names are looked at, no content.
 *
 * home      the recipient's; NULL: unknown.
 * ST_AGAIN  the file system of ~/.procmailrc does not answer: a user's filters
 *           are never left out in silence.
 */
enum status	recipe_wanted(const struct envelope *env, const char *home,
		    bool *wanted, struct err *err) MUST_CHECK;

/*
 * Run the rc files.  *result is written in any case.
 *
 * Returns in each process that remains: a clone of a block exits by itself.
 * Standard input has been read before; descriptors 1 and 2 are the engine's
 * until it returns.
 */
void		recipe_run(TALLOC_CTX *ctx, const struct recipe_setup *setup,
		    struct recipe_result *result);

#endif
