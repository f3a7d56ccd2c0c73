/* SPDX-License-Identifier: ISC */
/*
 * deliveries_slots.h - the intents of the delivery log
 */
#ifndef LDA_STORE_DELIVERIES_SLOTS_H
#define LDA_STORE_DELIVERIES_SLOTS_H

#include "lda/store/deliveries_types.h"
#include "maps/base/err.h"

/*
 * Write an intent into the next slot; not synced: deliveries_sync() before the
 * message can be seen.  in->outcome is set.
 * ST_AGAIN  also: no slot is free of an undecided intent.
 * ST_NEVER  a slot has a number that no log comes to: it is damaged.
 */
enum status	deliveries_intend(struct deliveries *d, struct intent *in,
		    struct err *err) MUST_CHECK;

/* The message of an intent was renamed on every side; not synced. */
enum status	deliveries_landed(struct deliveries *d, const struct intent *in,
		    struct err *err) MUST_CHECK;

/* Slots that an intent may take. */
int		deliveries_room(const struct deliveries *d);

#endif
