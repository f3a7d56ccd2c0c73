/* SPDX-License-Identifier: ISC */
/*
 * command.h - run another program and read what it says
 */
#ifndef ADMIN_COMMAND_H
#define ADMIN_COMMAND_H

#include <talloc.h>

#include "maps/base/err.h"

/*
 * Run argv[0] (found by PATH, and in sbin) with an empty input, its errors
 * thrown away.
 *
 * text  its standard output; talloc child of ctx, at most COMMAND_MAX bytes.
 *
 * ST_NONE   there is no such program.
 * ST_AGAIN  it did not end in COMMAND_PATIENCE seconds, or not well.
 */
#define COMMAND_MAX	 (1024 * 1024)
#define COMMAND_PATIENCE 20
enum status	command_read(TALLOC_CTX *ctx, const char *const argv[],
		    char **text, struct err *err) MUST_CHECK;

/* The value of `NAME = VALUE` in such a text; NULL: there is none.  talloc. */
char	       *command_value(TALLOC_CTX *ctx, const char *text,
		    const char *name);

#endif
