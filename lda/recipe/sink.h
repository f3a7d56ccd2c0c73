/* SPDX-License-Identifier: ISC */
/*
 * sink.h - what the engine asks of the program that delivers
 *
 * The engine decides where a message goes, and writes what lies outside of the
 * migration.  A mailbox that lies inside is one of the plan: the sink delivers
 * to it (lda/plan_sink.c).  Without a map there is no sink.  Header only:
 * implementations stand above the engine.
 */
#ifndef LDA_RECIPE_SINK_H
#define LDA_RECIPE_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "maps/base/err.h"

enum dest_kind {
	DEST_MAILDIR,		/* PATH/ */
	DEST_MH,		/* PATH/. */
	DEST_FILE,		/* an mbox, or a directory that is there */
	DEST_PROGRAM,		/* a pipe that delivers */
	DEST_FORWARD,		/* the same by SENDMAIL */
};

/* One delivery; all is borrowed for the time of a call. */
struct dest {
	enum dest_kind	 kind;
	const char	*path;		/* without the `/` at its end, perhaps
					   relative to dir; for a program its
					   command line */
	const char	*dir;		/* the working directory, absolute */
	unsigned	 ordinal;	/* number of this delivery in the run,
					   the same again on a retry */
	const char	*data;		/* the message; for a Maildir without
					   From_ lines */
	size_t		 len;		/* of data, bytes */
};

/* arg is passed to each function. */
struct sink {
	void		*arg;
	/*
	 * Deliver to a mailbox of the plan.
	 *
	 * folder  set to the name for LASTFOLDER; borrowed for the run.
	 * where   with ST_NONE: the path to write to instead of dest->path (for
	 *         an mbox or MH folder inside it is the leader's), or NULL.
	 *
	 * ST_OK     the message is there, now or since an earlier run.
	 * ST_NONE   it is no mailbox of the plan: the engine writes.
	 * ST_AGAIN, ST_NEVER  the whole run is deferred.
	 */
	enum status	(*mailbox)(void *arg, const struct dest *dest,
			    const char **folder, const char **where,
			    struct err *err);
	/* Does a path, perhaps relative to dir, lie inside the migration? */
	bool		(*inside)(void *arg, const char *dir, const char *path);
	/*
	 * MAILDIR is to become `path`, perhaps relative to dir.
	 *
	 * ST_OK     it lies inside: *where is the directory to use instead.
	 *           Its mail root has been made if it was missing.
	 * ST_NONE   it lies outside.  ST_AGAIN, ST_NEVER  the whole run is
	 * deferred.
	 */
	enum status	(*enter)(void *arg, const char *dir, const char *path,
			    const char **where, struct err *err);
	/*
	 * Has an earlier run for this message made this delivery?  Asked before
	 * each delivery that mailbox() leaves to the engine.  ST_OK: yes;
	 * ST_NONE: no; ST_AGAIN, ST_NEVER: the whole run is deferred.
	 */
	enum status	(*was_done)(void *arg, const struct dest *dest,
			    struct err *err);
	/* Remember that this delivery is made. */
	enum status	(*done)(void *arg, const struct dest *dest,
			    struct err *err);
};

#endif
