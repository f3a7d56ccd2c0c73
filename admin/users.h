/* SPDX-License-Identifier: ISC */
/*
 * users.h - the users that a verb works on, one after another
 */
#ifndef ADMIN_USERS_H
#define ADMIN_USERS_H

#include "admin/context.h"

/* The options of every verb that takes several users. */
extern const struct option users_options[];

/* The work for one user: an exit status, and err unless it is EXIT_DONE. */
typedef int user_fn(struct admin *ad, const char *user, void *arg,
		    struct err *err);

/*
 * Do the work for each user that the line names, each once: the first n
 * operands, those in the file of --cohort, and with --in only those in that
 * state; where none is named, everybody who has a record in that state, sorted.
 *
 * fn's errors are printed, each with its user's name.  The result is the worst
 * exit status: 2 before 1 before 75 before 0; err is empty where it was
 * printed.
 */
int		users_each(struct admin *ad, int n, user_fn *fn, void *arg,
		    struct err *err);

/* Print an empty line before each record but the first. */
void		users_separate(struct admin *ad);

#endif
