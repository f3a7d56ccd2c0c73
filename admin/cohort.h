/* SPDX-License-Identifier: ISC */
/*
 * cohort.h - a list of users in a file
 *
 * A user a line; empty lines do not count, nor what follows a `#` at the begin
 * of a line or after a blank.
 */
#ifndef ADMIN_COHORT_H
#define ADMIN_COHORT_H

#include <talloc.h>

#include "maps/base/err.h"

/* A user; the string is gone afterwards. */
typedef void cohort_fn(const char *user, void *arg);

/*
 * Call fn for each user of a file.
 *
 * file   "-" is the standard input.
 * ST_NEVER  the file cannot be read, or a line is not one user: err names file
 *           and line.
 */
enum status	cohort_each(const char *file, cohort_fn *fn, void *arg,
		    struct err *err) MUST_CHECK;

#endif
