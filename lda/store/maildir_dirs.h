/* SPDX-License-Identifier: ISC */
/*
 * maildir_dirs.h - a directory of a Maildir: opened, or made as Dovecot would
 *
 * What is made gets mode and group of its parent, whatever the umask is.  What
 * another process makes at the same time is no error.
 */
#ifndef LDA_STORE_MAILDIR_DIRS_H
#define LDA_STORE_MAILDIR_DIRS_H

#include <stdbool.h>

#include "maps/base/err.h"

/*
 * Open a directory below another one; a link is not followed.
 *
 * fd  O_CLOEXEC, the caller's to close; with ST_OK only.
 * ST_NONE  make is false and it is not there.
 */
enum status	maildir_dir(int at, const char *name, bool make, int *fd,
		    struct err *err) MUST_CHECK;

/*
 * Open a directory by the path that a location has; links are followed.
 *
 * make   and its parents, but only below a directory that the caller owns, or
 *        below `filer` (NULL: none; its marker has been checked): never on the
 *        disk under a filer that is not mounted.
 * fd, ST_NONE  as above.
 */
enum status	maildir_dir_at_path(const char *path, const char *filer,
		    bool make, int *fd, struct err *err) MUST_CHECK;

#endif
