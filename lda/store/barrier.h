/* SPDX-License-Identifier: ISC */
/*
 * barrier.h - wait until nobody delivers by a former state any more
 *
 * Deliveries ask the map again under the mailbox lock.  So whoever has changed
 * the map and then held every mailbox's lock once knows: what is delivered from
 * now on was decided by the new record.
 */
#ifndef LDA_STORE_BARRIER_H
#define LDA_STORE_BARRIER_H

#include "maps/map.h"

/*
 * List the mailboxes of both sides until two listings agree, and of each take
 * the locks (old, then new), decide what is undecided, and release them.
 *
 * rec      as it stands in the map after the change, located.  Of a mailbox that has
 *          seen a later change of leader nothing is decided: whoever made that
 *          one had its lock.
 * map      with `next`, and else NULL: asked under every lock whether it still has
 *          rec, as another command may be the one that hands over; by the time we
 *          come there may be clients on the next leader.  A connection of its own,
 *          asked before.  NULL as well where nobody else can write to it.
 * next     SIDE_NONE, or the side that will lead after a cutover: then every
 *          mailbox of the present leader is made on it where it is missing (same
 *          UIDVALIDITY and GUID), and its N raised so that it never gives a UID
 *          that the present leader may have shown.
 * floors   with `next`: talloc children of ctx, one for each mailbox.
 *
 * Called as root it works in a child process with the user's uid and primary
 * group: a filer exported with root_squash knows no root.  A record without uid
 * is worked on as the owner of its Maildir.
 *
 * ST_OK     the barrier is passed.
 * ST_AGAIN  somebody else changed the record; a lock stays taken, a filer does not answer (deadline seconds), V and
 *           G of a mailbox that was served on both sides disagree.
 */
enum status	barrier(TALLOC_CTX *ctx, const struct record *rec,
		    const struct conf *conf, enum side next, struct map *map,
		    struct floor **floors, size_t *nfloors, struct err *err)
		    MUST_CHECK;

#endif
