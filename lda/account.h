/* SPDX-License-Identifier: ISC */
/*
 * account.h - a system user, without NSS in this process
 *
 * The LDA is linked statically, which makes its start faster; NSS modules
 * cannot be loaded into it.  /etc/passwd is read first; for a user who is not
 * in it getent(1) is run, once, and the deadline of the LDA limits its time.
 */
#ifndef LDA_ACCOUNT_H
#define LDA_ACCOUNT_H

#include <sys/types.h>
#include <talloc.h>

#include "maps/base/err.h"

struct account {
	const char	*name, *home, *shell;
	uid_t		 uid;
	gid_t		 gid;
};

/*
 * Find an account by name or, with name NULL, by uid: the first match in
 * /etc/passwd, as the NSS module `files` does.
 *
 * hint  of several accounts with that uid, prefer the one of this name; may
 *       be NULL.
 * acct  talloc child of ctx.
 *
 * ST_NONE   certainly no such user.
 * ST_AGAIN  the search failed.
 */
enum status	account_find(TALLOC_CTX *ctx, const char *name, uid_t uid,
		    const char *hint, struct account **acct, struct err *err)
		    MUST_CHECK;

/*
 * Become that user: uid, primary group and no other group, as local(8) does.
 * Only root can; the result is verified.
 */
enum status	account_become(const struct account *acct, struct err *err)
		    MUST_CHECK;

#endif
