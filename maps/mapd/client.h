/* SPDX-License-Identifier: ISC */
/*
 * client.h - one connection of mailferry-mapd: its buffers, its turns
 *
 * A client is read when it has something, answered at once, and not read while
 * it does not take its answers, or while one of its requests is with a worker.  It gets a few answers at a turn, so that one
 * who sends thousands of requests at once delays nobody.
 */
#ifndef MAPS_MAPD_CLIENT_H
#define MAPS_MAPD_CLIENT_H

#include <event2/event.h>
#include <sys/queue.h>

#include "maps/mapd/protocol.h"

#define CLIENT_UNREAD_MAX (2 * 1024 * 1024)	/* bytes a client may leave */

struct buffer {
	char	*data;
	size_t	 at, len, size;		/* data[at .. len) is still to be used */
};

struct client {
	TAILQ_ENTRY(client) entry;	/* in the order of last activity */
	struct clients	*all;
	const struct protocol *pr;
	struct event	*readable, *writable;
	int		 fd;
	struct wire_peer peer;
	struct buffer	 in, out;
	long long	 seen;		/* clock_ms() of the last activity */
	size_t		 used;		/* bytes of the request that is busy */
	long long	 asked;		/* clock_us() of that */
	bool		 busy;		/* a worker answers; it is not read */
	bool		 watching;
	bool		 closing;	/* when its answers are sent */
};

struct clients {
	TAILQ_HEAD(, client) list;	/* who was silent for longest first */
	int		 n;
	struct map	*map;
	struct workers	*workers;	/* NULL: answers are made here */
	struct event_base *base;
	long long	 told;		/* when one was last complained of */
};

/* A connection that was accepted; fd is the client's from now on. */
void		client_welcome(struct clients *all, int fd,
		    const struct protocol *pr, const struct wire_peer *peer);

/* What nobody asked for: framed as its answers are. */
void		client_tell(struct client *cl, const char *data, size_t len);

/* Send what can be sent without waiting.  False: the client is gone. */
bool		client_flush(struct client *cl);

/* How many connections with this protocol a uid has. */
int		client_count(const struct clients *all, const struct protocol *pr,
		    uid_t uid);

/* Close and forget it. */
void		client_drop(struct client *cl);

#endif
