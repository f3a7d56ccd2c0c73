/* SPDX-License-Identifier: ISC */
/*
 * lint.h - what an rc file says, without running it
 */
#ifndef ADMIN_LINT_H
#define ADMIN_LINT_H

#include <jansson.h>

#include "maps/record.h"

enum lint_grade {
	LINT_ERROR,		/* procmail would skip it, or lose its way */
	LINT_MANUAL,		/* cannot follow the move by itself */
	LINT_MAPPED,		/* follows by itself */
	LINT_NOTE,
};

struct lint {
	TALLOC_CTX	*ctx;
	const char	*user, *home;
	const char	*root[2];	/* mail roots, NULL where unknown */
	const char	*filer[2];	/* mount points, NULL where not set */
	/* Found. */
	json_t		*found;		/* array of file, line, column, grade,
					   what, text */
	json_t		*programs;	/* object: name -> how often */
	unsigned	 count[LINT_NOTE + 1];
	/* Private. */
	struct vars	*vars;
	const char	*file;
	int		 depth;
};

/* found and programs new, counts 0, the variables a run begins with. */
void		lint_begin(struct lint *l);

/* Read one file and those that it includes by a name that is known here. */
enum status	lint_file(struct lint *l, const char *path, struct err *err)
		    MUST_CHECK;

/* A file that cannot be read, for that reason: one finding. */
void		lint_unread(struct lint *l, const char *path, const char *why);

/* The same from text. */
void		lint_text(struct lint *l, const char *name, const char *data,
		    size_t len);

/* "error", "manual", "mapped", "note": static. */
const char     *lint_grade_name(enum lint_grade grade);

#endif
