/* SPDX-License-Identifier: ISC */
/*
 * share.h - the share that each uid has of mailferry-mapd
 *
 * However many connections a uid has, it gets as many answers in a turn of the
 * loop as any other uid, and it has at most so many connections and so many
 * requests with workers.
 */
#ifndef MAPS_MAPD_SHARE_H
#define MAPS_MAPD_SHARE_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

struct client;
TAILQ_HEAD(clientq, client);

struct share {
	TAILQ_ENTRY(share) entry;
	TAILQ_ENTRY(share) turn;
	uid_t		 uid;
	int		 n;		/* connections, and holds on this */
	int		 jobs;		/* requests that workers have */
	bool		 waits;		/* for its turn */
	struct clientq	 ready;		/* to be served, in this order */
	struct clientq	 parked;	/* until a worker has answered */
};
TAILQ_HEAD(shareq, share);

struct shares {
	struct shareq	 all;
	struct shareq	 turns;		/* those that have ready clients */
};

void		shares_init(struct shares *shares);

/* The share of a uid.  NULL: the uid has no connection. */
struct share   *share_of(const struct shares *shares, uid_t uid);

/* Count one more connection, or hold; the share is made where it is missing. */
struct share   *share_hold(struct shares *shares, uid_t uid);

/* One less; the last one frees the share. */
void		share_release(struct shares *shares, struct share *share);

/* The share that has the most connections; NULL: there are none. */
struct share   *share_greediest(const struct shares *shares);

#endif
