/* SPDX-License-Identifier: ISC */
/*
 * reply.h - the SMTP reply for one recipient, given the record
 *
 * Pure: no I/O, no clock, no memory.
 */
#ifndef MILTER_REPLY_H
#define MILTER_REPLY_H

#include <stdbool.h>
#include <time.h>

#include "maps/record.h"

#define REPLY_CODE	"451"	/* 421 would end the whole session */
#define REPLY_XCODE	"4.2.1"	/* mailbox disabled, not accepting messages */
#define REPLY_TEXT_MAX	900	/* bytes; libmilter takes 980 */

struct reply {
	bool		 defer;		/* false: what follows is not set */
	enum state	 state;		/* of the record */
	long		 retry;		/* seconds until the window ends */
	char		 text[REPLY_TEXT_MAX + 1]; /* for libmilter: %% for % */
};

/*
 * May mail for this record be accepted?
 *
 * rec   NULL: the recipient has no record.
 * now   seconds UTC.
 * text  the configuration's window_text; each %s becomes the seconds.
 *
 * If it may, returns how long that holds by the record: until the begin of a
 * planned window, seconds UTC; 0: no window is planned.
 */
time_t		reply_of(const struct record *rec, time_t now, const char *text,
		    struct reply *reply);

/*
 * The address in an argument of RCPT, `<alice@x.test>` or without brackets, for
 * MTAs that do not send {rcpt_addr}.
 *
 * len  of the result, which points into arg.
 */
const char     *reply_address(const char *arg, size_t *len);

#endif
