/* SPDX-License-Identifier: ISC */
/*
 * file.h - whole files, whole writes, directories that are synced
 *
 * Every name is relative to a directory descriptor.  What lies below that may
 * be under a user's control, so no link is followed in the last component.  A
 * path from AT_FDCWD is the admin's, and links in it are followed.
 */
#ifndef MAPS_BASE_FILE_H
#define MAPS_BASE_FILE_H

#include <sys/stat.h>
#include <sys/types.h>
#include <talloc.h>

#include "maps/base/err.h"

/*
 * Write all of buf, in as many calls of write(2) as it takes, and despite
 * EINTR.  -1: errno is set; how much was written is then unknown.
 */
int		file_write(int fd, const void *buf, size_t len) MUST_CHECK;

/* Read all of it from that offset; a short read is an error: a cut file. */
int		file_pread(int fd, void *buf, size_t len, off_t off) MUST_CHECK;
int		file_pwrite(int fd, const void *buf, size_t len, off_t off)
		    MUST_CHECK;

/*
 * Read a whole regular file of at most `limit` bytes.
 *
 * data   talloc child of ctx, `*len` bytes and a NUL after them.
 * ST_NONE there is no such file.  ST_NEVER it is longer, or not regular.
 */
enum status	file_read(TALLOC_CTX *ctx, int dirfd, const char *name,
		    size_t limit, char **data, size_t *len, struct err *err)
		    MUST_CHECK;

/*
 * Replace a file: write NAME.tmp (made exclusively, after one that a crash left
 * was removed), fsync, rename, fsync the directory.  Readers see old or new.
 */
enum status	file_replace(int dirfd, const char *name, const void *data,
		    size_t len, mode_t mode, struct err *err) MUST_CHECK;

/*
 * statx(2) of an open file or directory as its server sees it now; what is read
 * after that is its present content.  -1: errno is set.
 *
 * Without this an NFS client answers from its cache.  It may use a directory's
 * names for a minute.  Where a process of the host has a file open, NFSv4 lets
 * the client answer open(), too.  Where one has it open for writing, as Dovecot
 * has its uidlist, the client sees nothing that another host writes, and what
 * is written here goes out with the old bytes around it.
 */
int		file_ask(int fd, struct statx *sx) MUST_CHECK;

/*
 * Give a new file, made 0600, its mode and group (gid -1: leave the group).  A
 * process that is not in that group leaves out the bits of the group: no other
 * group is meant to have them.
 */
int		file_permit(int fd, mode_t mode, gid_t gid) MUST_CHECK;

/*
 * Open what is closed of the three standard descriptors, so that no file gets
 * such a number: messages would be written into it, or it would be read as the
 * mail.  Reading from 0 fails then.
 */
void		file_standard(void);

#endif
