/* SPDX-License-Identifier: ISC */
/*
 * uidlist.h - dovecot-uidlist, the authority for UIDs
 *
 * A delivery costs the same whatever the size of the mailbox: header and last
 * lines are read, a line is appended.  What costs as much as the mailbox is large
 * says so: to scan all lines, and to write the list anew.  All that writes needs
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

struct uidlist_line {			/* of one message */
	uint32_t	 uid;
	const char	*name;		/* base name, without `:2,FLAGS` */
	const char	*keys;		/* what stands before its colon, blanks and
					   all: " ", " Gguid " */
};

struct uidlist_scan;
struct uidlist_writer;

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
 * All lines in turn, by ascending UID, in constant memory.
 *
 * ul    stays open until the scan is freed; another file may take its name.  What
 *       is appended from now on is not seen, nor is a torn line.
 * scan  talloc child of ctx.  Freeing it ends the scan, at any line.
 */
struct uidlist_scan *uidlist_scan_begin(TALLOC_CTX *ctx,
		    const struct uidlist *ul);

/*
 * The next line.
 *
 * line      its strings live until the next call.  A base name may come twice:
 *           the later line counts.
 * ST_NONE   there was no other.
 * ST_NEVER  it is none: damaged, as Dovecot would find, too.
 */
enum status	uidlist_scan_next(struct uidlist_scan *scan,
		    struct uidlist_line *line, struct err *err) MUST_CHECK;

/*
 * The lines with a UID >= from, ascending, read from the end: cost is that of the
 * result.  lines is a talloc child of ctx, `*n` of them.
 */
enum status	uidlist_from(TALLOC_CTX *ctx, const struct uidlist *ul,
		    uint32_t from, struct uidlist_line **lines, size_t *n,
		    struct err *err) MUST_CHECK;

/*
 * Write a list that takes the place of the one that is there, in constant memory:
 * readers see the old one or the new one, whole.
 *
 * validity, next, guid  V, N and G of its header.
 * mode, gid  of the file; gid -1: leave it.
 * w  talloc child of ctx.  Freeing it before uidlist_write_commit() leaves all as
 *    it was.
 */
enum status	uidlist_write_begin(TALLOC_CTX *ctx, int ctlfd,
		    uint32_t validity, uint32_t next, const char *guid,
		    mode_t mode, gid_t gid, struct uidlist_writer **w,
		    struct err *err) MUST_CHECK;

/*
 * The next line, its keys included.
 * ST_NEVER  its UID is not above that of the line before, or it would not be read as
 *           it is: no name of a file, or keys that are none.
 */
enum status	uidlist_write_put(struct uidlist_writer *w,
		    const struct uidlist_line *line, struct err *err) MUST_CHECK;

/*
 * Sync the file, give it its name, sync the directory.  The caller still holds
 * the lock: it is to be checked right before.
 *
 * w   is freed, whatever the result.
 * ul  is closed where it is open, and read from the new file.  Other than ST_OK
 *     says that the old list is there, unless its last step failed: then either.
 */
enum status	uidlist_write_commit(struct uidlist_writer *w, struct uidlist *ul,
		    struct err *err) MUST_CHECK;

/* Make a list without lines, where there is none, and open it.  Arguments as above. */
enum status	uidlist_make(struct uidlist *ul, int ctlfd, uint32_t validity,
		    uint32_t next, const char *guid, mode_t mode, gid_t gid,
		    struct err *err) MUST_CHECK;

/* 32 random hex digits and a NUL. */
void		uidlist_guid(char guid[33]);

/*
 * These three write the same list anew, whatever its lines and the other keys of its
 * header are; ul is open on the new file afterwards.  Cost grows with the mailbox.
 *
 * raise  with N = next, where the next UID is lower.
 * renew  unchanged, in a new file: what is still written to the old one, by a host
 *        that was cut off from its NFS server, is lost on nobody.
 * drop   without the line of a base name.  next: N of the new file; ul->next, and
 *        the UID stays used; or that UID, where nobody has ever been shown it.
 */
enum status	uidlist_raise(struct uidlist *ul, int ctlfd, uint32_t next,
		    struct err *err) MUST_CHECK;
enum status	uidlist_renew(struct uidlist *ul, int ctlfd, struct err *err)
		    MUST_CHECK;
enum status	uidlist_drop(struct uidlist *ul, int ctlfd, const char *name,
		    uint32_t next, struct err *err) MUST_CHECK;

void		uidlist_close(struct uidlist *ul);

#endif
