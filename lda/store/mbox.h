/* SPDX-License-Identifier: ISC */
/*
 * mbox.h - one message more in an mbox file, as procmail does it
 *
 * Source: procmail 3.22, by what it writes (tests/integration/procmail.sh).
 */
#ifndef LDA_STORE_MBOX_H
#define LDA_STORE_MBOX_H

#include <stdbool.h>
#include <talloc.h>

#include "maps/base/err.h"

struct mbox;

/*
 * Lock and open an mbox, to append one message.
 *
 * path   made with mode 0600 where it is not there (its directory is not); not
 *        a link that another user owns, nothing but a regular file.
 * from   the `From sender  date` line with its LF (without, where nothing
 *        follows); "" for none.
 * berkeley  Content-Length says nothing: every line that begins with "From "
 *        gets a `>`.  Else such a field is set to the length of the body, in
 *        the room it has, and the body's lines are left as they are.
 * wait   milliseconds for PATH.lock, which is given up silently where its
 *        directory cannot be written (as /var/mail without a set-id bit).
 *        The fcntl lock is waited for as long as the process lives.
 *
 * mb     talloc child of ctx.  Freeing it unlocks, and takes back what was put
 *        unless mbox_end() said ST_OK.
 */
enum status	mbox_begin(TALLOC_CTX *ctx, const char *path, const char *from,
		    bool berkeley, long wait, struct mbox **mb,
		    struct err *err) MUST_CHECK;

/* The next bytes of the message. */
enum status	mbox_put(struct mbox *mb, const char *data, size_t len,
		    struct err *err) MUST_CHECK;

/*
 * The empty line after it, where it does not end in one; synced.
 * ST_AGAIN  nothing of the message is in the file.
 */
enum status	mbox_end(struct mbox *mb, struct err *err) MUST_CHECK;

#endif
