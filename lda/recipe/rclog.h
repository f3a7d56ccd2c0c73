/* SPDX-License-Identifier: ISC */
/*
 * rclog.h - LOGFILE: diagnostics, LOG and what programs say
 *
 * A line is written whole, so that runs at the same time do not mix within one.
 * The words are procmail's: mailstat(1) and users' scripts read them.  An error
 * of writing is ignored, as in procmail.
 *
 * Source: procmailrc(5), LOGFILE, LOG, VERBOSE; procmail 3.22 src/acommon.c.
 */
#ifndef LDA_RECIPE_RCLOG_H
#define LDA_RECIPE_RCLOG_H

#include <stdbool.h>
#include <talloc.h>
#include <time.h>

struct rclog {
	TALLOC_CTX	*ctx;
	int		 fd;		/* standard error, or LOGFILE */
	bool		 file;		/* LOGFILE is open */
	char		*pending;	/* the line that has no LF yet; NULL */
	time_t		 dated;		/* when VERBOSE last logged the time */
	long		 verbose;	/* VERBOSE; 0: off */
	long		 abstract;	/* LOGABSTRACT; -1: not set */
};

/* Log to standard error; what is pending is a child of ctx. */
void		rclog_begin(struct rclog *log, TALLOC_CTX *ctx);

/* Append text as it is; it is written once a line is complete or long. */
void		rclog_put(struct rclog *log, const char *text);

/* Write what is pending: before another process can write or a wait begins. */
void		rclog_flush(struct rclog *log);

/* Log the line `procmail: what`. */
void		rclog_say(struct rclog *log, const char *what);

/* Log the line `procmail: what "of"`. */
void		rclog_say_of(struct rclog *log, const char *what,
		    const char *of);

/* The same only if VERBOSE is on. */
void		rclog_verbose(struct rclog *log, const char *what,
		    const char *of);

/*
 * Continue in the file `path`, which is made if it is missing; "" is
 * /dev/null.  If it cannot be opened, that is logged and the present file
 * stays.
 * nofollow  do not follow a link: root does not, in a user's directory.
 */
void		rclog_open(struct rclog *log, const char *path, bool nofollow);

#endif
