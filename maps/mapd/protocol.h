/* SPDX-License-Identifier: ISC */
/*
 * protocol.h - a protocol of mailferry-mapd: a function from request to answer
 *
 * A protocol sees no descriptor: server.c listens, client.c reads and writes.
 * So each protocol is tested with strings and fuzzed with bytes.
 */
#ifndef MAPS_MAPD_PROTOCOL_H
#define MAPS_MAPD_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "maps/map.h"

/* The client at the other end of a connection, as the kernel reports it. */
struct wire_peer {
	uid_t	 uid;
	bool	 trusted;		/* may get every record */
	bool	 admin;			/* may get and change every record */
	bool	 dict;			/* may ask the dict about every user */
	bool	 kept;			/* has a place that is kept for it */
};

struct answer {
	enum status st;			/* the outcome, for the metrics */
	char	*data;			/* talloc child of answer()'s ctx */
	size_t	 len;			/* bytes; 0: nothing is sent */
	bool	 conflict;		/* the record had changed meanwhile */
	bool	 window;		/* the user's window is open */
	bool	 watch;			/* from now on send each change, too */
	bool	 close;			/* close the connection afterwards */
	const char *why;		/* for the log: what is wrong with the
					   client; lives as long as data */
};

#define LATE_AS_LEASED	86400		/* as old as the map's lease allows */
#define LATE_A_MOMENT	2		/* seconds */

struct protocol {
	const char	*name;
	bool		 netstrings;	/* requests and answers are netstrings,
					   and the functions see the payload */
	size_t		 request_max;	/* bytes; a longer request closes the
					   connection */
	/* For requests that are no netstrings; see netstring_parse(). */
	enum status	(*parse)(const char *buf, size_t len, const char **req,
			    size_t *rlen, size_t *used);
	/*
	 * Answer one request.  req is not terminated; out was cleared.  Only
	 * the map may block.
	 */
	void		(*answer)(TALLOC_CTX *ctx, struct map *map,
			    const struct wire_peer *peer, const char *req,
			    size_t rlen, struct answer *out);
	/*
	 * How old, in seconds, the records may be that this request is answered
	 * from.  0, or no function: the answer decides something, so the map
	 * itself is asked.
	 */
	int		(*late)(const char *req, size_t rlen);
	int		 patience;	/* ms that a client waits for a map that
					   does not answer; 0: the map's own */
	bool		 mapless;	/* answer() does not ask the map, so it
					   needs no worker */
	/* The answer to any request that means "try again later"; static. */
	const char	*busy;
};

#endif
