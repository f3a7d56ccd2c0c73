/* SPDX-License-Identifier: ISC */
/*
 * uidlist.h - dovecot-uidlist, the authority for UIDs
 *
 * Everything here costs the same whatever the size of the mailbox: header and
 * last lines are read, a line is appended.  The exceptions (uidlist_raise(),
 * uidlist_drop()) are for the rare and say so.  All but uidlist_read() need
 * dovecot-uidlist.lock to be held.
 *
 * Source: Dovecot 2.3.19 lib-storage/index/maildir/maildir-uidlist.c.
 */
#ifndef LDA_STORE_UIDLIST_H
#define LDA_STORE_UIDLIST_H

#include <stdint.h>
#include <sys/types.h>
#include <talloc.h>

#include "maps/base/err.h"

#define UIDLIST_NAME	"dovecot-uidlist"
#define UIDLIST_LOCK	"dovecot-uidlist.lock"

struct uidlist {
	int		 fd;		/* O_RDWR | O_APPEND; -1: none */
	uint32_t	 validity;	/* V */
	uint32_t	 next;		/* the next UID: max(N, last line's + 1) */
	char		 guid[33];	/* G, 32 hex digits; "" where there is none */
	off_t		 size;		/* bytes up to and with the last LF */
	off_t		 torn;		/* bytes after it: a line that was cut off */
	uint32_t	 last;		/* UID of the last line as it was read; 0: none */
	char		 last_name[256];	/* its base name */
};

struct uidlist_line {
	uint32_t	 uid;
	const char	*name;		/* base name, without `:2,FLAGS` */
	const char	*keys;		/* what stands before its colon, blanks and
					   all: " ", " Gguid " */
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
 * Append a line, by one write; not synced.  uid must be >= ul->next, which becomes
 * uid + 1.  A short write is cut off again.
 */
enum status	uidlist_append_line(struct uidlist *ul,
		    const struct uidlist_line *line, struct err *err) MUST_CHECK;
/* `UID :NAME` */
enum status	uidlist_append(struct uidlist *ul, uint32_t uid, const char *name,
		    struct err *err) MUST_CHECK;

/*
 * Make a uidlist where there is none, by NAME.tmp and rename, synced, and open it.
 *
 * validity, next, guid  of the header.
 * mode, gid  of the file; gid -1: leave it.
 */
enum status	uidlist_make(struct uidlist *ul, int ctlfd, uint32_t validity,
		    uint32_t next, const char *guid, mode_t mode, gid_t gid,
		    struct err *err) MUST_CHECK;

/* 32 random hex digits and a NUL. */
void		uidlist_guid(char guid[33]);

/*
 * Write N = next into the header where it is lower, by a new file and rename:
 * cost grows with the mailbox.  ul is open on the new file afterwards.
 */
enum status	uidlist_raise(struct uidlist *ul, int ctlfd, uint32_t next,
		    struct err *err) MUST_CHECK;

/*
 * The same lines in a new file: what is still written to the old one, by a host
 * that was cut off from its NFS server, is lost on nobody.
 */
enum status	uidlist_renew(struct uidlist *ul, int ctlfd, struct err *err)
		    MUST_CHECK;

/*
 * Remove the line of a base name, where there is one, by a new file and rename.
 * Cost grows with the mailbox.
 *
 * next  N of the new file: ul->next, and the UID stays used; or that UID, where nobody
 *       has ever been shown it.
 */
enum status	uidlist_drop(struct uidlist *ul, int ctlfd, const char *name,
		    uint32_t next, struct err *err) MUST_CHECK;

/*
 * Where the base name begins in a line `UID KEYvalue... :NAME`: behind the colon that
 * begins a word.  NULL: there is none.
 */
char	       *uidlist_name(char *line);

/*
 * The lines with a UID >= from, ascending, read from the end: cost is that of the
 * result.  lines is a talloc child of ctx, `*n` of them.
 */
enum status	uidlist_from(TALLOC_CTX *ctx, const struct uidlist *ul,
		    uint32_t from, struct uidlist_line **lines, size_t *n,
		    struct err *err) MUST_CHECK;

void		uidlist_close(struct uidlist *ul);

#endif
