/* SPDX-License-Identifier: ISC */
/*
 * cache.h - all records as they were a moment ago, for who may be late
 *
 * A map in this process's memory, fed by a process that follows the real one
 * (map_ops.follow, maps/mapd/workers.c).  It answers what decides about no delivery:
 * Postfix's and Dovecot's look-ups, the milter's.  What it cannot say - a write is
 * due, an import is being written, it heard nothing for too long - is `missed`, and
 * then the real map is asked.
 */
#ifndef MAPS_MAPD_CACHE_H
#define MAPS_MAPD_CACHE_H

#include "maps/backend.h"

/* talloc child of ctx; conf is borrowed. */
struct map     *mapcache_new(TALLOC_CTX *ctx, const struct conf *conf);

/* What the follower tells; see backend.h. */
void		mapcache_take(struct map *cache, enum follow_event ev,
		    const struct followed *rec);

/* Milliseconds since it was last known to be right; -1: it never was whole. */
long long	mapcache_age(const struct map *cache);

/* The number of the last change of a user that is known; 0: none is. */
uint64_t	mapcache_seq(const struct map *cache, const char *user);

/*
 * How many users with a record are in each state, as it is written: an array indexed
 * by enum state, which lives as long as the cache.  A record that cannot be read is
 * not counted.
 */
const uint64_t *mapcache_users(const struct map *cache);

/* Did the answer that was just made lack something?  Asking forgets. */
bool		mapcache_missed(struct map *cache);

#endif
