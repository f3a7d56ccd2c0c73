/* SPDX-License-Identifier: ISC */
/*
 * handover.h - another side becomes the leader, and no mail is hidden by that
 *
 * A cutover: nobody delivers.  Mailbox by mailbox, under the locks, the next
 * leader is compared with the present one and made ready; then, and only then,
 * the caller swaps the record to the state that the next leader leads in.
 *
 *	struct handover ho = { .rec = was, .conf = conf, .next = NEW,
 *	    .lacks = print_one, .ask = true };
 *
 *	st = handover(&ho, err);
 *	if (st == ST_OK)
 *		st = map_replace(...);
 *
 * No barrier is due after the swap: whoever delivered by a state before the
 * cutover held a lock that the hand-over has taken since, and if the cutover
 * ended meanwhile the swap fails.
 */
#ifndef LDA_STORE_HANDOVER_H
#define LDA_STORE_HANDOVER_H

#include "maps/record.h"

/*
 * A mailbox of which the next leader lacks messages that the present one has.
 *
 * folder  as maildir_open() takes it, "" the inbox.  A user chose it: any
 *         bytes.
 * n       messages; never 0.
 */
typedef void handover_lacks_fn(const char *folder, unsigned long n, void *arg);

struct handover {
	const struct record *rec;	/* as it stands in the map, located */
	const struct conf *conf;
	enum side	 next;		/* the side that is to lead */
	bool		 force;		/* also where messages are lacking */
	bool		 ask;		/* mapd has the map: ask it under every
					   lock whether it still has rec */
	unsigned	 map_flags;	/* of map_open() for that: 0 */
	handover_lacks_fn *lacks;	/* called for each such mailbox, by
					   name, after the visit; or NULL */
	void		*arg;
	/* Out, whatever the result. */
	unsigned long	 messages;	/* that are lacking, in all */
	unsigned long	 mailboxes;	/* of which some are lacking */
};

/*
 * Hand every mailbox over to the next leader.
 *
 * A message of the present leader is a file, with the line of its base name in
 * dovecot-uidlist where it has one.  The next leader lacks it where it has no
 * file of that base name, or has it under another UID, or is another mailbox
 * (UIDVALIDITY or GUID differ).  Flags do not count.  What the hand-over itself
 * catches up, a UID that is not below the next leader's next, is not lacking;
 * when that is done the mailbox is compared once more.
 *
 * Each mailbox of which nothing is lacking, or all of them with `force`: it is
 * made on the next leader where it is missing, with the same UIDVALIDITY and
 * GUID; caught up; its N raised above every UID that the present leader may
 * have shown; the delivery log merged.  Both logs get the version of the record
 * that follows; that of the present leader gets led_next as well, where nothing
 * was lacking (deliveries.h).
 *
 * ST_OK     the next leader is ready.
 * ST_NEVER  messages are lacking: err has the numbers.  Mailboxes that are
 *           whole were handed over, the others were not touched, and the
 *           record's state stays.
 * ST_AGAIN  as visit_mailboxes(), or a mailbox cannot be handed over: mail
 *           without a uidlist, V and G of two mailboxes that were both served
 *           disagree.
 */
enum status	handover(struct handover *ho, struct err *err) MUST_CHECK;

/*
 * Only compare, in any state that has both sides: no lock is taken, nothing is
 * written, and while somebody delivers the answer may be a moment old.  For
 * --dry-run, and to know before the cutover that a step would be refused.
 *
 * Uses rec, conf, next, force, lacks and arg; the result is what handover()
 * would come to so far.
 */
enum status	handover_compare(struct handover *ho, struct err *err)
		    MUST_CHECK;

#endif
