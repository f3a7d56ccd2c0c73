/* SPDX-License-Identifier: ISC */
/*
 * folders.h - which mailboxes a location has
 *
 * Both layouts of Dovecot are read alike: Maildir++ (`.Lists.dev` beside cur/)
 * and LAYOUT=fs (`Work/Nov`), at any depth.  Directories that rc files name are
 * found as well, though Dovecot does not list them in Maildir++ (`lists`, raw
 * UTF-8, `..x`).
 */
#ifndef LDA_STORE_FOLDERS_H
#define LDA_STORE_FOLDERS_H

#include <stdbool.h>
#include <sys/types.h>
#include <talloc.h>

#include "maps/record.h"

struct folder {
	const char	*name;		/* as maildir_open() takes it; "" the
					   inbox */
	dev_t		 dev;		/* of the mailbox's directory */
	ino_t		 ino;
};

struct folders {
	struct folder	*at;		/* sorted by name, by byte; NULL where n
					   is 0 */
	size_t		 n;
};

/*
 * List the mailboxes of a location: each directory that has a cur/ of its own.
 *
 * list  written with ST_OK only; its strings are talloc children of ctx.
 *
 * A directory without cur/ is no mailbox, but may have some below it.  Not
 * listed: what lies below cur/, new/ and tmp/, what Dovecot is deleting
 * (`..DOVECOT-TRASHED`), what was set aside, symbolic links, directories that
 * the caller may not enter, and names of PATH_MAX and more bytes.
 *
 * The cost is O(n log n).  A readdir(3) can miss a directory that is renamed at
 * the same moment: callers that must not miss one list again.
 *
 * ST_NONE   the location has no Maildir at all.
 *
 * Source: Dovecot 2.3.19 lib-storage/list/mailbox-list-maildir-iter.c and
 * mailbox-list-fs-iter.c.
 */
enum status	maildir_folders(TALLOC_CTX *ctx, const struct location *loc,
		    struct folders *list, struct err *err) MUST_CHECK;

/* The folder of that name; NULL: there is none. */
const struct folder *folders_find(const struct folders *list, const char *name);

#endif
