/* SPDX-License-Identifier: ISC */
/*
 * import.c - many changes at once in a directory that has no transactions
 *
 * Each record of the import is staged on its own entry: in mailferryStaged,
 * under an assertion on the version that it replaces, and with the import's ID
 * in mailferryImport, which makes any other compare-and-swap of that record
 * fail.  The import has an entry of its own (maps/ldap/run.h); one modify of
 * that, from `open` to `decided`, commits it: that is the moment of all or
 * nothing.  After that a process that reads a staged record applies it first,
 * on any host, and the others are applied in batches.  A process that changes a
 * staged record first sets the import from `open` to `broken`: of that and the
 * commit one succeeds.
 *
 * Of two imports one begins: the map's entry has one place, mailferryImport.
 */
#include "maps/ldap/import.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "maps/backend.h"
#include "maps/base/clock.h"
#include "maps/ldap/attrs.h"
#include "maps/ldap/change.h"
#include "maps/ldap/entry.h"
#include "maps/ldap/history.h"
#include "maps/ldap/ldif.h"
#include "maps/ldap/run.h"
#include "maps/ldap/stage.h"

#define BATCH		64		/* entries */
#define COMMIT_MS	1000		/* of work in one commit */

enum status
ldapm_import_break(struct ldapmap *lm, const char *id, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	enum status st;

	st = ldapm_run_set(lm, ctx, id, "open", "broken", 0, err);
	talloc_free(ctx);
	/*
	 * ST_NONE: it is broken or over; had it been committed, the record
	 * would be of another version by now.
	 */
	return st == ST_NONE ? ST_OK : st;
}

enum status
ldapm_import_stands(struct ldapmap *lm, TALLOC_CTX *ctx,
    const struct ldapentry *ent, const char *user, struct record **is,
    struct err *err)
{
	struct change_by by;
	struct ldaprun run;
	enum status st;

	st = ldapm_run_read(lm, ctx, ent->import, &run, err);
	if (st == ST_OK && !ldapm_run_is(&run, "decided"))
		st = ST_NONE;
	return st == ST_OK ? ldapm_staged_parse(ctx, ent, user, is, &by, err) :
	    st;
}

static void
report(struct map *map, const struct change *ch)
{
	struct err err;

	if (map->changed != NULL)
		(void)!map->changed(ch, map->changed_arg, &err);
}

/* Apply one record of a committed import.  ST_NONE: it was applied. */
static enum status
apply(struct map *map, TALLOC_CTX *ctx, struct ldapentry *ent, const char *user,
    uint64_t seq, struct err *err)
{
	struct ldapmap *lm = map->handle;
	struct record *is = NULL;
	struct change_by by;
	struct change ch;
	enum status st;

	st = ldapm_staged_parse(ctx, ent, user, &is, &by, err);
	if (st == ST_OK)
		st = ldapm_change(lm, ctx, ent, user, is, &by, seq, true, &ch,
		    err);
	if (st == ST_OK)
		report(map, &ch);
	return st;
}

enum status
ldapm_import_finish_user(struct map *map, TALLOC_CTX *ctx,
    struct ldapentry *ent, const char *user, struct err *err)
{
	struct ldapmap *lm = map->handle;
	struct ldaprun run;
	uint64_t seq = 0;
	enum status st;
	struct err raced;

	st = ldapm_run_read(lm, ctx, ent->import, &run, err);
	if (st == ST_OK && !ldapm_run_is(&run, "decided"))
		st = ST_NONE;
	if (st == ST_OK)
		st = ldapm_sequence(lm, 1, &seq, err);
	if (st != ST_OK)
		return st;
	/* Applied here or by another process: the caller reads it again. */
	st = apply(map, ctx, ent, user, seq, &raced);
	if (st == ST_NEVER)
		*err = raced;
	return st == ST_NEVER ? st : ST_OK;
}

