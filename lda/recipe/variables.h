/* SPDX-License-Identifier: ISC */
/*
 * variables.h - the variables of a run: the environment of its programs
 *
 * Names and values only: assign.c knows what a variable means.
 */
#ifndef LDA_RECIPE_VARIABLES_H
#define LDA_RECIPE_VARIABLES_H

#include <stddef.h>
#include <talloc.h>

struct vars;

/* No variables; talloc child of ctx. */
struct vars    *vars_new(TALLOC_CTX *ctx);

/* The value; NULL: not set.  Borrowed until that variable changes. */
const char     *vars_get(const struct vars *vars, const char *name);

/* The value; "" if it is not set.  Borrowed likewise. */
const char     *vars_text(const struct vars *vars, const char *name);

/* Set a copy of the value; NULL: unset.  The name must not have a `=`. */
void		vars_set(struct vars *vars, const char *name,
		    const char *value);

/* Set a value of len bytes, which is cut off at a NUL among them. */
void		vars_set_bytes(struct vars *vars, const char *name,
		    const char *value, size_t len);

/* `NAME=value`, NULL-terminated, for execve(2).  Borrowed until a change. */
char *const    *vars_environ(const struct vars *vars);

/*
 * The number that a value stands for: its digits, else 1 for yes, true, enable
 * and on, 0 for no, false, disable and off, 2 for all; `old` for other words.
 *
 * Source: procmailrc(5), VERBOSE; procmail 3.22 renvint().
 */
long		vars_number(long old, const char *text);

#endif
