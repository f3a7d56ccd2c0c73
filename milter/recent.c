/* SPDX-License-Identifier: ISC */
/*
 * recent.c - addresses that had no window a moment ago
 *
 * A table of fixed size, in which a new entry replaces the former one of its
 * slot.  A sender who uses many addresses only makes us ask mapd more often.
 */
#include "milter/recent.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "maps/base/err.h"

#define SLOTS		32768u		/* of 80 bytes */
#define STRIPES		64u		/* locks */
#define KEY_MAX		70		/* bytes; longer ones are not kept */

struct slot {
	long long	until;
	uint8_t		len;
	bool		local;
	char		key[KEY_MAX];
};

struct recent {
	uint64_t	 seed;		/* senders cannot choose the slot */
	pthread_mutex_t	 lock[STRIPES];
	struct slot	 slot[SLOTS];
};

static int
recent_destroy(struct recent *c)
{
	size_t i;

	for (i = 0; i < STRIPES; i++)
		(void)pthread_mutex_destroy(&c->lock[i]);
	return 0;
}

struct recent *
recent_new(TALLOC_CTX *ctx)
{
	struct recent *c = must(talloc_zero(ctx, struct recent));
	size_t i;

	(void)!getrandom(&c->seed, sizeof(c->seed), GRND_NONBLOCK);
	for (i = 0; i < STRIPES; i++)
		(void)pthread_mutex_init(&c->lock[i], NULL);
	talloc_set_destructor(c, recent_destroy);
	return c;
}

static struct slot *
find(struct recent *c, const char *address, size_t len, bool local,
    pthread_mutex_t **lock)
{
	uint64_t h = XXH3_64bits_withSeed(address, len, c->seed + local);

	*lock = &c->lock[h % STRIPES];
	return &c->slot[h % SLOTS];
}

bool
recent_has(struct recent *c, const char *address, size_t len, bool local,
    long long now)
{
	pthread_mutex_t *lock;
	struct slot *s;
	bool has;

	if (len > KEY_MAX)
		return false;
	s = find(c, address, len, local, &lock);
	(void)pthread_mutex_lock(lock);
	has = now < s->until && s->len == len && s->local == local &&
	    memcmp(s->key, address, len) == 0;
	(void)pthread_mutex_unlock(lock);
	return has;
}

void
recent_put(struct recent *c, const char *address, size_t len, bool local,
    long long until)
{
	pthread_mutex_t *lock;
	struct slot *s;

	if (len > KEY_MAX)
		return;
	s = find(c, address, len, local, &lock);
	(void)pthread_mutex_lock(lock);
	s->until = until;
	s->len = (uint8_t)len;
	s->local = local;
	memcpy(s->key, address, len);
	(void)pthread_mutex_unlock(lock);
}
