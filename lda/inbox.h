/* SPDX-License-Identifier: ISC */
/*
 * inbox.h - delivery of a message that no rc file filters
 *
 * With a map: by the plan, into the inbox or the extension's folder.  Without
 * one: where procmail would put it, or into the configured Maildir.
 */
#ifndef LDA_INBOX_H
#define LDA_INBOX_H

#include "lda/recipient.h"
#include "lda/transaction.h"

struct inbox {
	struct envelope	*env;		/* talloc parent of what is made */
	const struct conf *conf;
	bool		 mapped;	/* a map is configured */
	const struct recipient *to;
	long long	 until;		/* clock_ms() of the deadline */
	/* Filled in, for the log line, as far as the delivery came. */
	struct record	*rec;		/* located; NULL: not read */
	struct message	*msg;
	struct delivery	 dv;
};

/*
 * Deliver the message on the standard input.
 *
 * ST_OK     it is durable at its destination, or was before.
 * ST_AGAIN, ST_NEVER  nothing half done can be seen; the LDA defers.
 */
enum status	inbox_deliver(struct inbox *in, struct err *err) MUST_CHECK;

#endif
