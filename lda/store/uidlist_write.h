/* SPDX-License-Identifier: ISC */
/*
 * uidlist_write.h - dovecot-uidlist as a new file: made, copied, changed
 *
 * The caller holds dovecot-uidlist.lock.  The cost grows with the list.
 */
#ifndef LDA_STORE_UIDLIST_WRITE_H
#define LDA_STORE_UIDLIST_WRITE_H

#include "lda/store/uidlist_file.h"

struct uidlist_writer;

/*
 * Write a list that takes the place of the one that is there, in constant
 * memory: readers see the old one or the new one, whole.
 *
 * validity, next, guid  V, N and G of its header.
 * mode, gid  of the file; gid -1: leave it.
 * w  talloc child of ctx.  Freeing it before uidlist_write_commit() leaves all
 *    as it was.
 */
enum status	uidlist_write_begin(TALLOC_CTX *ctx, int ctlfd,
		    uint32_t validity, uint32_t next, const char *guid,
		    mode_t mode, gid_t gid, struct uidlist_writer **w,
		    struct err *err) MUST_CHECK;

/*
 * The next line, its keys included.
 * ST_NEVER  its UID is not above that of the line before, or it would not be
 *           read as it is: no name of a file, or keys that are none.
 */
enum status	uidlist_write_put(struct uidlist_writer *w,
		    const struct uidlist_line *line, struct err *err)
		    MUST_CHECK;

/*
 * Sync the file, give it its name, sync the directory.  The caller still holds
 * the lock: it is to be checked right before.
 *
 * w   is freed, whatever the result.
 * ul  is closed where it is open, and read from the new file.  Other than ST_OK
 *     says that the old list is still there, or the new one where the last sync
 *     failed.
 */
enum status	uidlist_write_commit(struct uidlist_writer *w,
		    struct uidlist *ul, struct err *err) MUST_CHECK;

/* Make a list without lines where there is none, and open it.  As above. */
enum status	uidlist_make(struct uidlist *ul, int ctlfd, uint32_t validity,
		    uint32_t next, const char *guid, mode_t mode, gid_t gid,
		    struct err *err) MUST_CHECK;

/* 32 random hex digits and a NUL. */
void		uidlist_guid(char guid[33]);

/*
 * These four write the same list anew, whatever its lines and the other keys
 * of its header are; ul is open on the new file afterwards.
 *
 * raise  with N = next, where the next UID is lower.
 * renew  unchanged, in a new file: what is still written to the old one, by a
 *        host that was cut off from its NFS server, does no harm.
 * drop   without the line of a base name.  next: N of the new file; ul->next,
 *        and the UID stays used; or that UID, where no client has ever seen it.
 * drop_below  without the lines of a base name that have a lower UID than uid.
 */
enum status	uidlist_raise(struct uidlist *ul, int ctlfd, uint32_t next,
		    struct err *err) MUST_CHECK;
enum status	uidlist_renew(struct uidlist *ul, int ctlfd, struct err *err)
		    MUST_CHECK;
enum status	uidlist_drop(struct uidlist *ul, int ctlfd, const char *name,
		    uint32_t next, struct err *err) MUST_CHECK;
enum status	uidlist_drop_below(struct uidlist *ul, int ctlfd,
		    const char *name, uint32_t uid, struct err *err) MUST_CHECK;

#endif
