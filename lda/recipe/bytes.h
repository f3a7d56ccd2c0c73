/* SPDX-License-Identifier: ISC */
/*
 * bytes.h - bytes that grow
 *
 * They lie in pages of their own, which the kernel moves without a copy: a
 * message may be as large as memory.  Begin with { NULL, 0, 0 }.  No memory
 * left: the process ends, as must() does.
 */
#ifndef LDA_RECIPE_BYTES_H
#define LDA_RECIPE_BYTES_H

#include <stddef.h>

struct bytes {
	char		*p;		/* NULL; else p[len] is writable */
	size_t		 len, room;	/* bytes used and mapped */
};

/* Make room for `more` bytes after the len bytes in use. */
void		bytes_need(struct bytes *b, size_t more);

/* Append len bytes. */
void		bytes_put(struct bytes *b, const char *data, size_t len);

/* Give unused pages back, and put a NUL at p[len]. */
void		bytes_trim(struct bytes *b);

/* Free the pages; b is empty again. */
void		bytes_free(struct bytes *b);

#endif
