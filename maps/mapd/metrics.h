/* SPDX-License-Identifier: ISC */
/*
 * metrics.h - the metrics of mailferry-mapd, as Prometheus text
 *
 * There is one process with one loop, so the counters are plain numbers.
 * mailferry-metrics(5) says what each series means; tests/manuals compares the
 * names.
 */
#ifndef MAPS_MAPD_METRICS_H
#define MAPS_MAPD_METRICS_H

#include "maps/mapd/protocol.h"

/* Single numbers; gauges are set, the others only grow. */
enum metric {
	M_CHANGES,			/* records added, changed, deleted */
	M_CONFLICTS,			/* changes that came too late */
	M_DEFERRALS,			/* answers about a user in a window */
	M_REFUSED,			/* clients beyond max_connections */
	M_WHOLE,			/* gauge: 1 if the map is undamaged */
	M_CACHED,			/* answers from the copy */
	M_CACHE_AGE,			/* gauge: its age in seconds */
	M_WORKERS_LOST,			/* workers that ended or were killed */
	M_LAST,
};

void		metrics_add(enum metric m, uint64_t n);
void		metrics_set(enum metric m, uint64_t n);

/*
 * Count one user's state, where the loop owns the map: for each record at the
 * start, then for each change.  NULL: there was, or is, no record.
 */
void		metrics_user(const struct record *was, const struct record *is);

/* Set the users by state; n is indexed by enum state. */
void		metrics_users(const uint64_t *n);

/* One request was answered, with this outcome, after `us` microseconds. */
void		metrics_request(const struct protocol *pr, enum status st,
		    long long us);

/* A client connected (n = 1) or disconnected (n = -1). */
void		metrics_client(const struct protocol *pr, int n);

/* All series as text; talloc child of ctx. */
char	       *metrics_text(TALLOC_CTX *ctx);

/* HTTP/1.0 `GET`, as curl(1) and the proxies of Prometheus send it. */
extern const struct protocol protocol_metrics;

#endif
