/* SPDX-License-Identifier: ISC */
/*
 * history.c - the numbers of changes, and a copy of each
 */
#include "maps/ldap/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maps/backend.h"
#include "maps/change.h"
#include "maps/ldap/attrs.h"

#define WINDOW	200			/* numbers in the first search */
#define PRUNED	32			/* entries at a time */

static const char *const attrs[] = { "mailferrySequence", "mailferryChange",
	NULL };

enum status
ldapm_sequence(struct ldapmap *lm, unsigned n, uint64_t *last,
    struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct ldapmods m = { .ctx = ctx };
	enum status st;

	ldapm_mod_number(&m, LDAP_MOD_INCREMENT, "mailferrySequence", n);
	st = ldapm_modify(lm, lm->conf->map_entry, &m, NULL,
	    "mailferrySequence", last, err);
	talloc_free(ctx);
	if (st == ST_NONE)
		return err_set(err, ST_AGAIN, "%s: there is no such entry",
		    lm->conf->map_entry);
	if (st == ST_OK)
		ldapm_saw(lm, *last);
	return st;
}

enum status
ldapm_last(struct ldapmap *lm, uint64_t *last, struct err *err)
{
	static const char *const seq[] = { "mailferrySequence", NULL };
	LDAPMessage *res, *e;
	enum status st;

	st = ldapm_search(lm, lm->conf->map_entry, LDAP_SCOPE_BASE,
	    "(objectClass=*)", seq, 0, &res, err);
	if (st == ST_NONE)
		return err_set(err, ST_AGAIN, "%s: there is no such entry",
		    lm->conf->map_entry);
	if (st != ST_OK)
		return st;
	e = ldap_first_entry(lm->ld, res);
	*last = e == NULL ? 0 : ldapm_number(lm->ld, e, "mailferrySequence");
	(void)ldap_msgfree(res);
	ldapm_saw(lm, *last);
	return ST_OK;
}

static enum status
add(struct ldapmap *lm, TALLOC_CTX *ctx, uint64_t seq, const char *user,
    const char *text, struct err *err)
{
	struct ldapmods m = { .ctx = ctx };
	struct change ch;
	enum status st;
	char rdn[64];

	st = change_parse(ctx, text, strlen(text), &ch, NULL, err);
	if (st != ST_OK)
		return st;
	(void)snprintf(rdn, sizeof(rdn), "mailferrySequence=%llu",
	    (unsigned long long)seq);
	ldapm_mod(&m, LDAP_MOD_ADD, "objectClass", "mailferryHistory");
	ldapm_mod_number(&m, LDAP_MOD_ADD, "mailferrySequence", seq);
	ldapm_mod(&m, LDAP_MOD_ADD, "mailferryChanged", user);
	ldapm_mod_number(&m, LDAP_MOD_ADD, "mailferryAt", (uint64_t)ch.by.at);
	ldapm_mod(&m, LDAP_MOD_ADD, "mailferryChange", text);
	st = ldapm_add(lm, ldapconf_below(ctx, lm->conf, rdn, "history"), &m,
	    err);
	return st == ST_NONE ? ST_OK : st;
}

enum status
ldapm_history_add(struct ldapmap *lm, uint64_t seq, const char *user,
    const char *change, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	enum status st = add(lm, ctx, seq, user, change, err);

	talloc_free(ctx);
	return st;
}

struct found {
	uint64_t	 seq;
	char		*text;
	size_t		 len;
};

static int
latest_first(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->seq < y->seq ? 1 : x->seq > y->seq ? -1 : 0;
}

static struct found *
collect(struct ldapmap *lm, TALLOC_CTX *ctx, LDAPMessage *res, unsigned *n)
{
	int all = ldap_count_entries(lm->ld, res);
	struct found *list = must(talloc_zero_array(ctx, struct found,
	    all < 1 ? 1 : (unsigned)all));
	LDAPMessage *e;

	for (*n = 0, e = ldap_first_entry(lm->ld, res); e != NULL;
	    e = ldap_next_entry(lm->ld, e)) {
		list[*n].seq = ldapm_number(lm->ld, e, "mailferrySequence");
		list[*n].text = ldapm_value(list, lm->ld, e, "mailferryChange",
		    &list[*n].len);
		if (list[*n].text != NULL)
			++*n;
	}
	qsort(list, *n, sizeof(list[0]), latest_first);
	return list;
}

