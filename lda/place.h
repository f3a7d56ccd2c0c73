/* SPDX-License-Identifier: ISC */
/*
 * place.h - the destination that DEFAULT, ORGMAIL or an extension names
 *
 * Without a map it is where the message goes.  With one an assignment of
 * DEFAULT that names anything but the inbox is refused, not ignored.
 */
#ifndef LDA_PLACE_H
#define LDA_PLACE_H

#include "lda/envelope.h"
#include "lda/message.h"
#include "maps/record.h"

#define PLACE_SPOOL	"/var/mail"	/* directory of mboxes */

enum place_kind { PLACE_MAILDIR, PLACE_MBOX, PLACE_NOWHERE };

struct place {
	enum place_kind	 kind;
	const char	*path;		/* absolute; talloc */
};

/*
 * DEFAULT, else the configuration's old_mail, else ORGMAIL, else
 * /var/mail/USER.  A name that ends in `/` is a Maildir, /dev/null is nowhere,
 * any other name an mbox.  Relative names begin at MAILDIR, else at home.
 * $HOME, $LOGNAME and $USER are expanded.
 *
 * home      NULL: not known.
 * old_mail  located; NULL: not set.
 *
 * ST_NEVER  it is an MH folder or a directory, or has other variables: not
 *           supported.
 */
enum status	place_choose(TALLOC_CTX *ctx, const struct envelope *env,
		    const char *user, const char *home, const char *old_mail,
		    struct place *place, struct err *err) MUST_CHECK;

/* With a map: ST_NEVER if DEFAULT names anything but the inbox. */
enum status	place_check(TALLOC_CTX *ctx, const struct envelope *env,
		    const char *home, const struct record *rec,
		    struct err *err) MUST_CHECK;

/* Append msg to an mbox.  wait: milliseconds for its lock. */
enum status	place_append(TALLOC_CTX *ctx, const struct envelope *env,
		    const char *path, struct message *msg, long wait,
		    struct err *err) MUST_CHECK;

/*
 * Make the mbox of a user who has none yet, before root becomes that user:
 * only root can make files in /var/mail.  It is the user's, in the directory's
 * group.
 */
enum status	place_make_mbox(const char *user, uid_t uid, struct err *err)
		    MUST_CHECK;

/* The folder of an address extension: ".lists"; "" for the inbox. */
const char     *place_folder(TALLOC_CTX *ctx, const char *extension);

#endif
