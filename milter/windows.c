/* SPDX-License-Identifier: ISC */
/*
 * windows.c - the users who have a window, planned or open
 */
#include "milter/windows.h"

#include <pthread.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "maps/address.h"

#define BUCKETS	4096u

struct entry;

struct name {			/* a user's name or address */
	struct name	*next;
	struct entry	*of;
	char		*text;
};

struct entry {
	struct entry	*next;	/* of this user's bucket */
	char		*user;
	struct name	*names;	/* array, its children hang under the entry */
	size_t		 n;
};

struct windows {
	pthread_rwlock_t lock;
	bool		 complete;
	struct entry	*entry[BUCKETS];
	struct name	*name[BUCKETS];
};

static int
windows_destroy(struct windows *w)
{
	(void)pthread_rwlock_destroy(&w->lock);
	return 0;
}

struct windows *
windows_new(TALLOC_CTX *ctx)
{
	struct windows *w = must(talloc_zero(ctx, struct windows));

	(void)pthread_rwlock_init(&w->lock, NULL);
	talloc_set_destructor(w, windows_destroy);
	return w;
}

static unsigned
bucket(const char *text)
{
	return (unsigned)(XXH3_64bits(text, strlen(text)) % BUCKETS);
}

static void
unlink_name(struct windows *w, const struct name *gone)
{
	struct name **p = &w->name[bucket(gone->text)];

	while (*p != gone)
		p = &(*p)->next;
	*p = gone->next;
}

static void
drop(struct windows *w, const char *user)
{
	struct entry **p = &w->entry[bucket(user)], *e;
	size_t i;

	while (*p != NULL && strcmp((*p)->user, user) != 0)
		p = &(*p)->next;
	if (*p == NULL)
		return;
	e = *p;
	for (i = 0; i < e->n; i++)
		unlink_name(w, &e->names[i]);
	*p = e->next;
	talloc_free(e);
}

/* The name is folded, like the addresses it is compared with. */
static void
add_name(struct windows *w, struct entry *e, const char *text)
{
	struct name *n = &e->names[e->n++];
	unsigned b;

	n->text = must(talloc_strdup(e, text));
	record_fold_address(n->text);
	n->of = e;
	b = bucket(n->text);
	n->next = w->name[b];
	w->name[b] = n;
}

static void
add(struct windows *w, const struct record *rec)
{
	struct entry *e = must(talloc_zero(w, struct entry));
	unsigned b = bucket(rec->user);
	size_t i, n = 0;

	while (rec->address[n] != NULL)
		n++;
	e->user = must(talloc_strdup(e, rec->user));
	e->names = must(talloc_zero_array(e, struct name, (unsigned)n + 1));
	add_name(w, e, rec->user);
	for (i = 0; i < n; i++)
		add_name(w, e, rec->address[i]);
	e->next = w->entry[b];
	w->entry[b] = e;
}

void
windows_put(struct windows *w, const struct record *rec, time_t now)
{
	(void)pthread_rwlock_wrlock(&w->lock);
	drop(w, rec->user);
	/* A window that has ended has no effect (see route()); the clocks of
	 * two hosts differ by minutes at most. */
	if (rec->state == STATE_CUTOVER || rec->end > now - 3600)
		add(w, rec);
	(void)pthread_rwlock_unlock(&w->lock);
}

void
windows_drop(struct windows *w, const char *user)
{
	(void)pthread_rwlock_wrlock(&w->lock);
	drop(w, user);
	(void)pthread_rwlock_unlock(&w->lock);
}

/* Entries of an incomplete table may be wrong: they are dropped. */
void
windows_complete(struct windows *w, bool yes)
{
	unsigned b;

	(void)pthread_rwlock_wrlock(&w->lock);
	w->complete = yes;
	for (b = 0; !yes && b < BUCKETS; b++)
		while (w->entry[b] != NULL)
			drop(w, w->entry[b]->user);
	(void)pthread_rwlock_unlock(&w->lock);
}

static bool
known(const struct windows *w, const char *text)
{
	const struct name *n;

	if (text == NULL)
		return false;
	for (n = w->name[bucket(text)]; n != NULL; n = n->next)
		if (strcmp(n->text, text) == 0)
			return true;
	return false;
}

bool
windows_none(struct windows *w, const struct conf *conf, const char *address,
    size_t len, bool local)
{
	TALLOC_CTX *ctx = must(talloc_pool(NULL, 1024));
	struct address addr;
	bool none;

	if (!address_parse(ctx, conf, address, len, local, &addr)) {
		talloc_free(ctx);
		return true;		/* not an address of any user */
	}
	(void)pthread_rwlock_rdlock(&w->lock);
	none = w->complete && !known(w, addr.full) && !known(w, addr.plain) &&
	    !known(w, addr.user);
	(void)pthread_rwlock_unlock(&w->lock);
	talloc_free(ctx);
	return none;
}
