/* SPDX-License-Identifier: ISC */
/*
 * recipe.h - run the rc files of one user for one message
 *
 * Source: procmail(1), procmailrc(5), procmailsc(5); what is different is in
 * mailferryrc(5).
 */
#ifndef LDA_RECIPE_RECIPE_H
#define LDA_RECIPE_RECIPE_H

#include "lda/account.h"
#include "lda/envelope.h"
#include "lda/recipe/mail.h"
#include "lda/recipe/sink.h"

struct recipe_setup {
	const struct envelope *env;
	const struct account *account;	/* for whom */
	bool		 privileged;	/* root, who becomes the user later: for
					   /etc/procmailrc alone */
	const char	*def;		/* DEFAULT and ORGMAIL, where nobody says
					   otherwise */
	struct mail	*mail;
	const struct sink *sink;	/* NULL: without a map */
	int		 deadline;	/* seconds; the alarm is set already */
};

/* How the run ended, for the log. */
struct recipe_result {
	int		 status;	/* exit status */
	bool		 failed;	/* deferred by us: err says why */
	bool		 background;	/* DELIVERED: the parent has left already */
	const char	*folder;	/* LASTFOLDER; lives as long as ctx */
	size_t		 bytes;
	struct err	 err;
};

/*
 * Is there anything to run for this user?  *wanted false: deliver as without rc
 * files.  Looks at names only.
 * ST_AGAIN  where his would be does not answer: no filter is lost in silence.
 */
enum status	recipe_wanted(const struct envelope *env, const char *home,
		    bool *wanted, struct err *err) MUST_CHECK;

/*
 * Run.  Returns in every process that is left in the end: a clone of a block
 * ends by itself.  Standard input has been read; 1 and 2 are the engine's until it
 * returns.
 */
void		recipe_run(TALLOC_CTX *ctx, const struct recipe_setup *setup,
		    struct recipe_result *result);

#endif
