/* SPDX-License-Identifier: ISC */
/*
 * sessions.h - the IMAP and POP3 sessions that a user still has
 */
#ifndef ADMIN_SESSIONS_H
#define ADMIN_SESSIONS_H

#include <talloc.h>

#include "maps/base/conf.h"
#include "maps/base/err.h"

/* The configuration's who_command for a user, as one text; talloc child of
 * ctx. */
char	       *sessions_command(TALLOC_CTX *ctx, const struct conf *conf,
		    const char *user);

/*
 * Run it, and count the lines of its output whose first word is the user.
 *
 * n        the number of sessions.
 * ST_NONE  they cannot be counted: there is no command, or it printed nothing.
 *          Its exit status says nothing: doveadm's is 0 without a session.
 */
enum status	sessions_count(const struct conf *conf, const char *user,
		    unsigned *n) MUST_CHECK;

#endif
