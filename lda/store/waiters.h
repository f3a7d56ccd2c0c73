/* SPDX-License-Identifier: ISC */
/*
 * waiters.h - a file at which the processes of one host queue
 */
#ifndef LDA_STORE_WAITERS_H
#define LDA_STORE_WAITERS_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Open the file; where it is missing, make it with that mode and group (gid -1:
 * leave it).  Only on file systems where flock() excludes every process, so not
 * on NFS.  -1: there is none; then locks are taken as well, only later.
 */
int		waiters_open(int dirfd, const char *name, mode_t mode,
		    gid_t gid);

/*
 * Wait until all processes that came before us have left, for at most `us`
 * microseconds.  To leave, close the file, or die.
 *
 * fd  opened any number of times: the queue is that of the file.
 * us  0: do not wait.
 * true: we are at its head.
 */
bool		waiters_enter(int fd, long us);

/* Does another process wait behind us? */
bool		waiters_behind(int fd);

#endif
