/* SPDX-License-Identifier: ISC */
/*
 * both.h - wait for two filers at once
 */
#ifndef LDA_BOTH_H
#define LDA_BOTH_H

#include "maps/base/err.h"

/* It may wait and write; it must not use talloc, which is not thread-safe. */
typedef enum status both_fn(void *arg, struct err *err);

/*
 * Call fn(a) and fn(b) at the same time, and return when both have returned.
 * b NULL: only fn(a) is called.
 *
 * ST_OK if both succeeded, else the outcome and error of one that failed.
 */
enum status	both(both_fn *fn, void *a, void *b, struct err *err) MUST_CHECK;

#endif