/* Up to BATCH entries that are staged for an import. */
static enum status
staged_batch(struct ldapmap *lm, TALLOC_CTX *ctx, const char *id,
    struct ldapentry *ent, char **user, unsigned *n, struct err *err)
{
	char *filter = must(talloc_asprintf(ctx,
	    "(&(objectClass=mailferryRecord)(mailferryImport=%s))",
	    ldapm_escape(ctx, id)));
	LDAPMessage *res, *e;
	enum status st;

	*n = 0;
	st = ldapm_search(lm, lm->conf->base, LDAP_SCOPE_SUBTREE, filter,
	    ldapm_entry_attrs, BATCH, &res, err);
	if (st != ST_OK)
		return st;
	for (e = ldap_first_entry(lm->ld, res); e != NULL && st == ST_OK &&
	    *n < BATCH; e = ldap_next_entry(lm->ld, e)) {
		user[*n] = ldapm_value(ctx, lm->ld, e, "mailferryUser", NULL);
		st = ldapm_entry_read(lm, ctx, e, NULL, &ent[*n], err);
		++*n;
	}
	(void)ldap_msgfree(res);
	return st;
}

/* Take a batch of a broken import off its entries.  ST_NONE: none is left. */
static enum status
unstage_batch(struct ldapmap *lm, const char *id, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct ldapentry ent[BATCH];
	char *user[BATCH];
	enum status st;
	unsigned n = 0, i;

	st = staged_batch(lm, ctx, id, ent, user, &n, err);
	for (i = 0; i < n && (st == ST_OK || st == ST_NONE); i++)
		st = ldapm_unstage(lm, ctx, &ent[i], err);
	if ((st == ST_OK || st == ST_NONE) && n == 0) {
		st = ldapm_run_set(lm, ctx, id, "broken", "gone", 0, err);
		if (st == ST_OK || st == ST_NONE)
			st = ldapm_run_take_place(lm, ctx, id, NULL, err);
		if (st == ST_OK)
			st = ST_NONE;
	} else if (st == ST_NONE)
		st = ST_OK;
	talloc_free(ctx);
	return st;
}

/* Apply a batch of a committed import.  ST_NONE: all was applied. */
static enum status
apply_batch(struct map *map, const char *id, struct err *err)
{
	struct ldapmap *lm = map->handle;
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct ldapentry ent[BATCH];
	struct ldapmods m = { .ctx = ctx };
	char *user[BATCH];
	uint64_t seq = 0, left;
	enum status st;
	unsigned n = 0, i, done = 0;

	st = staged_batch(lm, ctx, id, ent, user, &n, err);
	if (st == ST_OK && n > 0)
		st = ldapm_sequence(lm, n, &seq, err);
	for (i = 0; i < n && st == ST_OK; i++) {
		st = apply(map, ctx, &ent[i], user[i], seq - n + 1 + i, err);
		done += st == ST_OK;
		if (st == ST_AGAIN && lm->ld != NULL)	/* others apply, too */
			st = ST_OK;
	}
	if (st == ST_OK && n == 0) {
		st = ldapm_run_set(lm, ctx, id, "decided", "done", 0, err);
		if (st == ST_OK || st == ST_NONE)
			st = ldapm_run_take_place(lm, ctx, id, NULL, err);
		if (st == ST_OK)
			st = ST_NONE;
	} else if (st == ST_OK && done > 0) {
		ldapm_mod(&m, LDAP_MOD_INCREMENT, "mailferryLeft",
		    must(talloc_asprintf(ctx, "-%u", done)));
		st = ldapm_modify(lm, ldapm_run_dn(ctx, lm, id), &m,
		    "(mailferryState=decided)", "mailferryLeft", &left, err);
		if (st == ST_NONE)
			st = ST_OK;
	}
	talloc_free(ctx);
	return st;
}

