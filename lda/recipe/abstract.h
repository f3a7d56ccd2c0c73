/* SPDX-License-Identifier: ISC */
/*
 * abstract.h - the abstract of a delivery in LOGFILE
 *
 * Three lines as mailstat(1) reads them: the From_ line, the Subject, and the
 * folder with the number of bytes.
 *
 * Source: procmailrc(5), LOGABSTRACT; procmail 3.22 src/mailfold.c,
 * logabstract().
 */
#ifndef LDA_RECIPE_ABSTRACT_H
#define LDA_RECIPE_ABSTRACT_H

struct engine;

/*
 * Log the abstract for `folder`, if LOGABSTRACT, or LOGFILE or VERBOSE, ask for
 * it.  After a signal the Subject is left out.
 */
void		abstract_write(struct engine *e, const char *folder);

#endif
