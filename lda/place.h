/* SPDX-License-Identifier: ISC */
/*
 * place.h - in procmail's place: where a message goes without a map
 *
 * Also what is left of it with one: an assignment of DEFAULT that names another
 * place than the plan must not be lost in silence.
 */
#ifndef LDA_PLACE_H
#define LDA_PLACE_H

#include "lda/envelope.h"
#include "lda/message.h"
#include "maps/record.h"

#define PLACE_SPOOL	"/var/mail"	/* of mboxes, named as the user */

enum place_kind { PLACE_MAILDIR, PLACE_MBOX, PLACE_NOWHERE };

struct place {
	#define PLACE_SPOOL	"/var/mail"	/* of mboxes, named as the user */

enum place_kind	 kind;
	const char	*path;		/* absolute; talloc */
};

/*
 * DEFAULT, else the configuration's old_mail, else ORGMAIL, else /var/mail/USER.  A name
 * that ends in `/` is a Maildir, /dev/null is nowhere, any other an mbox; relative
 * to MAILDIR, else to home.  $HOME, $LOGNAME and $USER are expanded.
 *
 * home      NULL: not known.
 * old_mail  located; NULL: not set.
 * ST_NEVER  what this version cannot deliver to: MH, a directory, other variables.
 */
enum status	place_choose(TALLOC_CTX *ctx, const struct envelope *env,
		    const char *user, const char *home, const char *old_mail,
		    struct place *place, struct err *err) MUST_CHECK;

/* With a map: ST_NEVER where DEFAULT names something that is not the inbox. */
enum status	place_check(TALLOC_CTX *ctx, const struct envelope *env,
		    const char *home, const struct record *rec,
		    struct err *err) MUST_CHECK;

/* Append msg to an mbox; wait: milliseconds for its lock. */
enum status	place_append(TALLOC_CTX *ctx, const struct envelope *env,
		    const char *path, struct message *msg, long wait,
		    struct err *err) MUST_CHECK;

/*
 * Root delivers for somebody who has no mbox yet: nobody else could make one in
 * /var/mail.  Owned by him, in the directory's group.
 */
enum status	place_make_mbox(const char *user, uid_t uid, struct err *err)
		    MUST_CHECK;

/* The folder of an address extension: ".lists"; "" for the inbox. */
const char     *place_folder(TALLOC_CTX *ctx, const char *extension);

#endif
