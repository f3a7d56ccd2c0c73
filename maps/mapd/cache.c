/* SPDX-License-Identifier: ISC */
/*
 * cache.c - a copy of all records, as they were a moment ago
 */
#include "maps/mapd/cache.h"

#include <stdlib.h>
#include <string.h>

#include "maps/base/clock.h"
#include "maps/base/crc.h"

#define BUCKETS	131072			/* for 100,000 users: short chains */

struct item {
	struct item	*next;
	char		*user;		/* talloc child of the item */
	char		*text;		/* NULL: deleted */
	uint64_t	 version, seq;
	bool		 staged;
	enum state	 state;		/* counted as; STATE_NONE: not at all */
	unsigned	 round;		/* in which it was last reported */
};

struct claim {				/* one address of an item */
	struct claim	*next;
	struct item	*item;
	char		*addr;
};

struct cache {
	struct item	*item[BUCKETS];
	struct claim	*claim[BUCKETS];
	uint64_t	 users[STATE_NEW + 1];
	unsigned	 round;
	bool		 whole;
	bool		 missed;
	long long	 alive;		/* clock_ms() */
};

static unsigned
bucket_of(const char *key)
{
	return crc32_of(0, key, strlen(key)) % BUCKETS;
}

static struct item *
find(const struct cache *c, const char *user)
{
	struct item *it = c->item[bucket_of(user)];

	while (it != NULL && strcmp(it->user, user) != 0)
		it = it->next;
	return it;
}

/* Each `address` line of a record's text. */
static char *
next_address(TALLOC_CTX *ctx, const char **text)
{
	const char *p = *text == NULL ? NULL : strstr(*text, "\naddress ");
	size_t len;

	if (p == NULL)
		return NULL;
	p += sizeof("\naddress ") - 1;
	len = strcspn(p, "\n");
	*text = p + len;
	return must(talloc_strndup(ctx, p, len));
}

static void
unclaim(struct cache *c, const struct item *it, const char *addr)
{
	struct claim **p = &c->claim[bucket_of(addr)], *cl;

	while ((cl = *p) != NULL)
		if (cl->item == it && strcmp(cl->addr, addr) == 0) {
			*p = cl->next;
			talloc_free(cl);
		} else
			p = &cl->next;
}

static void
set_addresses(struct cache *c, struct item *it, bool yes)
{
	const char *text = it->text;
	struct claim *cl, **head;
	char *addr;

	while ((addr = next_address(NULL, &text)) != NULL) {
		unclaim(c, it, addr);
		if (yes) {
			cl = must(talloc_zero(c, struct claim));
			cl->item = it;
			cl->addr = talloc_steal(cl, addr);
			head = &c->claim[bucket_of(addr)];
			cl->next = *head;
			*head = cl;
		} else
			talloc_free(addr);
	}
}

static enum state
state_of(const char *user, const char *text)
{
	enum state state = STATE_NONE;
	struct record *rec;
	struct err err;

	if (text == NULL || strcmp(user, RECORD_DEFAULT) == 0 ||
	    record_parse(NULL, user, text, strlen(text), &rec, &err) != ST_OK)
		return STATE_NONE;
	state = rec->state;
	talloc_free(rec);
	return state;
}

/* users[STATE_NONE] is the number of the items that are not counted. */
static void
count(struct cache *c, struct item *it, enum state state)
{
	c->users[it->state]--;
	c->users[state]++;
	it->state = state;
}

static void
take_record(struct cache *c, const struct followed *rec)
{
	struct item *it = find(c, rec->user), **head;

	if (it == NULL) {
		it = must(talloc_zero(c, struct item));
		it->user = must(talloc_strdup(it, rec->user));
		c->users[STATE_NONE]++;
		head = &c->item[bucket_of(rec->user)];
		it->next = *head;
		*head = it;
	}
	set_addresses(c, it, false);
	talloc_free(it->text);
	it->text = rec->text == NULL ? NULL :
	    must(talloc_strdup(it, rec->text));
	count(c, it, state_of(it->user, it->text));
	it->version = rec->version;
	it->seq = rec->seq;
	it->staged = rec->staged;
	it->round = c->round;
	set_addresses(c, it, true);
}

