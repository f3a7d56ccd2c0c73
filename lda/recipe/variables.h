/* SPDX-License-Identifier: ISC */
/*
 * variables.h - the variables of a run, which are the environment of its programs
 *
 * Names and values only; what a variable means is settings.c's business.
 */
#ifndef LDA_RECIPE_VARIABLES_H
#define LDA_RECIPE_VARIABLES_H

#include <stddef.h>
#include <talloc.h>

struct vars;

/* Empty; talloc child of ctx. */
struct vars    *vars_new(TALLOC_CTX *ctx);

/* NULL: not set.  Borrowed until that variable changes. */
const char     *vars_get(const struct vars *vars, const char *name);

/* "" where it is not set. */
const char     *vars_text(const struct vars *vars, const char *name);

/* value NULL: unset.  The name must not have a `=`. */
void		vars_set(struct vars *vars, const char *name, const char *value);

/* The same with a value of len bytes, cut off at a NUL among them. */
void		vars_set_bytes(struct vars *vars, const char *name,
		    const char *value, size_t len);

/* `NAME=value`, NULL-terminated, for execve(2).  Borrowed until a change. */
char *const    *vars_environ(const struct vars *vars);

#endif
