/* SPDX-License-Identifier: ISC */
/*
 * sink.h - what the engine asks of whoever delivers
 *
 * The engine decides what becomes of a message, and writes by itself what lies
 * outside of the migration.  What lies inside is a mailbox of the plan, and
 * that is the host's: main.c without a map has none, with a map it is delivered
 * by the
 * transaction.  Header only: implementations stand above it.
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
	DEST_FORWARD,		/* the same, by SENDMAIL */
};

struct dest {
	enum dest_kind	 kind;
	const char	*path;		/* without a / at its end, perhaps relative
					   to dir; of a program its text */
	const char	*dir;		/* the working directory, absolute */
	unsigned	 ordinal;	/* of this delivery in the run: the same
					   for the same message on a retry */
	const char	*data;		/* what is delivered, without From_ lines
					   where it is a Maildir */
	size_t		 len;
};

struct sink {
	void		*arg;
	/*
	 * Deliver to a mailbox of the plan.
	 * folder  filled in with a name for LASTFOLDER; borrowed, lives as long
	 *         as the run.
	 * ST_OK     it is there, or was before.
	 * ST_NONE   not one of the plan: the engine's business.  `where` then
	 *           is the path to write to in place of dest->path (it is the
	 *           leader's for an mbox or MH folder inside), or NULL.
	 * ST_AGAIN, ST_NEVER  the whole run is deferred.
	 */
	enum status	(*mailbox)(void *arg, const struct dest *dest,
			    const char **folder, const char **where,
			    struct err *err);
	/* Does a path lie inside? */
	bool		(*inside)(void *arg, const char *dir, const char *path);
	/*
	 * MAILDIR is to be `path` (from `dir`, as above).  ST_OK: it lies
	 * inside; `where` is the directory to use in its place, which may have
	 * to be made
	 * first.  ST_NONE: it does not.
	 */
	enum status	(*enter)(void *arg, const char *dir, const char *path,
			    const char **where, struct err *err);
	/* Was that done in an earlier run for this message?  ST_OK yes, ST_NONE
	 * no.  Asked before every delivery that mailbox() leaves to the
	 * engine. */
	enum status	(*was_done)(void *arg, const struct dest *dest,
			    struct err *err);
	/* It is done now: remember it. */
	enum status	(*done)(void *arg, const struct dest *dest,
			    struct err *err);
};

#endif
