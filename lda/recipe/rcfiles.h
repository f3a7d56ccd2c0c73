/* SPDX-License-Identifier: ISC */
/*
 * rcfiles.h - the rc files that are being run, one included by the other
 *
 * A file is checked when it is open, by its descriptor, and read whole before
 * its first statement: a change meanwhile has an effect on the next run.
 *
 * Source: procmail(1), FILES; procmailrc(5), INCLUDERC and SWITCHRC; procmail
 * 3.22 src/cstdio.c, bopen(); src/procmail.c.
 */
#ifndef LDA_RECIPE_RCFILES_H
#define LDA_RECIPE_RCFILES_H

#include <stdbool.h>

#define RC_SIZE_MAX	(4 * 1024 * 1024)	/* bytes of one rc file */
#define RC_OPENED_MAX	1000		/* files opened in a run */

struct engine;

enum rc_type {
	RC_ABSOLUTE,		/* named on the command line */
	RC_CURRENT,		/* the same, below the working directory */
	RC_DEFAULT,		/* ~/.procmailrc: nothing of a foreign group */
};

/*
 * Open and parse the file `path`, the first one; root becomes the user before.
 * The working directory is HOME then, unless it was changed before.
 * warn  log it if the file cannot be opened.
 *
 * Returns false if it cannot be run: it is not there, too large, or, which is
 * logged, others may write it.
 */
bool		rcfiles_open(struct engine *e, const char *path,
		    enum rc_type type, bool warn);

/* The same for /etc/procmailrc: it must be root's own, and this process may
 * still be root. */
bool		rcfiles_open_etc(struct engine *e, const char *path);

/* INCLUDERC=path: go on in that file and come back.  A file that cannot be run
 * is logged and passed over.  Nothing from the command line. */
void		rcfiles_include(struct engine *e, const char *path);

/* SWITCHRC=path: go on in that file instead; "" ends the present one. */
void		rcfiles_switch(struct engine *e, const char *path);

/* The present file has ended.  Returns false if it was the first one. */
bool		rcfiles_pop(struct engine *e);

/* Leave all files (e->rc.left). */
void		rcfiles_leave(struct engine *e);

/* The name of the present file, $_; "" for the command line.  Borrowed. */
const char     *rcfiles_name(const struct engine *e);

#endif
