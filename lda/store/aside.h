/* SPDX-License-Identifier: ISC */
/*
 * aside.h - a follower's mailbox that is set aside
 *
 * It goes to `tmp/mailferry-aside/TIME.FOLDER` of the location's Maildir: below
 * tmp/ no client lists anything, in neither layout, and Dovecot's sweep of tmp/
 * leaves directories alone.  So it is no mailbox for anybody.
 */
#ifndef LDA_STORE_ASIDE_H
#define LDA_STORE_ASIDE_H

#include <stdint.h>

#include "lda/store/maildir.h"

#define ASIDE_DIR	"mailferry-aside"	/* in the Maildir's tmp/ */
#define ASIDE_NAME	"mailferry-folder"	/* a file with the folder's
						   name, where that of the
						   directory does not */

/*
 * Set a mailbox aside, whole: index files, cur/, new/, dovecot-keywords, and at
 * last dovecot-uidlist, also from control and index directories that lie
 * elsewhere (what is on another file system is copied, synced and removed).
 * tmp/ stays, as deliveries under way are in it, and so does the delivery log.
 *
 * md   locked; maildir_reopen() is due afterwards.
 * now  seconds UTC: TIME, or the first second after it that is free.
 *
 * Until dovecot-uidlist is gone from its place the whole was not done: after a
 * crash the next call sets aside what is left, under a TIME of its own.
 */
enum status	aside_mailbox(const struct maildir *md, int64_t now,
		    struct err *err) MUST_CHECK;

/*
 * `TIME.FOLDER`, the inbox as INBOX.  A folder with a `/`, or too long for a
 * name, is a hash; *hashed says so.  buf has room for NAME_MAX + 1 bytes.
 */
void		aside_name(const char *folder, int64_t now, char *buf,
		    bool *hashed);

#endif
