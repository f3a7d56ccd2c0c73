/*
 * admin.h - what the verbs of the `mailferry` command share
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "maps/map.h"

/* Exit statuses of the command: mailferry(8). */
enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_LATER = 75 };

struct admin {
	struct conf	*conf;
	struct map	*map;
	const char	*why;		/* --why, or "" */
	bool		 dry_run;
	int		 argc;		/* the verb's own words */
	char		**argv;
};

/* A verb: 0, or one of the statuses above; err with REFUSED and LATER. */
typedef int verb_fn(struct admin *, struct err *err);

verb_fn		verb_add, verb_show, verb_list, verb_step, verb_delete,
		verb_history, verb_default;

/* The exit status for an outcome. */
int		admin_status(enum status st);

/* Who changes, now, and why he says so; lives as long as ctx. */
struct change_by admin_by(TALLOC_CTX *ctx, const struct admin *ad);

/* HOME of a system user, NULL where there is none; *uid -1 then. */
const char     *admin_home(TALLOC_CTX *ctx, const char *user, long *uid);

/* Print a record as `show` does. */
void		admin_show(const struct record *rec, time_t now);

/* Seconds UTC as RFC 3339; talloc child of ctx. */
char	       *admin_time(TALLOC_CTX *ctx, time_t t);

#endif
