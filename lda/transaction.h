/* SPDX-License-Identifier: ISC */
/*
 * transaction.h - one message into one mailbox of every side, with one UID
 *
 * The ten steps of mailferry-lda(8), DELIVERY.  It decides nothing: route()
 * says where, and is asked again once the mailbox is locked.
 */
#ifndef LDA_TRANSACTION_H
#define LDA_TRANSACTION_H

#include "lda/message.h"
#include "maps/map.h"
#include "maps/route.h"

struct delivery {
	TALLOC_CTX		*ctx;	/* parent of what is filled in */
	struct map		*map;
	const struct conf	*conf;
	const char		*user;
	const char		*home;	/* NULL: not known */
	const char		*recipient; /* of the envelope, or the user */
	const char		*folder; /* "" the inbox, ".Sub"; "Sub/dir"
					    where directories are folders */
	unsigned		 ordinal; /* of this write in the run, from 0 */
	bool			 uids;	/* false: map = none (no log, and a
					   uidlist only where there is one) */
	long long		 until;	/* CLOCK_MONOTONIC ms: give up then */
	/* Filled in by the delivery, for the log line. */
	struct plan		 plan;	/* by which it was delivered */
	enum state		 state;
	uint32_t		 uid;	/* 0: none was given */
	bool			 known;	/* it had been delivered before */
	const char		*path;	/* of the leader's mailbox */
	const char		*name;	/* of the file in new/; NULL: known */
	/* A message that only the follower has, by nobody of us: where the map
	 * says that nobody reads.  0: none was seen. */
	uint32_t		 stray;
	const char		*stray_in, *stray_name;
};

/*
 * Deliver.  rec is what the map said first; it is asked again under the lock.
 *
 * ST_OK     the message is, durably, in the mailbox on every side of the plan,
 *           or was already.
 * ST_AGAIN, ST_NEVER  nothing half done can be seen on any side; a later try
 *           continues.  In both cases the LDA defers.
 */
enum status	deliver(struct delivery *dv, const struct record *rec,
		    struct message *msg, struct err *err) MUST_CHECK;

#endif
