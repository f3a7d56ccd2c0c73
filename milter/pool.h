/* SPDX-License-Identifier: ISC */
/*
 * pool.h - kept connections to mailferry-mapd, for many threads
 *
 * A struct map is one connection and one question at a time.  The pool grows with
 * those who ask at the same time, to a bound: a mapd, or one question, that hangs
 * costs whoever asked it POOL_PATIENCE and nobody else much.
 */
#ifndef MILTER_POOL_H
#define MILTER_POOL_H

#include "maps/map.h"

#define POOL_MAX	64		/* connections; mapd has room for 1,000 */
#define POOL_WAIT	100		/* ms without any answer: nobody waits for a
					   connection to become free any longer */
#define POOL_PATIENCE	500		/* ms for an answer */
#define POOL_STRIKES	3		/* questions unanswered in a row: mapd is ... */
#define POOL_AWAY	1000		/* ... not asked again for so many ms */

struct pool;

/* Nothing is connected yet.  conf must outlive it; talloc child of ctx.  It is
 * freed when nobody asks any more. */
struct pool    *pool_new(TALLOC_CTX *ctx, const struct conf *conf);

/*
 * map_recipient(), by any thread; rec is a talloc child of ctx.  ST_AGAIN, within
 * about a second: there is no answer, and err says why.
 */
enum status	pool_recipient(struct pool *pool, TALLOC_CTX *ctx,
		    const char *address, size_t len, bool local, time_t now,
		    struct record **rec, struct err *err) MUST_CHECK;

#endif
