/* SPDX-License-Identifier: ISC */
/*
 * recipe.h - run the rc files of one user for one message
 *
 * Source: procmail(1), procmailrc(5), procmailsc(5); mailferryrc(5) lists the
 * differences.
 */
#ifndef LDA_RECIPE_RECIPE_H
#define LDA_RECIPE_RECIPE_H

#include "lda/account.h"
#include "lda/envelope.h"
#include "lda/recipe/mail.h"
#include "lda/recipe/sink.h"

/* All is borrowed, and lives as long as the run. */
struct recipe_setup {
	const struct envelope *env;
	const struct account *account;	/* the recipient's */
	bool		 privileged;	/* this process is root, for
					   /etc/procmailrc, and becomes the
					   recipient later */
	const char	*def;		/* DEFAULT and ORGMAIL, unless they are
					   assigned */
	struct mail	*mail;
	const struct sink *sink;	/* NULL: without a map */
	int		 deadline;	/* seconds; the alarm is set already */
};

/* How the run ended, for the log. */
struct recipe_result {
	int		 status;	/* exit status */
	bool		 failed;	/* deferred by us: err says why */
	bool		 background;	/* the parent process has exited already
					   (DELIVERED, clones) */
	const char	*folder;	/* LASTFOLDER; child of ctx */
	size_t		 bytes;		/* of the last delivery */
	struct err	 err;
};

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
