/* SPDX-License-Identifier: ISC */
/*
 * validity.h - dovecot-uidvalidity, from which a new mailbox gets its
 * UIDVALIDITY
 *
 * A counter for all mailboxes of a location, in the root of its control
 * directories. It runs ahead of the clock, as each new mailbox takes the next
 * value.
 *
 * Source: Dovecot 2.3.19 lib-storage/mailbox-uidvalidity.c.
 */
#ifndef LDA_STORE_VALIDITY_H
#define LDA_STORE_VALIDITY_H

#include <stdint.h>
#include <sys/types.h>

#include "maps/base/err.h"

#define VALIDITY_NAME	"dovecot-uidvalidity"

/*
 * The highest value that was given to a mailbox; 0: there is no counter.
 *
 * root  the directory that has it, O_RDONLY.
 */
enum status	validity_read(int root, uint32_t *value, struct err *err)
		    MUST_CHECK;

/*
 * Move the counter on to `value`, where it is lower or missing.
 *
 * mode, gid  of the file; gid -1: leave it.
 */
enum status	validity_raise(int root, uint32_t value, mode_t mode, gid_t gid,
		    struct err *err) MUST_CHECK;

#endif
