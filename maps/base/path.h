/* SPDX-License-Identifier: ISC */
/*
 * path.h - the file that a path names, with its symbolic links followed
 */
#ifndef MAPS_BASE_PATH_H
#define MAPS_BASE_PATH_H

#include <talloc.h>

/*
 * The absolute path without symbolic links, `.`, `..` and double slashes.
 * Components that do not exist stay as they are written, so that a link into
 * a filer that is not mounted still shows which filer.
 *
 * dir   absolute: the directory from which a relative path begins.
 *
 * Talloc child of ctx; NULL: the links form a circle.
 */
char	       *path_resolve(TALLOC_CTX *ctx, const char *dir,
		    const char *path);

/*
 * The part of `path` below `root` (both resolved): "" for root itself; NULL if
 * path is not below it.  Borrowed from path.
 */
const char     *path_below(const char *path, const char *root);

#endif
