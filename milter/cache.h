/*
 * cache.h - addresses that had no window a moment ago
 *
 * A milter may be a moment late without harm: whoever comes through goes to the LDA,
 * which asks again under the mailbox's lock.  So "no window" is believed for
 * CACHE_MS; nothing else is ever kept.
 */
#ifndef MILTER_CACHE_H
#define MILTER_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <talloc.h>

#define CACHE_MS	900		/* a window is seen within a second */

struct cache;

/* Safe for threads, as are all calls here; talloc child of ctx. */
struct cache   *cache_new(TALLOC_CTX *ctx);

/*
 * address  `len` bytes, any.
 * local    as in map_recipient(): a part of the key.
 * now, until  in clock_ms().
 */
bool		cache_has(struct cache *c, const char *address, size_t len,
		    bool local, long long now);
void		cache_put(struct cache *c, const char *address, size_t len,
		    bool local, long long until);

#endif
