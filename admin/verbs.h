/* SPDX-License-Identifier: ISC */
/*
 * verbs.h - the verbs of the `mailferry` command
 */
#ifndef ADMIN_VERBS_H
#define ADMIN_VERBS_H

#include "admin/context.h"

#define OPERANDS_ANY	1000000

/* A verb; one of each in the file that does its work, all of them in main.c. */
struct verb {
	const char	*name;
	/* Do it: an exit status; err is written unless it is EXIT_DONE, and
	 * left empty by users_each(). */
	int		(*run)(struct admin *, struct err *err);
	const char	*operands;	/* as usage has them: "USER... STATE" */
	int		 min, max;	/* how many; those of USER... aside */
	bool		 users;		/* USER...: see users.h */
	const char	*does;		/* for --help, in lines of 80 columns */
	const struct option *options;	/* its own; NULL: none */
};

extern const struct verb verb_add, verb_show, verb_list, verb_step, verb_undo,
		verb_delete, verb_default, verb_import, verb_export,
		verb_history, verb_watch, verb_explain, verb_status,
		verb_doctor, verb_lint;

#endif
