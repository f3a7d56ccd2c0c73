/* SPDX-License-Identifier: ISC */
/*
 * client.h - one connection of mailferry-mapd: its buffers, its turns
 *
 * A client's requests are answered as they come.  Nothing is read from a
 * client that does not take its answers, or whose request is with a worker.  A
 * client gets a limited number of answers in a turn, so that one with
 * thousands of requests does not delay the others.
 */
#ifndef MAPS_MAPD_CLIENT_H
#define MAPS_MAPD_CLIENT_H

#include <event2/event.h>
#include <sys/queue.h>

#include "maps/mapd/protocol.h"

#define CLIENT_UNREAD_MAX (2 * 1024 * 1024)	/* bytes a client may leave */

struct buffer {
	char	*data;
	size_t	 at, len, size;		/* data[at .. len) is not used yet */
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
	size_t		 used;		/* bytes of the request of a worker */
	long long	 asked;		/* clock_us() at which it came */
	bool		 busy;		/* a worker has its request */
	bool		 watching;	/* it gets each change of the map */
	bool		 closing;	/* as soon as its answers are sent */
};

struct clients {
	TAILQ_HEAD(, client) list;	/* the longest silent one comes first */
	int		 n;
	struct map	*map;
	struct workers	*workers;	/* NULL: answers are made here */
	struct event_base *base;
	long long	 logged;	/* clock_ms() of the last `dropped` */
};

/* Serve a connection that was accepted; fd belongs to the client then. */
void		client_welcome(struct clients *all, int fd,
		    const struct protocol *pr, const struct wire_peer *peer);

/* Send what is not the answer to a request; it is framed as an answer. */
void		client_send(struct client *cl, const char *data, size_t len);

/* Write what can be written without waiting.  False: the client is gone. */
bool		client_flush(struct client *cl);

/* How many connections with this protocol a uid has. */
int		client_count(const struct clients *all,
		    const struct protocol *pr, uid_t uid);

/* Close the connection and free the client. */
void		client_drop(struct client *cl);

#endif
