/* SPDX-License-Identifier: ISC */
/*
 * file.h - whole files, whole writes, directories that are synced
 *
 * Every name is relative to a directory descriptor, below which may lie what a
 * user controls: no link is followed in its last component.  A path from
 * AT_FDCWD is the admin's, and followed.
 */
#ifndef MAPS_BASE_FILE_H
#define MAPS_BASE_FILE_H

#include <sys/stat.h>
#include <sys/types.h>
#include <talloc.h>

#include "maps/base/err.h"

/*
 * Write all of buf, whatever write(2) takes at once, EINTR or not.  On failure
 * errno is set and -1 returned; how much was written is then unknown.
 */
int		file_write(int fd, const void *buf, size_t len) MUST_CHECK;

/*
 * All of it, from that offset, or an error: a short read is a file that was
 * cut.
 */
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
 * Replace a file: write NAME.tmp (exclusively made; what lies there from a
 * crash goes first), fsync, rename, fsync the directory.  Readers see old or
 * new.
 */
enum status	file_replace(int dirfd, const char *name, const void *data,
		    size_t len, mode_t mode, struct err *err) MUST_CHECK;

/*
 * statx(2) of an open file or directory as its server sees it now, and from
 * here on its present content is read; -1 and errno.
 *
 * An NFS client answers from memory else.  What it knows of a directory's names
 * it may believe for a minute; where any process of the host has a file open,
 * NFSv4 has the client answer open() as well; and where one has it open for
 * writing, as Dovecot has its uidlist, nothing that another host writes is
 * seen, and what is written here goes out with the old bytes around it.
 */
int		file_ask(int fd, struct statx *sx) MUST_CHECK;

/*
 * Give a new file, made 0600, its mode and group (gid -1: leave it).  Who is
 * not in that group keeps it to himself: the group's bits are left out then, as
 * no other group is meant to have them.
 */
int		file_permit(int fd, mode_t mode, gid_t gid) MUST_CHECK;

/*
 * Take the three standard descriptors where the caller closed them: what is
 * said must not go into a file that was given the number, nor is such a file
 * the message.  Reading from 0 fails then.
 */
void		file_standard(void);

#endif
