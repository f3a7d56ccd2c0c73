/* SPDX-License-Identifier: ISC */
/*
 * uidlist_file.h - the file dovecot-uidlist: its head, its end, a line appended
 *
 * What a delivery needs: the cost is the same whatever the size of the mailbox.
 */
#ifndef LDA_STORE_UIDLIST_FILE_H
#define LDA_STORE_UIDLIST_FILE_H

#include <sys/types.h>

#include "lda/store/uidlist_line.h"
#include "maps/base/err.h"

#define UIDLIST_NAME	"dovecot-uidlist"
#define UIDLIST_LOCK	"dovecot-uidlist.lock"

struct uidlist {
	int		 fd;		/* O_RDWR | O_APPEND; -1: none */
	uint32_t	 validity;	/* V */
	uint32_t	 next;		/* UID: max(N, last line's + 1) */
	char		 guid[33];	/* G, 32 hex digits; "": it has none */
	off_t		 size;		/* bytes up to and with the last LF */
	off_t		 torn;		/* bytes behind it: a line cut short */
	uint32_t	 last;		/* UID of the last line as read; 0:
					   there was none */
	char		 last_name[256];	/* its base name */
};

/*
 * Open and read header and last line.
 *
 * ST_NONE   no uidlist (or an empty file, which Dovecot takes for none).
 * ST_NEVER  not version 3 (err says which, and what to do), or damaged.
 * On anything but ST_OK ul->fd is -1.
 */
enum status	uidlist_read(struct uidlist *ul, int ctlfd, struct err *err)
		    MUST_CHECK;

/* Cut off a torn last line; else Dovecot glues the next one to it. */
enum status	uidlist_mend(struct uidlist *ul, struct err *err) MUST_CHECK;

/*
 * Append a line, by one write; not synced.  uid must be >= ul->next, which
 * becomes uid + 1.  A short write is cut off again.
 */
enum status	uidlist_append_line(struct uidlist *ul,
		    const struct uidlist_line *line, struct err *err)
		    MUST_CHECK;
/* `UID :NAME` */
enum status	uidlist_append(struct uidlist *ul, uint32_t uid,
		    const char *name, struct err *err) MUST_CHECK;

void		uidlist_close(struct uidlist *ul);

#endif
