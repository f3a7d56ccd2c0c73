/* SPDX-License-Identifier: ISC */
/*
 * asuser_lines.h - the lines of a worker, taken from the bytes of its pipe
 *
 * Pure; for asuser.c and its tests.
 */
#ifndef LDA_STORE_ASUSER_LINES_H
#define LDA_STORE_ASUSER_LINES_H

#include <stdbool.h>

#include "lda/store/asuser.h"

struct worker_lines {			/* all zero at the beginning */
	char		 buf[AS_USER_LINE];
	size_t		 len;		/* bytes of a line that is not whole
					   yet */
	bool		 ended;		/* nothing more is taken */
	bool		 said;		/* the last line was an outcome: */
	enum status	 result;
	struct err	 err;		/* with ST_AGAIN and ST_NEVER */
};

/*
 * Take the next bytes: fn is called for each line that begins with a dot.  The
 * line `ok`, `none`, `again TEXT` or `never TEXT` ends it; any other line, and
 * one that is too long, ends it with nothing said.
 */
void		worker_lines_feed(struct worker_lines *in, const char *buf,
		    size_t len, as_user_line_fn *fn, void *arg);

#endif
