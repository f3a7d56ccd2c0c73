/* SPDX-License-Identifier: ISC */
/*
 * assign.h - assignments, and the variables that mean something
 *
 * A variable that is a setting is copied into the part of struct engine that it
 * belongs to; others act at once, as INCLUDERC.  To add one: a row of a table
 * in assign.c.
 *
 * Source: procmailrc(5), Environment; procmail 3.22 src/variables.c.
 */
#ifndef LDA_RECIPE_ASSIGN_H
#define LDA_RECIPE_ASSIGN_H

struct engine;

/*
 * Set a variable, and do what it means.
 * value  NULL: unset it, which to what acts on it is the empty text.
 */
void		assign(struct engine *e, const char *name, const char *value);

/* Set all settings and variables to what they are before the first file: with
 * -p the environment too, but not what the run-time linker obeys. */
void		assign_defaults(struct engine *e);

#endif
