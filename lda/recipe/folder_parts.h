/* SPDX-License-Identifier: ISC */
/*
 * folder_parts.h - what the folder files share; private to them
 *
 * folder.c finds out what a name is; folder_mbox.c writes to a file and
 * folder_file.c into a directory.
 */
#ifndef LDA_RECIPE_FOLDER_PARTS_H
#define LDA_RECIPE_FOLDER_PARTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "lda/recipe/mail.h"

#define FOLDER_FILE_MODE	0667	/* before the umask */

struct engine;

enum folder_kind { F_MBOX, F_DIR, F_MH, F_MAILDIR, F_NONE };

struct folder {
	enum folder_kind kind;
	char		*path;		/* without what says its kind */
	mode_t		 mode;
};

/* A writer that counts. */
struct folder_out {
	int		 fd;
	long		 n;		/* bytes written */
	bool		 failed;
	int		 error;		/* errno of the failure */
};

/* Write, unless that has failed before. */
void		folder_put(struct folder_out *o, const char *data, size_t len);

/* Write the empty line that ends each message but that of a Maildir. */
void		folder_put_last_line(struct folder_out *o,
		    const struct part *in);

/* Log why writing to `name` failed, by errno.  Returns false. */
bool		folder_failed(struct engine *e, const char *name);

/* Set the mode bit that says that there is new mail. */
void		folder_mark_arrived(struct engine *e, const struct folder *f);

/* Append to an mbox, and truncate it again if that fails. */
bool		folder_append(struct engine *e, const struct folder *f,
		    const struct part *in, bool ignore);

/*
 * Write a file of a directory, whole and synced.  Returns its final path, a
 * child of e->ctx; NULL: it failed, which is logged.
 */
char	       *folder_new_file(struct engine *e, const struct folder *f,
		    const struct part *in, bool ignore);

/* Give the file `from` a name in the directory f.  Returns the path, a child of
 * e->ctx; NULL: it failed. */
char	       *folder_link(struct engine *e, const struct folder *f,
		    const char *from);

#endif
