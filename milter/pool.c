/* SPDX-License-Identifier: ISC */
/*
 * pool.c - kept connections to mailferry-mapd, for many threads
 */
#include "milter/pool.h"

#include <pthread.h>

#include "maps/base/clock.h"

struct pool {
	const struct conf	*conf;
	pthread_mutex_t		 lock;
	pthread_cond_t		 freed;
	struct map		*idle[POOL_MAX];	/* last used on top */
	int			 nidle, nmaps;	/* nmaps: idle and in use */
	int			 strikes;	/* questions since the last
						   answer */
	long long		 away_until;	/* clock_ms() */
	long long		 answered;	/* clock_ms() of the last
						   answer */
};

static int
pool_destroy(struct pool *p)
{
	while (p->nidle > 0)
		talloc_free(p->idle[--p->nidle]);
	(void)pthread_cond_destroy(&p->freed);
	(void)pthread_mutex_destroy(&p->lock);
	return 0;
}

struct pool *
pool_new(TALLOC_CTX *ctx, const struct conf *conf)
{
	struct pool *p = must(talloc_zero(ctx, struct pool));
	pthread_condattr_t attr;

	p->conf = conf;
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&p->freed, &attr);
	(void)pthread_condattr_destroy(&attr);
	talloc_set_destructor(p, pool_destroy);
	return p;
}

/*
 * Wait for a free connection; p is locked.  false: no question at all was
 * answered for POOL_WAIT, or it was not our turn within POOL_PATIENCE.
 */
static bool
wait_for_one(struct pool *p, long long begin)
{
	long long end = begin + POOL_PATIENCE, now = begin, look;
	struct timespec ts;

	while (p->nidle == 0 && p->nmaps == POOL_MAX) {
		look = (p->answered > begin ? p->answered : begin) + POOL_WAIT;
		if (now >= end || now >= look)
			return false;
		ts.tv_sec = look / 1000;
		ts.tv_nsec = look % 1000 * 1000000;
		(void)pthread_cond_timedwait(&p->freed, &p->lock, &ts);
		now = clock_ms();
	}
	return true;
}

/* Take a connection.  *map NULL: the caller opens one; its place is counted. */
static enum status
take(struct pool *p, struct map **map, struct err *err)
{
	enum status st = ST_OK;
	long long now = clock_ms();

	*map = NULL;
	(void)pthread_mutex_lock(&p->lock);
	if (now < p->away_until)
		st = err_set(err, ST_AGAIN, "map: mailferry-mapd did not "
		    "answer the last %d questions", POOL_STRIKES);
	else if (!wait_for_one(p, now))
		st = err_set(err, ST_AGAIN, "map: %d questions to "
		    "mailferry-mapd are not answered yet", POOL_MAX);
	else if (p->nidle > 0)
		*map = p->idle[--p->nidle];
	else
		p->nmaps++;
	(void)pthread_mutex_unlock(&p->lock);
	return st;
}

/* map NULL: it could not be opened. */
static void
give_back(struct pool *p, struct map *map, bool answered)
{
	(void)pthread_mutex_lock(&p->lock);
	if (map == NULL)
		p->nmaps--;
	else
		p->idle[p->nidle++] = map;
	if (answered) {
		p->strikes = 0;
		p->answered = clock_ms();
	} else if (++p->strikes >= POOL_STRIKES)
		p->away_until = clock_ms() + POOL_AWAY;
	(void)pthread_cond_signal(&p->freed);
	(void)pthread_mutex_unlock(&p->lock);
}

enum status
pool_recipient(struct pool *p, TALLOC_CTX *ctx, const char *address, size_t len,
    bool local, time_t now, struct record **rec, struct err *err)
{
	long long begin = clock_ms();
	struct map *map;
	enum status st;

	st = take(p, &map, err);
	if (st != ST_OK)
		return st;
	/* No talloc parent is shared between threads. */
	if (map == NULL) {
		st = map_open(NULL, p->conf, 0, &map, err);
		if (st == ST_OK)
			map_patience(map, POOL_PATIENCE);
	}
	if (st == ST_OK)
		st = map_recipient(map, ctx, address, len, local, now, rec,
		    err);
	/* A question that is refused at once is not a strike. */
	give_back(p, map, st != ST_AGAIN || clock_ms() - begin < POOL_PATIENCE);
	return st;
}
