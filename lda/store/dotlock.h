/* SPDX-License-Identifier: ISC */
/*
 * dotlock.h - NAME.lock, as Dovecot and other programs take it
 *
 * The lock appears with its content (`pid:hostname`) in it or not at all: an
 * empty one, left by a process that was killed between open and write, would be
 * honoured by all others for two minutes.
 *
 * Source: Dovecot 2.3.19 lib/file-dotlock.c, maildir-uidlist.c.
 */
#ifndef LDA_STORE_DOTLOCK_H
#define LDA_STORE_DOTLOCK_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "maps/base/err.h"

#define DOTLOCK_STALE	120	/* seconds without a change: it is stale */
#define DOTLOCK_TOUCH	10	/* seconds after which a holder touches it */

struct dotlock {
	int		 dirfd;		/* borrowed: outlives the lock */
	const char	*name;		/* "dovecot-uidlist.lock"; borrowed */
	bool		 held;
	bool		 at_head;	/* of the queue, whose file fd is */
	bool		 outlived;	/* it was broken by age: its last holder
					   may yet write, or an NFS client */
	int		 fd;		/* -1, or the lock file, open: its inode
					   number is given to no other */
	struct statx	 ours;		/* the lock file, its ctime included */
	long long	 touched;	/* CLOCK_MONOTONIC, milliseconds */
};

/*
 * Take a lock.
 *
 * dirfd  where; name the lock file; guarded the file it guards: the lock is
 *        stale when neither has changed for DOTLOCK_STALE seconds by the file
 *        server's clock (ctime counts), or 2 s after its holder died on this
 *        host.
 * queue  -1, or a file beside it that stays (waiters_open()): takers on this
 *        host queue there, and the lock is a second name of it, so that no file
 *        is made and deleted for each.  Closed, whatever the result.
 * wait   milliseconds to try, 0: once.
 *
 * ST_AGAIN  it is taken (err names the holder, and for how long), or it cannot
 *           be made.
 */
enum status	dotlock_take(struct dotlock *lk, int dirfd, const char *name,
		    const char *guarded, int queue, long wait, struct err *err)
		    MUST_CHECK;

/*
 * Is it still ours?  As the file server sees it now.
 * ST_AGAIN: it was broken (err says so): touch nothing more.
 */
enum status	dotlock_check(struct dotlock *lk, struct err *err) MUST_CHECK;

/* dotlock_check(), and a new time stamp where DOTLOCK_TOUCH has passed. */
enum status	dotlock_keep(struct dotlock *lk, struct err *err) MUST_CHECK;

/* Does another process queue behind us? */
bool		dotlock_awaited(const struct dotlock *lk);

/* The name of this host, as locks have it.  Static. */
const char     *dotlock_host(void);

/* Remove it where it is still ours.  Does nothing where it is not held. */
void		dotlock_drop(struct dotlock *lk);

#endif
