/* SPDX-License-Identifier: ISC */
/*
 * setup.h - what a run of rc files is given, and how it ended
 *
 * Header only: it stands below the engine, which recipe.h stands above.
 */
#ifndef LDA_RECIPE_SETUP_H
#define LDA_RECIPE_SETUP_H

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

#endif
