/* SPDX-License-Identifier: ISC */
/*
 * backend.c - the map in a directory, for many hosts
 */
#include "maps/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "maps/base/clock.h"
#include "maps/base/log.h"
#include "maps/ldap/attrs.h"
#include "maps/ldap/change.h"
#include "maps/ldap/conf.h"
#include "maps/ldap/conn.h"
#include "maps/ldap/entry.h"
#include "maps/ldap/history.h"
#include "maps/ldap/import.h"
#include "maps/ldap/ldif.h"
#include "maps/ldap/stage.h"
#include "maps/ldap/sync.h"

#define IMPORTS_MET	3		/* applied by one look-up */
#define SHELVES_MAX	128		/* read in one call of each */
#define PRUNE_EACH	60000		/* ms */
#define BATCH_EACH	2000		/* ms, while there is no import */

static void
ldap_close_map(struct map *map)
{
	struct ldapmap *lm = map->handle;

	if (lm == NULL)
		return;
	ldapm_disconnect(lm);
	(void)munmap(lm->shared, sizeof(*lm->shared));
	talloc_free(lm);
	map->handle = NULL;
}

/*
 * slapd is not asked here: while it is down mapd starts, and answers "later".
 */
static enum status
ldap_open_map(struct map *map, const char *arg, int flags, struct err *err)
{
	struct ldapmap *lm = must(talloc_zero(map, struct ldapmap));
	enum status st;

	st = ldapconf_load(lm, arg, &lm->conf, err);
	if (st != ST_OK) {
		talloc_free(lm);
		return st;
	}
	lm->create = (flags & MAP_CREATE) != 0;
	lm->shared = mmap(NULL, sizeof(*lm->shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (lm->shared == MAP_FAILED) {
		talloc_free(lm);
		return err_sys(err, "shared memory");
	}
	atomic_store(&lm->shared->trying, -1);
	map->handle = lm;
	return ST_OK;
}

/* Read the file anew; where it is wrong the former configuration stays. */
static void
ldap_forked(struct map *map)
{
	struct ldapmap *lm = map->handle;
	struct ldapconf *conf = NULL;
	struct err err;

	if (ldapconf_load(lm, lm->conf->path, &conf, &err) == ST_OK)
		lm->conf = conf;
	else
		log_why(LOG_ERR, "reload", err.text);
}

static int
ldap_patience(const struct map *map)
{
	const struct ldapmap *lm = map->handle;

	return lm->conf->patience;
}

static int
ldap_workers(const struct map *map)
{
	const struct ldapmap *lm = map->handle;

	return lm->conf->workers;
}

static int
ldap_lease(const struct map *map)
{
	const struct ldapmap *lm = map->handle;

	return lm->conf->lease;
}

/* The entry of a user, after every committed import was applied to it. */
static enum status
current_entry(struct map *map, TALLOC_CTX *ctx, const char *user, bool anew,
    struct ldapentry *ent, struct err *err)
{
	struct ldapmap *lm = map->handle;
	enum status st;
	int i;

	for (i = 0; i < IMPORTS_MET; i++) {
		st = ldapm_entry(lm, ctx, user, anew, ent, err);
		if (st != ST_OK || ent->import == NULL)
			return st;
		st = ldapm_import_finish_user(map, ctx, ent, user, err);
		if (st != ST_OK)
			return st == ST_NONE ? ST_OK : st;
	}
	return err_set(err, ST_AGAIN, "the record of %s keeps changing", user);
}

static enum status
ldap_get(struct map *map, TALLOC_CTX *ctx, const char *user,
    struct record **rec, struct err *err)
{
	TALLOC_CTX *mine = must(talloc_new(NULL));
	struct ldapentry ent;
	enum status st;

	st = current_entry(map, mine, user, false, &ent, err);
	if (st == ST_OK && ent.rec == NULL)
		st = ST_NONE;
	if (st == ST_OK)
		*rec = talloc_steal(ctx, ent.rec);
	talloc_free(mine);
	return st;
}

static enum status
ldap_buried(struct map *map, const char *user, uint64_t *version,
    struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct ldapentry ent;
	enum status st;

	st = ldapm_entry(map->handle, ctx, user, false, &ent, err);
	*version = st == ST_OK ? ent.version : 0;
	talloc_free(ctx);
	return st == ST_NONE ? ST_OK : st;
}

static enum status
replace(struct map *map, TALLOC_CTX *ctx, const char *user,
    const struct record *was, const struct record *is,
    const struct change_by *by, struct change *ch, struct err *err)
{
	struct ldapmap *lm = map->handle;
	struct ldapentry ent;
	uint64_t seq = 0;
	enum status st;

	st = current_entry(map, ctx, user, true, &ent, err);
	if (st != ST_OK)
		return st;
	if ((ent.rec == NULL ? 0 : ent.rec->version) !=
	    (was == NULL ? 0 : was->version))
		return err_set(err, ST_AGAIN, "somebody else changed the "
		    "record of %s (it is in version %llu now)", user,
		    (unsigned long long)(ent.rec == NULL ? 0 :
		    ent.rec->version));
	if (ent.import != NULL)
		st = ldapm_import_break(lm, ent.import, err);
	if (st == ST_OK)
		st = ldapm_sequence(lm, 1, &seq, err);
	return st == ST_OK ? ldapm_change(lm, ctx, &ent, user, is, by, seq,
	    false, ch, err) : st;
}

static enum status
ldap_replace(struct map *map, const struct record *was, const struct record *is,
    const struct change_by *by, uint64_t *version, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct change ch;
	enum status st;

	st = replace(map, ctx, is != NULL ? is->user : was->user, was, is, by,
	    &ch, err);
	if (st == ST_OK && version != NULL)
		*version = ch.is == NULL ? 0 : ch.is->version;
	if (st == ST_OK && map->changed != NULL)
		(void)map->changed(&ch, map->changed_arg, err);
	talloc_free(ctx);
	return st;
}

/* The users who have an address, now or by a staged import: a few at most. */
static enum status
users_of(struct ldapmap *lm, TALLOC_CTX *ctx, const char *addr, char ***users,
    struct err *err)
{
	static const char *const attrs[] = { "mailferryUser", NULL };
	char *a = ldapm_escape(ctx, addr), *filter;
	LDAPMessage *res, *e;
	enum status st;
	unsigned n = 0;

	filter = must(talloc_asprintf(ctx,
	    "(|(mailferryAddress=%s)(mailferryStagedAddress=%s))", a, a));
	st = ldapm_search(lm, lm->conf->base, LDAP_SCOPE_SUBTREE, filter, attrs,
	    0, &res, err);
	if (st != ST_OK)
		return st == ST_NONE ? err_set(err, ST_AGAIN,
		    "%s: there is no such entry", lm->conf->base) : st;
	*users = must(talloc_zero_array(ctx, char *,
	    (unsigned)ldap_count_entries(lm->ld, res) + 1));
	for (e = ldap_first_entry(lm->ld, res); e != NULL;
	    e = ldap_next_entry(lm->ld, e))
		if (((*users)[n] = ldapm_value(ctx, lm->ld, e, "mailferryUser",
		    NULL)) != NULL)
			n++;
	(void)ldap_msgfree(res);
	return ST_OK;
}

/*
 * Two users have it only while an import moves it from one to the other; the
 * user who keeps it then has the claim.
 */
static enum status
ldap_by_address(struct map *map, TALLOC_CTX *ctx, const char *addr, char **user,
    struct err *err)
{
	TALLOC_CTX *mine = must(talloc_new(NULL));
	char **users = NULL, *found = NULL, *owner = NULL;
	struct record *rec;
	enum status st;
	unsigned i, n = 0;

	if (!record_text_valid(addr, false)) {
		talloc_free(mine);
		return ST_NONE;
	}
	st = users_of(map->handle, mine, addr, &users, err);
	for (i = 0; st == ST_OK && users[i] != NULL; i++) {
		rec = NULL;
		st = ldap_get(map, mine, users[i], &rec, err);
		if (st == ST_OK && record_has_address(rec, addr)) {
			found = users[i];
			n++;
		}
		if (st == ST_NONE)
			st = ST_OK;
	}
	if (st == ST_OK && n > 1) {
		st = ldapm_claim_owner(map->handle, mine, addr, &owner, err);
		if (st == ST_OK)
			found = owner;
	}
	if (st == ST_OK && found == NULL)
		st = ST_NONE;
	if (st == ST_OK)
		*user = must(talloc_strdup(ctx, found));
	talloc_free(mine);
	return st;
}

/* The records of one shelf. */
struct shelf {
	struct ldapentry *ent;
	char		**user;
	unsigned	  n;
};

static enum status
read_shelf(struct map *map, TALLOC_CTX *ctx, unsigned number,
    struct shelf *shelf, struct err *err)
{
	struct ldapmap *lm = map->handle;
	LDAPMessage *res, *e;
	char filter[64];
	enum status st;
	unsigned all;

	(void)snprintf(filter, sizeof(filter), "(mailferryShelf=%u)", number);
	st = ldapm_search(lm, lm->conf->base, LDAP_SCOPE_SUBTREE, filter,
	    ldapm_entry_attrs, 0, &res, err);
	if (st != ST_OK)
		return st == ST_NONE ? err_set(err, ST_AGAIN,
		    "%s: there is no such entry", lm->conf->base) : st;
	all = (unsigned)ldap_count_entries(lm->ld, res);
	shelf->n = 0;
	shelf->ent = must(talloc_zero_array(ctx, struct ldapentry, all + 1));
	shelf->user = must(talloc_zero_array(ctx, char *, all + 1));
	for (e = ldap_first_entry(lm->ld, res); e != NULL && st == ST_OK;
	    e = ldap_next_entry(lm->ld, e)) {
		shelf->user[shelf->n] = ldapm_value(ctx, lm->ld, e,
		    "mailferryUser", NULL);
		st = ldapm_entry_read(lm, ctx, e, NULL, &shelf->ent[shelf->n],
		    err);
		shelf->n++;
	}
	(void)ldap_msgfree(res);
	return st;
}

/* The first user after `after` in the order of names; NULL: none. */
static struct ldapentry *
next_of(const struct shelf *shelf, const char *after, const char **user)
{
	struct ldapentry *best = NULL;
	unsigned i;

	for (i = 0; i < shelf->n; i++)
		if (strcmp(shelf->user[i], after) > 0 && (best == NULL ||
		    strcmp(shelf->user[i], *user) < 0)) {
			best = &shelf->ent[i];
			*user = shelf->user[i];
		}
	return best;
}

static enum status
each_of(struct map *map, TALLOC_CTX *ctx, const struct shelf *shelf,
    char **after, map_each_fn *fn, void *arg, struct err *err)
{
	struct record *rec;
	struct ldapentry *ent;
	const char *user = NULL;
	enum status st = ST_OK;

	while (st == ST_OK && (ent = next_of(shelf, *after, &user)) != NULL) {
		*after = must(talloc_strdup(ctx, user));
		rec = ent->rec;
		if (ent->import != NULL) {
			st = ldapm_import_stands(map->handle, ctx, ent, user,
			    &rec, err);
			if (st == ST_NONE)
				st = ST_OK;
		}
		if (st == ST_OK && rec != NULL && strcmp(user,
		    RECORD_DEFAULT) != 0)
			st = fn(rec, arg, err);
	}
	return st;
}

/* The cursor is `SHELF.USER`: another process, on any host, can use it. */
static enum status
ldap_each(struct map *map, TALLOC_CTX *ctx, char **cursor, map_each_fn *fn,
    void *arg, struct err *err)
{
	unsigned number = (unsigned)strtoul(*cursor, NULL, 10), end;
	const char *blank = strchr(*cursor, '.');
	char *start = must(talloc_strdup(NULL, blank == NULL ? "" : blank + 1));
	char *after = start;
	TALLOC_CTX *mine = start;
	struct shelf shelf = { NULL, NULL, 0 };
	enum status st = ST_OK;

	end = number + SHELVES_MAX;
	while (st == ST_OK && number < LDAP_SHELVES && number < end) {
		mine = must(talloc_new(start));
		st = read_shelf(map, mine, number, &shelf, err);
		if (st == ST_OK)
			st = each_of(map, start, &shelf, &after, fn, arg, err);
		talloc_free(mine);
		if (st == ST_OK) {
			number++;
			after = must(talloc_strdup(start, ""));
		}
	}
	if (st == ST_OK || st == ST_NONE) {
		talloc_free(*cursor);
		*cursor = must(number >= LDAP_SHELVES ? talloc_strdup(ctx, "") :
		    talloc_asprintf(ctx, "%u.%s", number, after));
	}
	talloc_free(start);
	return st == ST_NONE ? ST_OK : st;
}

/* A change whose copy is missing in the history is on the record's entry. */
static enum status
ldap_history(struct map *map, const char *user, int limit, map_change_fn *fn,
    void *arg, struct err *err)
{
	enum status st = user == NULL ? ST_OK :
	    ldapm_complete_history(map->handle, user, err);

	return st == ST_OK ? ldapm_history(map, user, limit, fn, arg, err) : st;
}

static enum status
ldap_watch(struct map *map, map_change_fn *fn, void *arg, struct err *err)
{
	(void)map;
	(void)fn;
	(void)arg;
	return err_set(err, ST_NEVER, "mailferry-mapd must run for that");
}

static enum status
ldap_tick(struct map *map, struct err *err)
{
	struct ldapmap *lm = map->handle;
	long long now = clock_ms();
	enum status st;

	if (now - lm->rolled >= BATCH_EACH) {
		st = ldapm_import_batch(map, err);
		if (st != ST_NONE)
			return st;
		lm->rolled = clock_ms();
	}
	if (now - lm->pruned < PRUNE_EACH)
		return ST_NONE;
	st = ldapm_prune(map, err);
	if (st != ST_OK)
		lm->pruned = clock_ms();
	return st;
}

const struct map_ops map_ldap = {
	.scheme = "ldap", .open = ldap_open_map, .close = ldap_close_map,
	.forked = ldap_forked, .patience = ldap_patience,
	.workers = ldap_workers, .follow = ldapm_follow, .lease = ldap_lease,
	.get = ldap_get, .buried = ldap_buried, .replace = ldap_replace,
	.each = ldap_each, .history = ldap_history, .watch = ldap_watch,
	.by_address = ldap_by_address, .tick = ldap_tick,
	.import_begin = ldapm_import_begin, .import_put = ldapm_import_put,
	.import_commit = ldapm_import_commit,
	.import_abort = ldapm_import_abort,
};
