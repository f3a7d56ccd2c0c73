/* SPDX-License-Identifier: ISC */
/*
 * folder_out.c - writing to a folder, and what is said when that fails
 */
#include "lda/recipe/folder_parts.h"

#include <errno.h>
#include <sys/stat.h>

#include "lda/recipe/engine.h"
#include "maps/base/file.h"

#define ARRIVED		S_IXOTH		/* on a folder: there is new mail */

void
folder_put(struct folder_out *o, const char *data, size_t len)
{
	if (o->failed || len == 0)
		return;
	if (file_write(o->fd, data, len) == -1) {
		o->failed = true;
		o->error = errno;
	} else
		o->n += (long)len;
}

void
folder_put_last_line(struct folder_out *o, const struct part *in)
{
	if (in->raw || (o->n >= 2 && in->len >= 2 &&
	    in->data[in->len - 1] == '\n' && in->data[in->len - 2] == '\n'))
		return;
	folder_put(o, "\n", 1);
}

bool
folder_failed(struct engine *e, const char *name)
{
	rclog_say_of(&e->log, errno == ENOSPC ?
	    "No space left to finish writing" : errno == EDQUOT ?
	    "Quota exceeded while writing" : "Error while writing to", name);
	return false;
}

void
folder_mark_arrived(struct engine *e, const struct folder *f)
{
	if (((f->mode | e->folders.umask) & ARRIVED) == 0)
		(void)!chmod(f->path, (f->mode | ARRIVED) & 07777);
}
