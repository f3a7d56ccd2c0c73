/* SPDX-License-Identifier: ISC */
/*
 * worker.h - one of the processes that answer in the loop's place, and its words
 */
#ifndef MAPS_MAPD_WORKER_H
#define MAPS_MAPD_WORKER_H

#include "maps/backend.h"
#include "maps/mapd/protocol.h"

enum role { ANSWERS, KEEPS, FOLLOWS };

/* Between forks of one program: pointers to static things mean the same. */
struct asked {
	const struct protocol	*pr;
	struct wire_peer	 peer;
	size_t			 len;	/* bytes of the request behind it */
};

struct said {
	enum { ANSWER, CHANGE, FOLLOW } what;
	struct answer		 answer; /* data counts not */
	bool			 imported;
	enum follow_event	 event;
	struct followed		 rec;	/* its texts stand behind it, each with its
					   NUL; which there are the pointers say */
	size_t			 len;
};

/*
 * Be one, in a child: answer what comes from `fd`, or keep, or follow, until that is
 * closed.  All other descriptors but the standard ones are closed.
 */
void		worker_run(struct map *map, int fd, enum role role) NORETURN;

#endif