/* Items that were not reported in this round are no longer in the map. */
static void
sweep(struct cache *c)
{
	struct item **p, *it;
	unsigned i;

	for (i = 0; i < BUCKETS; i++)
		for (p = &c->item[i]; (it = *p) != NULL;)
			if (it->round == c->round)
				p = &it->next;
			else {
				*p = it->next;
				set_addresses(c, it, false);
				c->users[it->state]--;
				talloc_free(it);
			}
}

void
mapcache_take(struct map *map, enum follow_event ev, const struct followed *rec)
{
	struct cache *c = map->handle;

	switch (ev) {
	case FOLLOW_BEGIN:
		c->round++;
		return;
	case FOLLOW_RECORD:
		take_record(c, rec);
		return;
	case FOLLOW_COMPLETE:
		sweep(c);
		c->whole = true;
		/* FALLTHROUGH */
	case FOLLOW_ALIVE:
		c->alive = clock_ms();
		return;
	}
}

long long
mapcache_age(const struct map *map)
{
	const struct cache *c = map->handle;

	return c->whole ? clock_ms() - c->alive : -1;
}

uint64_t
mapcache_seq(const struct map *map, const char *user)
{
	const struct item *it = find(map->handle, user);

	return it == NULL ? 0 : it->seq;
}

const uint64_t *
mapcache_users(const struct map *map)
{
	const struct cache *c = map->handle;

	return c->users;
}

bool
mapcache_missed(struct map *map)
{
	struct cache *c = map->handle;
	bool missed = c->missed;

	c->missed = false;
	return missed;
}

static enum status
miss(struct map *map, struct err *err)
{
	struct cache *c = map->handle;

	c->missed = true;
	return err_set(err, ST_AGAIN, "not known here");
}

static enum status
cache_get(struct map *map, TALLOC_CTX *ctx, const char *user,
    struct record **rec, struct err *err)
{
	const struct item *it = find(map->handle, user);

	if (it == NULL)
		return ST_NONE;
	if (it->staged)
		return miss(map, err);
	return it->text == NULL ? ST_NONE : record_parse(ctx, user, it->text,
	    strlen(it->text), rec, err);
}

static enum status
cache_buried(struct map *map, const char *user, uint64_t *version,
    struct err *err)
{
	const struct item *it = find(map->handle, user);

	(void)err;
	*version = it == NULL ? 0 : it->version;
	return ST_OK;
}

/* A write that is due is done by the real map. */
static enum status
cache_replace(struct map *map, const struct record *was,
    const struct record *is, const struct change_by *by, uint64_t *version,
    struct err *err)
{
	(void)was;
	(void)is;
	(void)by;
	(void)version;
	return miss(map, err);
}

static enum status
cache_by_address(struct map *map, TALLOC_CTX *ctx, const char *addr,
    char **user, struct err *err)
{
	const struct cache *c = map->handle;
	const struct claim *cl = c->claim[bucket_of(addr)];

	(void)err;
	while (cl != NULL && strcmp(cl->addr, addr) != 0)
		cl = cl->next;
	if (cl == NULL)
		return ST_NONE;
	*user = must(talloc_strdup(ctx, cl->item->user));
	return ST_OK;
}

static const struct map_ops ops = {
	.scheme = "cache", .get = cache_get, .buried = cache_buried,
	.replace = cache_replace, .by_address = cache_by_address,
};

struct map *
mapcache_new(TALLOC_CTX *ctx, const struct conf *conf)
{
	struct map *map = must(talloc_zero(ctx, struct map));

	map->ops = &ops;
	map->conf = conf;
	map->handle = must(talloc_zero(map, struct cache));
	return map;
}
