/* SPDX-License-Identifier: ISC */
/*
 * pool.h - kept connections to mailferry-mapd, for many threads
 *
 * A struct map is one connection, which carries one question at a time.  The
 * pool grows with the number of questions at a time, up to POOL_MAX.  A mapd
 * that hangs delays its caller by POOL_PATIENCE, and other callers hardly.
 */
#ifndef MILTER_POOL_H
#define MILTER_POOL_H

#include "maps/map.h"

#define POOL_MAX	64		/* connections; mapd takes 1,000 */
#define POOL_WAIT	100		/* ms without an answer to any question,
					   after which no caller waits for a
					   free connection */
#define POOL_PATIENCE	500		/* ms for an answer */
#define POOL_STRIKES	3		/* after so many questions in a row
					   without an answer ... */
#define POOL_AWAY	1000		/* ... mapd is left alone, in ms */

struct pool;

/*
 * A pool without connections, talloc child of ctx.
 *
 * conf  must outlive it.
 *
 * It may be freed when no call is under way.
 */
struct pool    *pool_new(TALLOC_CTX *ctx, const struct conf *conf);

/*
 * map_recipient(), for any thread; rec is a talloc child of ctx.
 *
 * ST_AGAIN  no answer came within about a second; err says why.
 */
enum status	pool_recipient(struct pool *pool, TALLOC_CTX *ctx,
		    const char *address, size_t len, bool local, time_t now,
		    struct record **rec, struct err *err) MUST_CHECK;

#endif
