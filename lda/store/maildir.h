/* SPDX-License-Identifier: ISC */
/*
 * maildir.h - one Maildir of one side: its directories, its files, no UIDs
 *
 * A mailbox is named by `folder`: "" the inbox, else its Maildir++ directory,
 * ".Lists.dev".  Paths of locations are followed as they are; below them no
 *                link.
 */
#ifndef LDA_STORE_MAILDIR_H
#define LDA_STORE_MAILDIR_H

#include <stdbool.h>
#include <sys/stat.h>
#include <talloc.h>

#include "maps/record.h"

#define MAILDIR_NAME_MAX 200	/* bytes of a base name, with ,S= and ,W= */

struct maildir {
	const char	*path;		/* of the mailbox, for messages */
	const char	*folder;
	int		 root;		/* the Maildir itself (inbox) */
	int		 dir;		/* the mailbox; some of these may be one
					   and the same descriptor */
	int		 tmp, new, cur;
	int		 ctl;		/* where dovecot-uidlist belongs */
	int		 idx;		/* where index files belong, or -1 */
	mode_t		 fmode;		/* of files: the mailbox's & 0666, and
					   0600 */
	gid_t		 gid;		/* -1: what the system gives is right */
	bool		 on_nfs;
	bool		 is_local;	/* ctl: flock() holds for every host */
	bool		 in_place;	/* ctl: blocks stay when overwritten */
	bool		 made;		/* a folder that was not there before */
};

/*
 * The marker of a mounted filer: DIR/.mailferry-filer, a regular file that root
 * or the caller owns.
 * filer  mount point, or NULL: nothing to check.
 * ST_AGAIN  it is not there: the filer is not mounted (or `mailferry doctor
 *           --init` was never run: err says both).
 */
#define FILER_MARKER ".mailferry-filer"
enum status	filer_check(const char *filer, struct err *err) MUST_CHECK;

/*
 * Open a mailbox.
 *
 * loc    located; borrowed.  folder as above.
 * make   make what is missing: cur, new, tmp (a folder also maildirfolder) and
 *        the control directory, with mode and group of the parent as Dovecot
 *        does.  The Maildir itself and its missing parents are made only below
 *        a directory that the caller owns, or below `filer` (its marker having
 *        been checked): never on the disk under a filer that is not mounted.
 *        What others make at the same time is no error.
 * md     all descriptors O_CLOEXEC; talloc child of ctx, freeing it closes.
 *
 * ST_NONE   make is false and there is no such mailbox (no cur/).
 */
enum status	maildir_open(TALLOC_CTX *ctx, const struct location *loc,
		    const char *folder, const char *filer, bool make,
		    struct maildir **md, struct err *err) MUST_CHECK;

/*
 * Put a folder among the user's subscriptions, where it is not yet, under
 * Dovecot's lock.  Not having managed to is no reason to fail a delivery.
 */
enum status	maildir_subscribe(const struct maildir *md,
		    const struct location *loc, struct err *err) MUST_CHECK;

/*
 * Open cur/, new/ and tmp/ anew, and make what is missing: cur/ and new/ were
 * moved aside (a follower's mailbox).
 */
enum status	maildir_reopen(struct maildir *md, struct err *err) MUST_CHECK;

/*
 * A new unique name: `SECONDS.M<usec>P<pid>Q<n>R<8 hex random>.HOST`, HOST with
 * / and : as \057 and \072 and cut so that MAILDIR_NAME_MAX holds with
 * `,S=..,W=..`. This is the name in tmp/; in new/ it goes on with
 * `,S=SIZE,W=VSIZE`. Talloc child of ctx.
 *
 * Source: maildir(5); Dovecot 2.3.19 maildir-filename.c.
 */
char	       *maildir_unique(TALLOC_CTX *ctx);

/*
 * Is the mailbox empty in the sense that a uidlist may be invented: nothing in
 * cur/ and new/, and in idx no dovecot.index* that remembers a UID?  Stops at
 * the first entry.
 */
enum status	maildir_empty(const struct maildir *md, bool *empty,
		    struct err *err) MUST_CHECK;

/* Is there a file in cur/ or new/?  Stops at the first entry. */
enum status	maildir_has_mail(const struct maildir *md, bool *mail,
		    struct err *err) MUST_CHECK;

/*
 * Find the file of a base name: in new/, in cur/ by the usual flags, at last by
 * reading cur/ and new/ (twice where it is not there: a readdir can miss a file
 * that is being renamed).  A file in new/ may have flags: offlineimap, mbsync
 * and mutt leave it so.
 * sub   "new" or "cur", static; file name with flags, talloc child of ctx.
 * ST_NONE  it is not there.
 */
enum status	maildir_find(TALLOC_CTX *ctx, const struct maildir *md,
		    const char *base, const char **sub, char **file,
		    struct err *err) MUST_CHECK;

/*
 * The same, and open it: a client may be renaming it at this moment, so what
 * was found and is gone is sought again.
 * fd  O_RDONLY, the caller's to close; with ST_OK only.
 */
enum status	maildir_open_message(TALLOC_CTX *ctx, const struct maildir *md,
		    const char *base, const char **sub, char **file, int *fd,
		    struct err *err) MUST_CHECK;

/*
 * Does tmp/ still have this name?  By open() and fstat(), which ask an NFS
 * server; *there is written with ST_OK only.
 */
enum status	maildir_in_tmp(const struct maildir *md, const char *name,
		    bool *there, struct err *err) MUST_CHECK;

/*
 * Copy a message file with its mtime: from a descriptor into tmp/NAME of md,
 * synced, then renamed to SUB/FILE and the directory synced.  What is already
 * there under that name is replaced.  In constant memory.
 */
enum status	maildir_copy_in(const struct maildir *md, int from,
		    const char *name, const char *sub, const char *file,
		    struct err *err) MUST_CHECK;

/* Where `file` has flags, strip keyword letters a-z: they mean another thing on
 * another side until the mirror has been there.  Talloc child of ctx. */
char	       *maildir_without_keywords(TALLOC_CTX *ctx, const char *file);

/*
 * Maildir++ quota: append `BYTES COUNT` LF to root's maildirsize by one write,
 * where that file exists.
 */
enum status	maildir_count(const struct maildir *md, off_t bytes, int count,
		    struct err *err) MUST_CHECK;

#endif
