/* SPDX-License-Identifier: ISC */
/*
 * context.h - what every verb of the `mailferry` command works with
 */
#ifndef ADMIN_CONTEXT_H
#define ADMIN_CONTEXT_H

#include "admin/options.h"
#include "maps/map.h"

/* Exit statuses of the command: mailferry(8). */
enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_LATER = 75 };

struct admin {
	struct conf	*conf;
	struct map	*map;
	bool		 owner;		/* no mapd runs: the map is ours */
	const char	*why;		/* --why, or "" */
	bool		 dry_run;
	bool		 json;
	struct cmdline	 line;		/* options, and the verb's operands */
	unsigned	 shown;		/* records so far: users_separate() */
};

/*
 * Read the configuration and open the map.  Where no mapd answers and the file
 * is ours the command opens the file itself: for the first set-up, and for
 * repair.
 *
 * config  a file, or NULL: the default one.
 */
enum status	admin_open(struct admin *ad, const char *config,
		    struct err *err) MUST_CHECK;
void		admin_close(struct admin *ad);

/* The exit status for an outcome. */
int		admin_status(enum status st);

/* Refuse the line; returns EXIT_USAGE. */
int		admin_usage(struct err *err, const char *fmt, ...) PRINTF(2, 3);

/* Parse the name of a state; false: err says which there are.  what  the option
 * or operand that it is the value of. */
bool		admin_state(const char *what, const char *word,
		    enum state *state, struct err *err) MUST_CHECK;

/* The person who makes a change now, and the reason (--why); talloc children of
 * ctx. */
struct change_by admin_by(TALLOC_CTX *ctx, const struct admin *ad);

/* HOME of a system user; NULL where there is none, *uid is -1 then. */
const char     *admin_home(TALLOC_CTX *ctx, const char *user, long *uid);

/* A user's record as map_get() gives it, with the user's home known; talloc
 * child of ad->conf. */
enum status	admin_get(struct admin *ad, const char *user,
		    struct record **rec, struct err *err) MUST_CHECK;

/* A new record, to be filled in; talloc child of ctx.  uid and *home (may be
 * NULL) are those of the system user, -1 and NULL where there is none. */
struct record  *admin_record(TALLOC_CTX *ctx, const char *user,
		    const char **home);

/* What is stored must read back: the record's own parser is the judge. */
enum status	admin_check(const struct record *rec, struct err *err)
		    MUST_CHECK;

#endif
