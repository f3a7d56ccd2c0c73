/* SPDX-License-Identifier: ISC */
/*
 * asuser.h - work on a user's mail as the user, in a child process
 *
 * A filer exported with root_squash knows no root, and what hangs in a filer must
 * not hang its caller: so the work is done by a child that has the user's uid and
 * groups and a deadline, and that tells what it found in lines.
 */
#ifndef LDA_STORE_ASUSER_H
#define LDA_STORE_ASUSER_H

#include "maps/record.h"

/* The work; lines for the caller go to `out`, each with its LF. */
typedef enum status as_user_fn(void *arg, int out, struct err *err);
/* A line, without LF. */
typedef void as_user_line_fn(const char *line, void *arg);

/*
 * Do fn(arg) in a child.  Called as root, it becomes rec's user; for a record
 * without uid the owner of its Maildir.
 *
 * deadline  seconds; then the child is gone.
 * line      called for each line, in the caller's process.
 *
 * The result is fn's; ST_AGAIN also where it did not end in time.
 */
enum status	as_user(const struct record *rec, int deadline, as_user_fn *fn,
		    void *arg, as_user_line_fn *line, void *line_arg,
		    struct err *err) MUST_CHECK;

#endif
