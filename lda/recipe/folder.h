/* SPDX-License-Identifier: ISC */
/*
 * folder.h - folders outside of the migration: mbox, directory, MH, Maildir
 *
 * Written as procmail writes them, except that a file of a directory gets its
 * name only when it is whole.
 *
 * Source: procmailrc(5), Recipe action line; procmail 3.22 src/foldinfo.c and
 * src/mailfold.c.
 */
#ifndef LDA_RECIPE_FOLDER_H
#define LDA_RECIPE_FOLDER_H

#include <stdbool.h>

#include "lda/recipe/mail.h"
#include "lda/recipe/sink.h"
#include "lda/recipe/words.h"

struct engine;

enum folder_how {			/* bits */
	WRITE_IGNORE = 1,		/* ignore errors of writing */
	WRITE_LOCK = 2,			/* take the lockfile of an mbox */
	WRITE_SECOND = 4,		/* after another folder: a directory,
					   whatever its name says */
};

/*
 * The kind of folder that a name says: `x/` is a Maildir, `x/.` an MH folder,
 * all else a file (or a directory that is there).  *path is the name without
 * what says the kind; child of ctx.
 */
enum dest_kind	folder_split(TALLOC_CTX *ctx, const char *name, char **path);

/*
 * Write to one folder, which is made if it is missing.  Sets LASTFOLDER and
 * e->last.
 *
 * path    of folder_split(); one that begins with `|` is standard output.
 * others  the word of `names` from which on a directory's file gets further
 *         links; NULL: none.
 * how     enum folder_how.
 *
 * Returns false if it was not written, which is logged.
 */
bool		folder_write(struct engine *e, enum dest_kind kind, char *path,
		    const struct words *names, const char *others,
		    const struct part *in, unsigned how);

/* Write to standard output, called `name` in LASTFOLDER; the rest as above. */
bool		folder_stdout(struct engine *e, const char *name,
		    const struct part *in, bool ignore);

#endif
