/* SPDX-License-Identifier: ISC */
/*
 * rules.c - a user's rc files between the message and its mailboxes
 */
#include "lda/rules.h"

#define SPOOL	"/var/mail"

enum status
rules_run(TALLOC_CTX *ctx, struct rules *r, struct recipe_result *result,
    struct err *err)
{
	struct recipe_setup setup = { .env = r->env, .account = r->account,
	    .privileged = r->privileged, .sink = r->sink,
	    .deadline = r->conf->deadline };
	const char *mail = r->rec == NULL ? NULL :
	    r->rec->side[record_leader(r->rec)].mail;
	const char *folder = r->folder == NULL ? "" : r->folder;

	setup.mail = r->mail;
	setup.def = mail != NULL ? must(talloc_asprintf(ctx, "%s/%s%s", mail,
	    folder, *folder == '\0' ? "" : "/")) :
	    must(talloc_asprintf(ctx, SPOOL "/%s", r->account->name));
	recipe_run(ctx, &setup, result);
	if (!result->failed)
		return ST_OK;
	*err = result->err;
	return ST_AGAIN;
}
