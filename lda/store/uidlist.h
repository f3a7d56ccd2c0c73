/* SPDX-License-Identifier: ISC */
/*
 * uidlist.h - dovecot-uidlist, the authority for UIDs
 *
 * What a delivery does costs the same whatever the size of the mailbox: header
 * and last lines are read, a line is appended (uidlist_file.h).  To scan all
 * lines, or to write the list anew, costs as much as the mailbox is large, in
 * constant memory.  Whoever writes holds dovecot-uidlist.lock.
 *
 * Source: Dovecot 2.3.19 lib-storage/index/maildir/maildir-uidlist.c.
 */
#ifndef LDA_STORE_UIDLIST_H
#define LDA_STORE_UIDLIST_H

#include "lda/store/uidlist_file.h"
#include "lda/store/uidlist_scan.h"
#include "lda/store/uidlist_write.h"

#endif
