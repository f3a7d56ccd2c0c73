/* SPDX-License-Identifier: ISC */
/*
 * waiters.h - a file at which the processes of this host stand in line
 */
#ifndef LDA_STORE_WAITERS_H
#define LDA_STORE_WAITERS_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * The file, made with that mode and group (-1: as it comes) where it is missing.  Only
 * where flock() is everybody's, so not on NFS.  -1: none, which costs but time.
 */
int		line_open(int dirfd, const char *name, mode_t mode, gid_t gid);

/*
 * Wait until everybody before us has left, for at most `us` microseconds; who comes
 * first is first.  To leave, close the file, or die.
 *
 * fd  open, as often as one likes: the line is that of the file.
 * us  0: do not wait.
 * true: we are at its head.
 */
bool		line_wait(int fd, long us);

/* Does somebody wait behind us? */
bool		line_is_awaited(int fd);

#endif
