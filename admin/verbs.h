/* SPDX-License-Identifier: ISC */
/*
 * verbs.h - the verbs of the `mailferry` command
 */
#ifndef ADMIN_VERBS_H
#define ADMIN_VERBS_H

#include "admin/context.h"

/* Do it: an exit status; err is written with EXIT_REFUSED and EXIT_LATER. */
typedef int verb_fn(struct admin *, struct err *err);

verb_fn		verb_add, verb_show, verb_list, verb_step, verb_delete,
		verb_history, verb_watch, verb_default, verb_undo, verb_import,
		verb_export, verb_explain, verb_doctor, verb_status,
		verb_lint;

#endif
