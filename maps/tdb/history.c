/* SPDX-License-Identifier: ISC */
/*
 * history.c - a change and its entry in the history are one
 */
#include "maps/tdb/history.h"

#include <stdio.h>
#include <string.h>

#include "maps/backend.h"
#include "maps/change.h"
#include "maps/tdb/file.h"
#include "maps/tdb/values.h"

static void
history_key(char key[32], uint64_t seq)
{
	(void)snprintf(key, 32, "h:%016llx", (unsigned long long)seq);
}

/* The numbers of the last and of the first change that is kept. */
static enum status
fetch_range(struct tdb_context *tdb, uint64_t *last, uint64_t *first,
    struct err *err)
{
	unsigned long long l, f;
	char *text = NULL;
	enum status st;
	size_t len;

	*last = 0;
	*first = 1;
	st = tdbm_fetch(tdb, NULL, "m:seq", &text, &len, err);
	if (st != ST_OK)
		return st == ST_NONE ? ST_OK : st;
	if (sscanf(text, "%llu %llu", &l, &f) != 2)
		st = err_set(err, ST_NEVER, "tdb: m:seq is damaged");
	else {
		*last = l;
		*first = f;
	}
	talloc_free(text);
	return st;
}

static enum status
store_range(struct tdb_context *tdb, uint64_t last, uint64_t first,
    struct err *err)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%llu %llu",
	    (unsigned long long)last, (unsigned long long)first);

	return tdbm_store(tdb, "m:seq", text, (size_t)len, err);
}

/* An address is one user's; a refusal names the user who has it. */
static enum status
claim(struct tdb_context *tdb, TALLOC_CTX *ctx, const char *addr,
    const char *user, bool decided, struct err *err)
{
	char *key = tdbm_address_key(ctx, addr), *owner = NULL;
	enum status st;
	size_t len;

	st = tdbm_fetch(tdb, ctx, key, &owner, &len, err);
	if (st == ST_OK && !decided && strcmp(owner, user) != 0)
		return err_set(err, ST_NEVER, "%s: the address %s is %s's",
		    user, addr, owner);
	if (st != ST_OK && st != ST_NONE)
		return st;
	return tdbm_store(tdb, key, user, strlen(user), err);
}

/* Another user may have taken it over in the same import. */
static enum status
give_up(struct tdb_context *tdb, TALLOC_CTX *ctx, const char *addr,
    const char *user, struct err *err)
{
	char *key = tdbm_address_key(ctx, addr), *owner = NULL;
	enum status st;
	size_t len;

	st = tdbm_fetch(tdb, ctx, key, &owner, &len, err);
	if (st == ST_OK && strcmp(owner, user) == 0)
		st = tdbm_delete(tdb, key, err);
	return st == ST_NONE ? ST_OK : st;
}

static enum status
change_addresses(struct tdb_context *tdb, TALLOC_CTX *ctx,
    const struct record *was, const struct record *is, bool decided,
    struct err *err)
{
	enum status st = ST_OK;
	const char **a;

	for (a = was == NULL ? NULL : was->address; a != NULL && *a != NULL &&
	    st == ST_OK; a++)
		if (!record_has_address(is, *a))
			st = give_up(tdb, ctx, *a, was->user, err);
	for (a = is == NULL ? NULL : is->address; a != NULL && *a != NULL &&
	    st == ST_OK; a++)
		if (!record_has_address(was, *a))
			st = claim(tdb, ctx, *a, is->user, decided, err);
	return st;
}

static enum status
store_record(struct tdb_context *tdb, TALLOC_CTX *ctx, const char *user,
    const struct record *is, struct err *err)
{
	char *key = must(talloc_asprintf(ctx, "u:%s", user)), *text;

	if (is == NULL)
		return tdbm_delete(tdb, key, err);
	text = record_format(ctx, is);
	if (strlen(text) > RECORD_TEXT_MAX)
		return err_set(err, ST_NEVER, "the record of %s is too long",
		    user);
	return tdbm_store(tdb, key, text, strlen(text), err);
}

static enum status
store_change(struct tdb_context *tdb, TALLOC_CTX *ctx, struct change *ch,
    struct card *card, struct err *err)
{
	uint64_t last, first;
	enum status st;
	char key[32], *text;
	size_t len;

