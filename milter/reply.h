/* SPDX-License-Identifier: ISC */
/*
 * reply.h - what one recipient is told, given the record
 *
 * Pure: no I/O, no clock, no memory.
 */
#ifndef MILTER_REPLY_H
#define MILTER_REPLY_H

#include <stdbool.h>
#include <time.h>

#include "maps/record.h"

#define REPLY_CODE	"451"		/* 421 would end the session: everybody's */
#define REPLY_XCODE	"4.2.1"		/* mailbox disabled, not accepting messages */
#define REPLY_TEXT_MAX	900		/* bytes; libmilter takes 980 */

struct reply {
	bool		 defer;		/* else what follows is not set */
	enum state	 state;		/* the record's */
	long		 retry;		/* seconds until it may be otherwise */
	char		 text[REPLY_TEXT_MAX + 1]; /* as libmilter wants it: % doubled */
};

/*
 * May mail for this record come in?
 *
 * rec   NULL: nobody's who has one.
 * now   seconds UTC.
 * text  the configuration's window_text; each %s becomes the seconds.
 *
 * Returns until when a "no window" holds as far as the record says: the begin of
 * a window that is ahead, else 0 (nothing is planned).
 */
time_t		reply_of(const struct record *rec, time_t now, const char *text,
		    struct reply *reply);

/*
 * The address within an argument of RCPT, `<alice@x.test>` or without brackets, as
 * an MTA brings it that does not name the recipient otherwise.
 *
 * len  of what is returned, which points into arg.
 */
const char     *reply_address(const char *arg, size_t *len);

#endif