/* Pass up to *limit changes that a filter finds to fn. */
static enum status
give(struct ldapmap *lm, const char *filter, int *limit, map_change_fn *fn,
    void *arg, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct change ch;
	struct found *list;
	LDAPMessage *res;
	enum status st;
	unsigned n, i;

	st = ldapm_search(lm, ldapconf_below(ctx, lm->conf, NULL, "history"),
	    LDAP_SCOPE_ONELEVEL, filter, attrs, 0, &res, err);
	if (st != ST_OK) {
		talloc_free(ctx);
		return st == ST_NONE ? ST_OK : st;
	}
	list = collect(lm, ctx, res, &n);
	(void)ldap_msgfree(res);
	for (i = 0; i < n && st == ST_OK && *limit > 0; i++, --*limit) {
		st = change_parse(list, list[i].text, list[i].len, &ch, NULL,
		    err);
		if (st == ST_OK)
			st = fn(&ch, arg, err);
	}
	talloc_free(ctx);
	return st;
}

static enum status
history_of(struct ldapmap *lm, const char *user, int limit, map_change_fn *fn,
    void *arg, struct err *err)
{
	char *escaped = ldapm_escape(NULL, user), *filter;
	enum status st;

	filter = must(talloc_asprintf(escaped, "(mailferryChanged=%s)",
	    escaped));
	st = give(lm, filter, &limit, fn, arg, err);
	talloc_free(escaped);
	return st;
}

enum status
ldapm_history(struct map *map, const char *user, int limit, map_change_fn *fn,
    void *arg, struct err *err)
{
	struct ldapmap *lm = map->handle;
	uint64_t last = 0, from, window = WINDOW;
	char filter[128];
	enum status st;
	int before;

	if (user != NULL)
		st = history_of(lm, user, limit, fn, arg, err);
	else
		st = ldapm_last(lm, &last, err);
	while (user == NULL && st == ST_OK && limit > 0 && last > 0) {
		from = last > window ? last - window + 1 : 1;
		(void)snprintf(filter, sizeof(filter),
		    "(&(mailferrySequence>=%llu)(mailferrySequence<=%llu))",
		    (unsigned long long)from, (unsigned long long)last);
		before = limit;
		st = give(lm, filter, &limit, fn, arg, err);
		last = from - 1;
		if (limit == before)	/* all of them were removed */
			window *= 8;
	}
	return st == ST_NONE ? ST_OK : st;
}

enum status
ldapm_prune(struct map *map, struct err *err)
{
	static const char *const none[] = { LDAP_NO_ATTRS, NULL };
	struct ldapmap *lm = map->handle;
	long long oldest = (long long)time(NULL) -
	    (long long)map->conf->history_days * 86400;
	char *base = ldapconf_below(NULL, lm->conf, NULL, "history"), *dn;
	LDAPMessage *res, *e;
	char filter[64];
	enum status st;
	int n = 0;

	(void)snprintf(filter, sizeof(filter), "(mailferryAt<=%lld)", oldest);
	st = ldapm_search(lm, base, LDAP_SCOPE_ONELEVEL, filter, none, PRUNED,
	    &res, err);
	talloc_free(base);
	if (st != ST_OK)
		return st;
	for (e = ldap_first_entry(lm->ld, res); e != NULL && lm->ld != NULL;
	    e = ldap_next_entry(lm->ld, e)) {
		dn = ldap_get_dn(lm->ld, e);
		st = ldapm_delete(lm, dn, NULL, err);
		ldap_memfree(dn);
		if (st != ST_OK && st != ST_NONE)
			break;
		n++;
	}
	(void)ldap_msgfree(res);
	return st == ST_OK || st == ST_NONE ? n > 0 ? ST_OK : ST_NONE : st;
}