	st = fetch_range(tdb, &last, &first, err);
	if (st != ST_OK)
		return st;
	ch->seq = last + 1;
	text = change_format(ctx, ch, card->seq, &len);
	card->seq = ch->seq;
	history_key(key, ch->seq);
	st = tdbm_store(tdb, key, text, len, err);
	if (st == ST_OK)
		st = store_range(tdb, ch->seq, first, err);
	return st == ST_OK ? tdbm_store_card(tdb, ch->user, card, err) : st;
}

enum status
tdbm_history_apply(struct tdb_context *tdb, TALLOC_CTX *ctx, const char *user,
    uint64_t was_version, const struct record *is, const struct change_by *by,
    bool decided, struct change *ch, struct err *err)
{
	struct record *was = NULL;
	struct card card;
	enum status st;

	st = tdbm_fetch_record(tdb, NULL, ctx, user, &was, err);
	if (st == ST_OK || st == ST_NONE)
		st = tdbm_fetch_card(tdb, user, &card, err);
	if (st != ST_OK)
		return st;
	if ((was == NULL ? 0 : was->version) != was_version)
		return err_set(err, ST_AGAIN, "somebody else changed the "
		    "record of %s (it is in version %llu now)", user,
		    (unsigned long long)(was == NULL ? 0 : was->version));
	if (is != NULL)
		is = change_finish(ctx, is, card.version, by);
	card.live = is != NULL;
	card.version = is != NULL ? is->version : card.version + 1;
	*ch = (struct change){ 0, must(talloc_strdup(ctx, user)), *by, was, is,
	    decided };
	st = change_addresses(tdb, ctx, was, is, decided, err);
	if (st == ST_OK)
		st = store_record(tdb, ctx, user, is, err);
	return st == ST_OK ? store_change(tdb, ctx, ch, &card, err) : st;
}

static enum status
fetch_change(struct tdb_context *tdb, TALLOC_CTX *ctx, uint64_t seq,
    struct change *ch, uint64_t *prev, struct err *err)
{
	char key[32], *text = NULL;
	enum status st;
	size_t len;

	history_key(key, seq);
	st = tdbm_fetch(tdb, ctx, key, &text, &len, err);
	return st == ST_OK ? change_parse(ctx, text, len, ch, prev, err) : st;
}

enum status
tdbm_history_prune(struct map *map, int most, struct err *err)
{
	struct tdbmap *tm = map->handle;
	time_t oldest = time(NULL) - (time_t)map->conf->history_days * 86400;
	uint64_t last = 0, first = 0, from;
	struct change ch;
	enum status st;
	TALLOC_CTX *ctx;
	char key[32];

	st = tdbm_check_size(tm, err);
	if (st == ST_OK)
		st = fetch_range(tm->tdb, &last, &first, err);
	from = first;
	while (st == ST_OK && most-- > 0 && first < last) {
		ctx = must(talloc_new(NULL));
		st = fetch_change(tm->tdb, ctx, first, &ch, NULL, err);
		if (st == ST_OK && ch.by.at >= oldest)
			most = 0;
		else if (st == ST_OK || st == ST_NONE) {
			history_key(key, first++);
			st = tdbm_delete(tm->tdb, key, err);
		}
		talloc_free(ctx);
	}
	return st == ST_OK && first != from ?
	    store_range(tm->tdb, last, first, err) : st;
}

enum status
tdbm_history(struct map *map, const char *user, int limit, map_change_fn *fn,
    void *arg, struct err *err)
{
	struct tdbmap *tm = map->handle;
	uint64_t seq = 0, first = 0, prev;
	struct change ch;
	struct card card;
	enum status st;
	TALLOC_CTX *ctx;

	st = tdbm_check_size(tm, err);
	if (st == ST_OK)
		st = fetch_range(tm->tdb, &seq, &first, err);
	if (st == ST_OK && user != NULL) {
		st = tdbm_fetch_card(tm->tdb, user, &card, err);
		seq = card.seq;
	}
	while (st == ST_OK && limit-- > 0 && seq >= first && seq != 0) {
		ctx = must(talloc_new(NULL));
		st = fetch_change(tm->tdb, ctx, seq, &ch, &prev, err);
		if (st == ST_OK)
			st = fn(&ch, arg, err);
		seq = user != NULL ? prev : seq - 1;
		talloc_free(ctx);
	}
	return st == ST_NONE ? ST_OK : st;
}
