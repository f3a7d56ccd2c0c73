/* SPDX-License-Identifier: ISC */
/*
 * verdict.h - may mail for this address be accepted now?
 *
 * A setup holds what a question needs: the configuration, the connections to
 * mapd, the answers of the last moment.  SIGHUP makes a new setup; the former
 * one is freed after its last question.
 */
#ifndef MILTER_VERDICT_H
#define MILTER_VERDICT_H

#include "maps/base/conf.h"
#include "milter/reply.h"
#include "milter/windows.h"

enum verdict {
	VERDICT_ACCEPT,
	VERDICT_TEMPFAIL,	/* with `reply`, for `user` */
	VERDICT_UNASKED,	/* the map did not answer; err says why */
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
 * Make a setup; free it with setup_give().
 *
 * conf     owned by the setup from here on; it has no talloc parent.
 * windows  NULL: there is no table; lives as long as the process.
 */
struct setup   *setup_new(struct conf *conf, struct windows *windows);
const struct conf *setup_conf(const struct setup *s);

/* From here on setup_take() returns s, whose reference goes over.  Each taken
 * setup is given back. */
void		setup_use(struct setup *s);
struct setup   *setup_take(void);
void		setup_give(struct setup *s);

/*
 * Decide about one recipient, within about a second.
 *
 * address  `len` bytes, as the MTA has it.
 * local    the MTA delivers to the domain by local(8): the local part is a
 *          user's name.
 */
void		decide(struct setup *s, const char *address, size_t len,
		    bool local, struct decision *d);

#endif
