/* SPDX-License-Identifier: ISC */
/*
 * message_copy.h - the bytes and the date of a message file, into another file
 */
#ifndef LDA_STORE_MESSAGE_COPY_H
#define LDA_STORE_MESSAGE_COPY_H

#include <sys/types.h>

#include "maps/base/err.h"

#define MESSAGE_COPY_DIGEST	16	/* bytes */

struct message_copied {
	off_t		 size;		/* bytes */
	unsigned char	 digest[MESSAGE_COPY_DIGEST];	/* XXH3-128 of them,
							   canonical */
};

/*
 * Copy a message file whole, with its mtime; not synced.  In constant memory,
 * by reads and writes of 256 KiB; not for two threads at once.
 *
 * from    a regular file, open for reading; read from its first byte on.
 * to      empty, open for writing.  -1: only read, for the sake of `copied`.
 * copied  NULL, and no digest is made; else written with ST_OK.
 *
 * ST_AGAIN  also: what was read is not as long as the file says that it is.
 */
enum status	message_copy(int from, int to, struct message_copied *copied,
		    struct err *err) MUST_CHECK;

#endif
