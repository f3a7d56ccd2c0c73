/* SPDX-License-Identifier: ISC */
/*
 * account.h - a system user, without NSS in this process
 *
 * The LDA is linked statically, for its start-up; NSS modules cannot be loaded
 * into it.  /etc/passwd is read first, and only who is not in it is asked of
 * getent(1), once, with a time limit.
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
 * By name, or with name NULL by uid.  The first match of /etc/passwd, as NSS's files;
 * by uid: prefer the entry that is called `hint` (may be NULL) among several
 * names of one uid.
 *
 * ST_NONE   certainly no such user.
 * ST_AGAIN  could not look.
 */
enum status	account_find(TALLOC_CTX *ctx, const char *name, uid_t uid,
		    const char *hint, struct account **acct, struct err *err)
		    MUST_CHECK;

/*
 * Become that user: his primary group alone (local(8) does the same), gid, uid.
 * Only root can; verified afterwards.
 */
enum status	account_become(const struct account *acct, struct err *err)
		    MUST_CHECK;

#endif
