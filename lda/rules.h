/* SPDX-License-Identifier: ISC */
/*
 * rules.h - a user's rc files between the message and its mailboxes
 *
 * What lda/recipe asks for is found here: without a map nothing but a name for
 * DEFAULT, with one the mailboxes of the plan (lda/plan_sink.c).
 */
#ifndef LDA_RULES_H
#define LDA_RULES_H

#include "lda/account.h"
#include "lda/envelope.h"
#include "lda/recipe/recipe.h"
#include "maps/record.h"

struct rules {
	const struct envelope *env;
	const struct conf *conf;
	const struct account *account;
	const struct record *rec;	/* located */
	bool		 privileged;	/* root still: /etc/procmailrc is run so */
	const struct sink *sink;	/* NULL: no map */
	const char	*folder;	/* DEFAULT's, below the mail root; NULL: "" */
	struct mail	*mail;
};

/*
 * Run them.  ST_OK: result->status is the exit status, which is the rc file's
 * to choose.  ST_AGAIN, ST_NEVER: defer; nothing more may be done.
 */
enum status	rules_run(TALLOC_CTX *ctx, struct rules *rules,
		    struct recipe_result *result, struct err *err) MUST_CHECK;

#endif