enum status
ldapm_import_batch(struct map *map, struct err *err)
{
	struct ldapmap *lm = map->handle;
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	char *id = NULL;
	struct ldaprun run;
	enum status st;

	st = ldapm_run_in_place(lm, ctx, &id, err);
	if (st == ST_OK)
		st = ldapm_run_read(lm, ctx, id, &run, err);
	if (st == ST_OK) {
		if (ldapm_run_is(&run, "decided"))
			st = apply_batch(map, id, err);
		else if (ldapm_run_is(&run, "broken"))
			st = unstage_batch(lm, id, err);
		else if (ldapm_run_over(&run))
			st = ldapm_run_take_place(lm, ctx, id, NULL, err);
		else
			st = ST_NONE;
	}
	talloc_free(ctx);
	return st;
}

/* End the import that has the place, if it is over or was given up. */
static enum status
make_room(struct ldapmap *lm, TALLOC_CTX *ctx, struct err *err)
{
	char *id = NULL;
	struct ldaprun run;
	enum status st;

	st = ldapm_run_in_place(lm, ctx, &id, err);
	if (st != ST_OK)
		return st == ST_NONE ? ST_OK : st;
	st = ldapm_run_read(lm, ctx, id, &run, err);
	if (st == ST_NONE || (st == ST_OK && ldapm_run_over(&run))) {
		st = ldapm_run_take_place(lm, ctx, id, NULL, err);
		return st == ST_NONE ? ST_OK : st;
	}
	if (st != ST_OK)
		return st;
	if (ldapm_run_is(&run, "decided"))
		return err_set(err, ST_AGAIN,
		    "an import is being written: once more in a few seconds");
	if (ldapm_run_is(&run, "open") && run.at + IMPORT_IDLE > time(NULL))
		return err_set(err, ST_AGAIN, "another import is under way");
	if (ldapm_run_is(&run, "open")) {
		st = ldapm_run_set(lm, ctx, id, "open", "broken", 0, err);
		if (st != ST_OK)
			return st == ST_NONE ? ST_OK : st;
	}
	do
		st = unstage_batch(lm, id, err);
	while (st == ST_OK);
	return st == ST_NONE ? ST_OK : st;
}

enum status
ldapm_import_begin(struct map *map, TALLOC_CTX *ctx, char **out,
    struct err *err)
{
	struct ldapmap *lm = map->handle;
	TALLOC_CTX *mine = must(talloc_new(NULL));
	struct ldapmods m = { .ctx = mine };
	char host[HOST_NAME_MAX + 1] = "", *id;
	enum status st;

	(void)gethostname(host, sizeof(host) - 1);
	id = must(talloc_asprintf(mine, "%s.%lld.%lld.%ld", host,
	    (long long)time(NULL), clock_ms(), (long)getpid()));
	ldapm_mod(&m, LDAP_MOD_ADD, "objectClass", "mailferryImportRun");
	ldapm_mod(&m, LDAP_MOD_ADD, "cn", id);
	ldapm_mod(&m, LDAP_MOD_ADD, "mailferryState", "open");
	ldapm_mod_number(&m, LDAP_MOD_ADD, "mailferryAt", (uint64_t)time(NULL));
	st = make_room(lm, mine, err);
	if (st == ST_OK)
		st = ldapm_add(lm, ldapm_run_dn(mine, lm, id), &m, err);
	if (st == ST_OK)
		st = ldapm_run_take_place(lm, mine, NULL, id, err);
	if (st == ST_NONE)
		st = err_set(err, ST_AGAIN, "another import is under way");
	if (st == ST_OK)
		*out = must(talloc_strdup(ctx, id));
	talloc_free(mine);
	return st;
}

/* Each address that another user has must be given up in this import. */
static enum status
check_taken(struct ldapmap *lm, TALLOC_CTX *ctx, const char *id,
    const struct ldaprun *run, struct err *err)
{
	struct ldapentry ent;
	struct change_by by;
	struct record *is;
	char **a, *owner = NULL;
	enum status st;

	for (a = run->taken; *a != NULL; a++) {
		st = ldapm_claim_owner(lm, ctx, *a, &owner, err);
		if (st == ST_OK)
			st = ldapm_entry(lm, ctx, owner, false, &ent, err);
		if (st == ST_NONE)
			continue;
		if (st != ST_OK)
			return st;
		if (ent.import == NULL || strcmp(ent.import, id) != 0)
			is = ent.rec;
		else if ((st = ldapm_staged_parse(ctx, &ent, owner, &is, &by,
		    err)) != ST_OK)
			return st;
		if (record_has_address(is, *a))
			return err_set(err, ST_NEVER, "the address %s is %s's",
			    *a, owner);
	}
	return ST_OK;
}

