/* SPDX-License-Identifier: ISC */
/*
 * said.h - what a worker process reports to the loop, as bytes
 *
 * Netstrings, one after another.  The payload of each is a line of words, and
 * for some a body behind its LF:
 *
 *	answer OUTCOME FLAGS LF WHY NUL DATA
 *				to the request that the worker was given
 *	change FLAGS LF TEXT	the worker changed the map (maps/change.h)
 *	begin | complete | alive
 *				of the follower: see enum follow_event
 *	record VERSION SEQ FLAGS LF USER NUL [TEXT NUL] [CHANGE NUL]
 *				of the follower: see struct followed
 *
 * OUTCOME is status_name().  FLAGS are `-`, or letters in this order: of an
 * answer c(onflict) w(indow) f(ollow: watch) h(ang up); of a change
 * i(mported); of a record s(taged) t(ext) c(hange).
 *
 * The loop trusts none of this: a worker holds libldap, and libldap holds what
 * a server sent.  said_parse() accepts only what a worker of that role may
 * report at that moment, and whatever it accepts is safe to use.
 */
#ifndef MAPS_MAPD_SAID_H
#define MAPS_MAPD_SAID_H

#include "maps/backend.h"
#include "maps/mapd/protocol.h"

#define SAID_MAX	(2 * 1024 * 1024)	/* bytes of one payload */

enum role { ANSWERS, KEEPS, FOLLOWS };

enum said_what { SAID_ANSWER, SAID_CHANGE, SAID_FOLLOWED };

struct said {
	enum said_what	 what;
	struct answer	 answer;	/* of SAID_ANSWER; not terminated */
	const char	*change;	/* of SAID_CHANGE; not terminated */
	size_t		 change_len;	/* bytes */
	bool		 imported;	/* of SAID_CHANGE */
	enum follow_event event;	/* of SAID_FOLLOWED */
	struct followed	 rec;		/* of FOLLOW_RECORD */
};

/* One worker, as far as it decides what may come from it next. */
struct speaker {
	enum role	 role;
	bool		 asked;		/* it has a request: an answer is due */
	bool		 begun;		/* a follower said BEGIN */
	bool		 whole;		/* and then COMPLETE */
};

/*
 * Take one report off buf[0 .. len).
 *
 * sp    moves on with each report that is accepted.
 * said  its pointers point into buf.
 * used  how many bytes the report had.
 *
 * ST_AGAIN  it is not whole yet.
 * ST_NEVER  no worker like this reports such a thing now.
 */
enum status	said_parse(struct speaker *sp, const char *buf, size_t len,
		    struct said *said, size_t *used) MUST_CHECK;

/*
 * The report in bytes, a talloc child of ctx; *len is set.  NULL: a record of
 * a user whose name is not valid, or a report that is too long; the loop would
 * not take it.
 */
char	       *said_format(TALLOC_CTX *ctx, const struct said *said,
		    size_t *len) MUST_CHECK;

#endif
