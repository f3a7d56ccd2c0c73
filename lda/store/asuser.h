/* SPDX-License-Identifier: ISC */
/*
 * asuser.h - work on a user's mail as the user, in child processes
 *
 * A filer exported with root_squash does not know root, and a filer that hangs
 * must not hang the command: so the work is done by a child that has the user's
 * uid and groups, and that reports in lines what it finds.  The parent alone
 * keeps the deadline, and kills: the user may stop the child, which runs under
 * his uid.
 *
 *	st = worker_begin(ctx, rec, 60, fn, arg, on_line, line_arg, &w[n], err);
 *	...more of them
 *	st = workers_end(w, n, err);
 */
#ifndef LDA_STORE_ASUSER_H
#define LDA_STORE_ASUSER_H

#include "maps/record.h"

#define AS_USER_LINE	10000	/* bytes of a line, with its dot and LF */

struct worker;

/* The work, in the child.  `out` takes the lines: see as_user_say(). */
typedef enum status as_user_fn(void *arg, int out, struct err *err);
/* A line, without LF, in the parent.  It may hold any bytes but LF and NUL. */
typedef void as_user_line_fn(const char *line, void *arg);

/*
 * In the child: report a line, `fmt` without LF.  A text with a LF, or one that
 * is too long, is ST_NEVER.
 */
enum status	as_user_say(int out, struct err *err, const char *fmt, ...)
		    PRINTF(3, 4) MUST_CHECK;

/*
 * Begin fn(arg) in a child.  Called as root, the child becomes the user that
 * whose_mail() finds, never root.  It dies with its parent.
 *
 * rec, arg  the child has its own copy: what fn writes there is lost.
 * deadline  seconds from now; then the child is killed.
 * line      called in the parent, from workers_end(), for each line.
 * w         talloc child of ctx; freed before its end, the child is killed.
 */
enum status	worker_begin(TALLOC_CTX *ctx, const struct record *rec,
		    const struct conf *conf, int deadline, as_user_fn *fn,
		    void *arg, as_user_line_fn *line, void *line_arg,
		    struct worker **w, struct err *err) MUST_CHECK;

/*
 * Read the lines of n workers as they come, until each has ended or its
 * deadline has passed; kill what is left, and free them all.
 *
 * The result is ST_OK where every fn returned that, else of one of those that
 * did not; ST_AGAIN also for a child that was killed, by its deadline or by
 * anybody else: what it has not reported may not have been done.
 */
enum status	workers_end(struct worker **w, size_t n, struct err *err)
		    MUST_CHECK;

/* One worker, begun and ended. */
enum status	as_user(const struct record *rec, const struct conf *conf,
		    int deadline, as_user_fn *fn, void *arg,
		    as_user_line_fn *line, void *line_arg, struct err *err)
		    MUST_CHECK;

#endif