static enum status
count_staged(struct ldapmap *lm, TALLOC_CTX *ctx, const char *id,
    uint64_t *n, struct err *err)
{
	static const char *const none[] = { LDAP_NO_ATTRS, NULL };
	char *filter = must(talloc_asprintf(ctx,
	    "(&(objectClass=mailferryRecord)(mailferryImport=%s))",
	    ldapm_escape(ctx, id)));
	LDAPMessage *res;
	enum status st;

	st = ldapm_search(lm, lm->conf->base, LDAP_SCOPE_SUBTREE, filter, none,
	    0, &res, err);
	if (st == ST_OK)
		*n = (uint64_t)ldap_count_entries(lm->ld, res);
	(void)ldap_msgfree(res);
	return st;
}

static enum status
decide(struct ldapmap *lm, TALLOC_CTX *ctx, const char *id,
    const struct ldaprun *run, uint64_t *left, struct err *err)
{
	struct err other;
	enum status st;

	st = check_taken(lm, ctx, id, run, err);
	if (st == ST_OK)
		st = count_staged(lm, ctx, id, left, err);
	if (st == ST_OK)
		st = ldapm_run_set(lm, ctx, id, "open", "decided", *left, err);
	if (st == ST_NONE)
		return err_set(err, ST_AGAIN, "one of the records was changed "
		    "meanwhile: nothing was imported, try again");
	if (st != ST_OK && !lm->unsure)
		(void)!ldapm_run_set(lm, ctx, id, "open", "broken", 0, &other);
	return st;
}

/* Repeated after the import was committed it goes on with the work. */
static enum status
commit(struct map *map, TALLOC_CTX *ctx, const char *id, uint64_t *left,
    struct err *err)
{
	struct ldapmap *lm = map->handle;
	long long end = clock_ms() + COMMIT_MS;
	struct ldaprun run;
	enum status st;

	st = ldapm_run_read(lm, ctx, id, &run, err);
	if (st == ST_NONE || (st == ST_OK && (ldapm_run_is(&run, "broken") ||
	    ldapm_run_is(&run, "gone"))))
		return err_set(err, ST_AGAIN, "the import was given up (it "
		    "paused for %d seconds, or one of its records was changed "
		    "meanwhile): nothing of it was done", IMPORT_IDLE);
	if (st != ST_OK)
		return st;
	*left = 0;
	if (ldapm_run_is(&run, "done"))
		return ST_OK;
	if (ldapm_run_is(&run, "open"))
		return decide(lm, ctx, id, &run, left, err);
	do
		st = apply_batch(map, id, err);
	while (st == ST_OK && clock_ms() < end);
	if (st == ST_OK)
		st = ldapm_run_read(lm, ctx, id, &run, err);
	if (st == ST_OK)		/* never 0 while some are left */
		*left = run.left == 0 ? 1 : run.left;
	return st == ST_NONE ? ST_OK : st;
}

enum status
ldapm_import_commit(struct map *map, const char *id, uint64_t *left,
    struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	enum status st = commit(map, ctx, id, left, err);

	talloc_free(ctx);
	return st;
}

enum status
ldapm_import_abort(struct map *map, const char *id, struct err *err)
{
	struct ldapmap *lm = map->handle;
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	enum status st;

	st = ldapm_run_set(lm, ctx, id, "open", "broken", 0, err);
	if (st == ST_OK)
		do
			st = unstage_batch(lm, id, err);
		while (st == ST_OK);
	talloc_free(ctx);
	return st == ST_NONE ? ST_OK : st;
}
