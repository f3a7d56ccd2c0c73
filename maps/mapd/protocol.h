/* SPDX-License-Identifier: ISC */
/*
 * protocol.h - what a protocol of mailferry-mapd is: from a request to its answer
 *
 * Neither a descriptor nor a clock in sight of the peer: server.c listens, client.c
 * reads and writes, and each protocol is tested with strings and fuzzed with bytes.
 */
#ifndef MAPS_MAPD_PROTOCOL_H
#define MAPS_MAPD_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "maps/map.h"

/* Who asks, as the kernel says. */
struct wire_peer {
	uid_t	 uid;
	bool	 trusted;		/* may get everyone */
	bool	 admin;			/* may do everything */
	bool	 dict;			/* may ask the dict about everyone */
};

struct answer {
	enum status st;			/* the outcome, to be counted */
	char	*data;			/* talloc child of the ctx that was given */
	size_t	 len;			/* 0: nothing is to be said */
	bool	 conflict;		/* somebody else changed it first */
	bool	 window;		/* it is about a user in his window */
	bool	 watch;			/* tell the peer of changes from now on */
	bool	 close;			/* and then hang up */
	const char *why;		/* for the log, where the peer is wrong; lives as
					   long as data */
};

#define LATE_AS_LEASED	86400		/* as old as the map gives a lease for */
#define LATE_A_MOMENT	2		/* seconds */

struct protocol {
	const char	*name;
	bool		 netstrings;	/* requests and answers are netstrings, and
					   the functions see their payload */
	size_t		 request_max;	/* bytes; longer: the connection is closed */
	/* Where they are not netstrings: as netstring_parse(). */
	enum status	(*parse)(const char *buf, size_t len, const char **req,
			    size_t *rlen, size_t *used);
	/*
	 * Answer one request; req is not terminated.  Blocks on nothing but the
	 * map.  out was cleared.
	 */
	void		(*answer)(TALLOC_CTX *ctx, struct map *map,
			    const struct wire_peer *peer, const char *req,
			    size_t rlen, struct answer *out);
	/*
	 * How old in seconds what this request is answered by may be; NULL, and 0:
	 * it decides something, and is answered by what is so now.
	 */
	int		(*late)(const char *req, size_t rlen);
	int		 patience;	/* ms that a peer is kept waiting for a map that
					   does not answer; 0: the map's own */
	bool		 mapless;	/* answer() asks no map: never by a worker */
	/* The answer that says "later" to any request; static. */
	const char	*busy;
};

#endif
