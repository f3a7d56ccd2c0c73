/* SPDX-License-Identifier: ISC */
/*
 * both.h - wait for two filers at once
 */
#ifndef LDA_BOTH_H
#define LDA_BOTH_H

#include "maps/base/err.h"

/* Waits and writes only; talloc is not for two threads. */
typedef enum status both_fn(void *arg, struct err *err);

/*
 * Call fn(a) and fn(b) at the same time; b NULL: only fn(a).  Returns when both
 * are done: ST_OK where both are, else the outcome and error of a failed one.
 */
enum status	both(both_fn *fn, void *a, void *b, struct err *err) MUST_CHECK;

#endif
