/* SPDX-License-Identifier: ISC */
/*
 * worker.h - one of the processes that answer instead of the loop
 */
#ifndef MAPS_MAPD_WORKER_H
#define MAPS_MAPD_WORKER_H

#include "maps/mapd/said.h"

/*
 * What the loop writes to a worker, with the request behind it.  Both are
 * forks of one program: a pointer to something static means the same in each.
 */
struct asked {
	const struct protocol	*pr;
	struct wire_peer	 peer;
	size_t			 len;	/* bytes of the request */
};

/*
 * Be a worker, in a child of the loop: answer the requests that come from
 * `fd`, or keep, or follow, until the loop closes its end.  What it does is
 * reported to `fd` as maps/mapd/said.h says.  All other descriptors but the
 * standard ones are closed.
 */
void		worker_run(struct map *map, int fd, enum role role) NORETURN;

#endif
