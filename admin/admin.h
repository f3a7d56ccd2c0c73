/* SPDX-License-Identifier: ISC */
/*
 * admin.h - what the verbs of the `mailferry` command share
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include <stdio.h>

#include "maps/map.h"

/* Exit statuses of the command: mailferry(8). */
enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_LATER = 75 };

struct admin {
	struct conf	*conf;
	struct map	*map;
	bool		 owner;		/* no mapd runs: the map is ours alone */
	const char	*why;		/* --why, or "" */
	bool		 dry_run;
	bool		 json;
	int		 argc;		/* the verb's own words */
	char		**argv;
};

/* A verb: 0, or one of the statuses above; err with REFUSED and LATER. */
typedef int verb_fn(struct admin *, struct err *err);

verb_fn		verb_add, verb_show, verb_list, verb_step, verb_delete,
		verb_history, verb_watch, verb_default, verb_undo, verb_import,
		verb_export, verb_explain, verb_doctor, verb_status,
		verb_lint;

/* The exit status for an outcome. */
int		admin_status(enum status st);

/* Who changes, now, and why he says so; lives as long as ctx. */
struct change_by admin_by(TALLOC_CTX *ctx, const struct admin *ad);

/* HOME of a system user, NULL where there is none; *uid -1 then. */
const char     *admin_home(TALLOC_CTX *ctx, const char *user, long *uid);

/* A user's record as map_get() gives it, his home known; child of ad->conf. */
enum status	admin_get(struct admin *ad, const char *user,
		    struct record **rec, struct err *err) MUST_CHECK;

/* A new record, to be filled in; child of ctx.  uid and *home (may be NULL) are
 * those of the system user, -1 and NULL where there is none. */
struct record  *admin_record(TALLOC_CTX *ctx, const char *user,
		    const char **home);

/* What is stored must read back: the record's own parser is the judge. */
enum status	admin_check(const struct record *rec, struct err *err) MUST_CHECK;

/*
 * A record for somebody who has none: refused where his mail would be hidden, on
 * the side that leads by the map's default, by a leader that has none.
 * leads  admin_default_leader()
 */
enum status	admin_default_leader(struct admin *ad, enum side *side,
		    struct err *err) MUST_CHECK;
enum status	admin_hides_mail(enum side leads, const struct record *rec,
		    struct err *err) MUST_CHECK;

/* Is there a Maildir?  Where we may not look there is one. */
bool		admin_has_mail(const struct location *loc);

/* The state that route() acts by: what is due counts as done. */
enum state	admin_effective(const struct record *rec, time_t now);

/*
 * Step a user, wait until everybody follows it, hand over where the leader
 * changes.  was: located.  begin, end: of a cutover.
 */
enum status	admin_step(struct admin *ad, struct record *was, enum state to,
		    time_t begin, time_t end, struct err *err) MUST_CHECK;
/* The wait alone. */
enum status	admin_wait(const struct admin *ad, struct record *rec,
		    struct err *err) MUST_CHECK;

/* Print a record as `show` does. */
void		admin_show(const struct record *rec, time_t now);

/* Seconds UTC as RFC 3339; talloc child of ctx. */
char	       *admin_time(TALLOC_CTX *ctx, time_t t);

#endif
