/* SPDX-License-Identifier: ISC */
/*
 * metrics.h - what mailferry-mapd counts, as Prometheus text
 *
 * One process, one loop, so plain numbers.  mailferry-metrics(5) says what each
 * series means; tests/manuals compares the names.
 */
#ifndef MAPS_MAPD_METRICS_H
#define MAPS_MAPD_METRICS_H

#include "maps/mapd/protocol.h"

/* Single numbers; gauges are set, the others only grow. */
enum metric {
	M_CHANGES,			/* records added, changed, deleted */
	M_CONFLICTS,			/* a compare-and-swap that came too late */
	M_DEFERRALS,			/* answers about a user inside a window */
	M_REFUSED,			/* clients turned away at max_connections */
	M_WHOLE,			/* gauge: 1 while the map is undamaged */
	M_CACHED,			/* answers from what was so a moment ago */
	M_CACHE_AGE,			/* gauge: seconds since that was known */
	M_WORKERS_LOST,			/* processes that ended or were killed */
	M_LAST,
};

void		metrics_add(enum metric m, uint64_t n);
void		metrics_set(enum metric m, uint64_t n);

/*
 * Users by state, where the loop owns the map: at the start by map_each(), then by each
 * change.  NULL: there was, or is, no record.
 */
void		metrics_user(const struct record *was, const struct record *is);

/* Users by state, where they were counted already: n is indexed by enum state. */
void		metrics_users(const uint64_t *n);

/* One request that was answered. */
void		metrics_request(const struct protocol *pr, enum status st,
		    long long us);

/* A client came (1) or went (-1). */
void		metrics_client(const struct protocol *pr, int n);

/* All of it; talloc child of ctx. */
char	       *metrics_text(TALLOC_CTX *ctx);

/* `GET` by HTTP/1.0, as curl(1) and Prometheus' proxies ask. */
extern const struct protocol protocol_metrics;

#endif
