/* SPDX-License-Identifier: ISC */
/*
 * verdict.h - may mail for this address come in, now?
 *
 * What is asked with is a setup: configuration, connections, what was answered a
 * moment ago.  SIGHUP makes a new one; the former lives until its last question is
 * answered.
 */
#ifndef MILTER_VERDICT_H
#define MILTER_VERDICT_H

#include "maps/base/conf.h"
#include "milter/reply.h"
#include "milter/windows.h"

enum verdict {
	VERDICT_ACCEPT,
	VERDICT_TEMPFAIL,	/* reply says what, user whose */
	VERDICT_UNASKED,	/* the map could not be asked; err says why */
	VERDICTS
};

struct decision {
	enum verdict	 verdict;
	struct reply	 reply;
	char		 user[RECORD_USER_MAX + 1];
	struct err	 err;
};

struct setup;

/*
 * conf     becomes the setup's; it has no talloc parent.
 * windows  NULL: there is no such table; lives as long as the process.
 */
struct setup   *setup_new(struct conf *conf, struct windows *windows);
const struct conf *setup_conf(const struct setup *s);

/* Make it the one that setup_take() gives; the former goes with its last user. */
void		setup_use(struct setup *s);
struct setup   *setup_take(void);
void		setup_give(struct setup *s);

/*
 * Decide about one recipient, within about a second.
 *
 * address  `len` bytes, as the MTA has it.
 * local    the MTA delivers the address's domain by local(8): its local part is a
 *          user's name.
 */
void		decide(struct setup *s, const char *address, size_t len,
		    bool local, struct decision *d);

#endif
