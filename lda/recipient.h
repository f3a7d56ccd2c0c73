/* SPDX-License-Identifier: ISC */
/*
 * recipient.h - the user for whom a message is delivered
 *
 * The name and home of that user, the account where the user has one, and the
 * uid that this process must have.  Nothing of the map is read here.
 */
#ifndef LDA_RECIPIENT_H
#define LDA_RECIPIENT_H

#include "lda/account.h"
#include "lda/envelope.h"
#include "maps/record.h"

struct recipient {
	const char	*user;		/* NULL: not known */
	const char	*home;		/* NULL: not known */
	struct account	*account;	/* NULL: none, or not looked up */
	bool		 privileged;	/* the process is still root:
					   /etc/procmailrc has to run so */
	int		 refusal;	/* exit status of a permanent refusal;
					   0: the delivery is deferred */
};

/*
 * Find the user.  With -d, root becomes that user; another uid asks in the
 * user's name, and mapd decides whether it may.  Without -d it is the user
 * of the environment, whose uid we have.
 *
 * env     talloc parent of what is found; env->invoker is set where -d is
 *         root's.
 * mapped  a map is configured.
 * to      zeroed by the caller.  to->user is set also on failure, if known.
 *
 * ST_NEVER  no such user, or this process may not deliver for that user;
 *           to->refusal may be set.
 */
enum status	recipient_find(struct envelope *env, const struct conf *conf,
		    bool mapped, struct recipient *to, struct err *err)
		    MUST_CHECK;

/*
 * Is the uid of this process that of the record's user?  Postfix delivers for
 * root as nobody, with root in the environment.  With -d no check is needed.
 *
 * ST_NEVER  it is not.
 */
enum status	recipient_check_uid(struct envelope *env,
		    const struct recipient *to, const struct record *rec,
		    struct err *err) MUST_CHECK;

/*
 * With a map: fill in to->account, for rc files.  A virtual user has no
 * account; one is made up of the user's name and the uid of this process.
 *
 * ctx  talloc parent of the account.
 */
enum status	recipient_account(TALLOC_CTX *ctx, struct recipient *to,
		    struct err *err) MUST_CHECK;

/*
 * The envelope recipient.  pipe(8) does not pass it: then it is made of the
 * user and the extension, as u+a and u+b of one message are two deliveries.
 *
 * Borrowed from env or to, or a talloc child of env.
 */
const char     *recipient_address(struct envelope *env,
		    const struct recipient *to);

#endif
