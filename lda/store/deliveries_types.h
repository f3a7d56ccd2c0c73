/* SPDX-License-Identifier: ISC */
/*
 * deliveries_types.h - a delivery log and its intents, in memory
 */
#ifndef LDA_STORE_DELIVERIES_TYPES_H
#define LDA_STORE_DELIVERIES_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "lda/store/maildir.h"

#define DELIVERIES_NAME	 "mailferry-deliveries"
#define DELIVERIES_KEY	 16		/* bytes of a digest */
#define DELIVERIES_SLOTS 7
#define DELIVERIES_SWEPT (30 * 3600)	/* seconds; see recover_decide() */

enum outcome {
	OUTCOME_UNKNOWN,		/* no trace of it */
	OUTCOME_INTENT,			/* begun, not decided */
	OUTCOME_DONE,			/* it was delivered */
	OUTCOME_VOID,			/* it was not, and never will be */
	OUTCOME_LANDED,			/* of an intent: renamed, but maybe not
					   for good; it counts as undecided */
};

struct intent {
	unsigned char	 key[DELIVERIES_KEY];
	uint32_t	 uid;		/* 0: none was given */
	int64_t		 at;		/* seconds UTC */
	enum outcome	 outcome;
	char		 name[MAILDIR_NAME_MAX + 1];	/* base, with ,S= */
};

struct deliveries {
	int		 fd;		/* -1: there is none */
	uint32_t	 buckets;	/* pages of outcomes; a power of two */
	uint64_t	 led;		/* record version of the last change of
					   leader */
	uint32_t	 led_next;	/* see deliveries_led_next() */
	uint64_t	 led_until;	/* record version that led_next is of */
	bool		 whole;		/* no holes: its blocks are all there */
	uint64_t	 seq;		/* of the latest intent */
	struct intent	 slot[DELIVERIES_SLOTS];
	uint64_t	 slot_seq[DELIVERIES_SLOTS];	/* 0: never used */
};

#endif
