/* SPDX-License-Identifier: ISC */
/*
 * client.h - one connection of mailferry-mapd: its buffers, its turns
 *
 * Nothing is read from a client that does not take its answers, or whose
 * request is with a worker.  The events of the loop only note which clients
 * can be served.  clients_serve() serves each uid once, with a limited number
 * of answers, so that thousands of requests on hundreds of connections delay
 * no other uid, no signal, no timer and no new connection.
 */
#ifndef MAPS_MAPD_CLIENT_H
#define MAPS_MAPD_CLIENT_H

#include <event2/event.h>
#include <sys/queue.h>

#include "maps/mapd/protocol.h"
#include "maps/mapd/share.h"

#define CLIENT_UNREAD_MAX (2 * 1024 * 1024)	/* bytes a client may leave */

struct buffer {
	char	*data;
	size_t	 at, len, size;		/* data[at .. len) is not used yet */
};

struct client {
	TAILQ_ENTRY(client) entry;	/* in the order of last use */
	TAILQ_ENTRY(client) queued;
	struct clientq	*queue;		/* ready or parked; or NULL */
	struct share	*share;
	struct clients	*all;
	const struct protocol *pr;
	struct event	*readable, *writable;
	int		 fd;
	struct wire_peer peer;
	struct buffer	 in, out;
	long long	 seen;		/* clock_ms() of the last use: a whole
					   request, or a client that took all
					   of its answers */
	size_t		 used;		/* bytes of the request of a worker */
	long long	 asked;		/* clock_us() at which it came */
	bool		 arrived;	/* there is something to read */
	bool		 busy;		/* a worker has its request */
	bool		 watching;	/* it gets each change of the map */
	bool		 closing;	/* as soon as its answers are sent */
};

struct clients {
	struct clientq	 list;	/* the least recently used comes first */
	int		 n;		/* with those that a thread closes */
	int		 ordinary;	/* those without a kept place */
	size_t		 held;		/* bytes in all buffers */
	struct shares	 shares;
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

/* Serve each uid that has something to be served, once.  True: there is more
 * to do. */
bool		clients_serve(struct clients *all);

/*
 * Close the least recently used connection of the uid that has the most, unless
 * `uid` would then have as many.  False: none was closed.
 */
bool		clients_make_place(struct clients *all, uid_t uid);

/* Drop the clients that used their connection for the last time before `then`,
 * a clock_ms(). */
void		clients_drop_idle(struct clients *all, long long then);

/* Close the connection and free the client. */
void		client_drop(struct client *cl);

#endif
