/* SPDX-License-Identifier: ISC */
/*
 * whose.h - the user as whom root's command works on a record's mail
 */
#ifndef LDA_STORE_WHOSE_H
#define LDA_STORE_WHOSE_H

#include <sys/types.h>

#include "maps/record.h"

struct whose {
	const char	*name;		/* the account; NULL: there is none */
	uid_t		 uid;		/* never 0 */
	gid_t		 gid;
};

/*
 * The account of the record's name; for a name without an account (a virtual
 * user) that of trusted_users who owns the mailbox, which is found without
 * following a link that another than root has made.  Where there is no mailbox
 * on either side, the one of them who has what is above, else `nobody`: there
 * is nothing to be done.
 *
 * May wait for a filer and for NSS: for a child.
 *
 * conf  its trusted_users.
 * who   name is NSS's, until the next look-up.
 * ST_NEVER  the record has another uid than the account; the uid is 0; the
 *           mailbox, or the record, has a uid that trusted_users does not name.
 * ST_AGAIN  it cannot be looked up.
 */
enum status	whose_mail(const struct record *rec, const struct conf *conf,
		    struct whose *who, struct err *err) MUST_CHECK;

/* Become that user for good: groups, gid, uid; verified. */
enum status	whose_become(const struct whose *who, struct err *err)
		    MUST_CHECK;

#endif
