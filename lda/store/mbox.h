/*
 * mbox.h - one message more in an mbox file, as procmail does it
 */
#ifndef LDA_STORE_MBOX_H
#define LDA_STORE_MBOX_H

#include <stddef.h>
#include <sys/types.h>

#include "maps/base/outcome.h"

/* Bytes of a message, in order: ST_OK and *len 0 at its end. */
typedef enum status mbox_source_fn(void *arg, const char **data, size_t *len,
		    struct err *err);

/*
 * Append a message.
 *
 * path  the mbox; made with mode 0600 where it is not there (its directory is
 *       not), never through a link that the recipient does not own, never what
 *       is not a regular file.
 * from_line  the `From sender  date` line with its LF.
 * next  gives the message without a From_ line; lines that begin with "From " are escaped
 *       with `>` in header and body as procmail does, an empty line is
 *       put after it.
 * Locked by PATH.lock (given up silently where the directory cannot be written,
 * as procmail does) and fcntl.  fsync before it counts; a write that fails is cut off again.
 *
 * ST_AGAIN  nothing of it is in the file.
 */
enum status	mbox_append(const char *path, const char *from_line,
		    mbox_source_fn *next, void *arg, struct err *err)
		    MUST_CHECK;

#endif
