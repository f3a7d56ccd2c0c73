/* SPDX-License-Identifier: ISC */
/*
 * cache.h - a copy of all records, as they were a moment ago
 *
 * A map in this process's memory, fed by the follower, a worker process that
 * the real map reports its changes to (map_ops.follow, maps/mapd/workers.h).
 * It answers questions whose answers decide about no delivery: the look-ups of
 * Postfix, Dovecot and the milter.  A question that it cannot answer, because
 * a write is due or an import is being written, is `missed`, and then the real
 * map is asked.
 */
#ifndef MAPS_MAPD_CACHE_H
#define MAPS_MAPD_CACHE_H

#include "maps/backend.h"

/* An empty copy, a talloc child of ctx.  conf is borrowed. */
struct map     *mapcache_new(TALLOC_CTX *ctx, const struct conf *conf);

/* One report of the follower; see enum follow_event.  rec is copied. */
void		mapcache_take(struct map *cache, enum follow_event ev,
		    const struct followed *rec);

/* Milliseconds since it was last known to be right; -1: it was never whole. */
long long	mapcache_age(const struct map *cache);

/* The number of this user's last change in the copy; 0: it has none. */
uint64_t	mapcache_seq(const struct map *cache, const char *user);

/*
 * How many users with a record are in each state, as it is written: an array
 * indexed by enum state, which lives as long as the cache.  A record that
 * cannot be read is not counted.
 */
const uint64_t *mapcache_users(const struct map *cache);

/* True if the last answer missed something.  The call resets it. */
bool		mapcache_missed(struct map *cache);

#endif
