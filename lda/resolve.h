/* SPDX-License-Identifier: ISC */
/*
 * resolve.h - what a path means: links followed, also where they lead nowhere yet
 */
#ifndef LDA_RESOLVE_H
#define LDA_RESOLVE_H

#include <talloc.h>

/*
 * An absolute path without links, `.`, `..` and double slashes.  What does not
 * exist is taken as it is written, so that a link to a filer that is not mounted
 * still says which.
 *
 * dir   absolute: where path begins, if it is relative.
 * Talloc child of ctx; NULL: links lead round in circles.
 */
char	       *resolve_path(TALLOC_CTX *ctx, const char *dir, const char *path);

/* What of `path` is below `root` (both resolved): "" for root itself, NULL where
 * it is not.  Borrowed from path. */
const char     *resolve_below(const char *path, const char *root);

#endif
