/* SPDX-License-Identifier: ISC */
/*
 * recent.h - addresses that had no window a moment ago
 *
 * The milter may be a moment late without harm: mail that it accepts goes to
 * the LDA, which asks again under the mailbox's lock.  So "no window" is kept
 * for RECENT_MS.
 */
#ifndef MILTER_RECENT_H
#define MILTER_RECENT_H

#include <stdbool.h>
#include <stddef.h>
#include <talloc.h>

#define RECENT_MS	900	/* a window is noticed within a second */

struct recent;

/* Safe for threads, as are all calls here; talloc child of ctx. */
struct recent   *recent_new(TALLOC_CTX *ctx);

/*
 * address  `len` bytes of any kind.
 * local    as in map_recipient(): a part of the key.
 * now, until  in clock_ms().
 */
bool		recent_has(struct recent *c, const char *address, size_t len,
		    bool local, long long now);
void		recent_put(struct recent *c, const char *address, size_t len,
		    bool local, long long until);

#endif
