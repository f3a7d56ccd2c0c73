/* SPDX-License-Identifier: ISC */
/*
 * entry.c - from an entry of the directory to a record, and back
 */
#include "maps/ldap/entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maps/ldap/attrs.h"
#include "maps/ldap/history.h"
#include "maps/ldap/ldif.h"

const char *const ldapm_entry_attrs[] = { "mailferryUser", "mailferryVersion",
	"mailferryState", "mailferryText", "mailferrySequence",
	"mailferryChange", "mailferryImport", "mailferryStaged", NULL };

static enum status
damaged(const struct ldapentry *ent, const char *what, struct err *err)
{
	return err_set(err, ST_NEVER, "%s: %s: somebody else changed it; see "
	    "mailferry-ldap(5)", ent->dn, what);
}

/* The attributes that are compared must have the values of the record. */
static enum status
check(const struct ldapentry *ent, struct err *err)
{
	if (ent->rec == NULL)
		return ST_OK;
	if (ent->rec->version != ent->version)
		return damaged(ent, "mailferryVersion is not that of "
		    "mailferryText", err);
	if (ent->state == NULL || strcmp(ent->state,
	    state_name(ent->rec->state)) != 0)
		return damaged(ent,
		    "mailferryState is not that of mailferryText", err);
	return ST_OK;
}

enum status
ldapm_entry_read(struct ldapmap *lm, TALLOC_CTX *ctx, LDAPMessage *e,
    const char *user, struct ldapentry *ent, struct err *err)
{
	char *text, *name;
	enum status st = ST_OK;
	size_t len;

	memset(ent, 0, sizeof(*ent));
	ent->dn = ldapm_dn(ctx, lm->ld, e);
	name = ldapm_value(ctx, lm->ld, e, "mailferryUser", &len);
	if (name == NULL || strlen(name) != len || (user != NULL &&
	    strcmp(user, name) != 0))
		return damaged(ent, "mailferryUser is another", err);
	ent->carries = true;
	ent->version = ldapm_number(lm->ld, e, "mailferryVersion");
	ent->seq = ldapm_number(lm->ld, e, "mailferrySequence");
	ent->state = ldapm_value(ctx, lm->ld, e, "mailferryState", NULL);
	ent->change = ldapm_value(ctx, lm->ld, e, "mailferryChange", NULL);
	ent->import = ldapm_value(ctx, lm->ld, e, "mailferryImport", NULL);
	ent->staged = ldapm_value(ctx, lm->ld, e, "mailferryStaged", NULL);
	text = ldapm_value(ctx, lm->ld, e, "mailferryText", &len);
	if (text != NULL)
		st = record_parse(ctx, name, text, len, &ent->rec, err);
	return st == ST_OK ? check(ent, err) : st;
}

/* The entry that the user had before mailferry, compared byte by byte. */
static enum status
find_existing(struct ldapmap *lm, TALLOC_CTX *ctx, const char *user,
    struct ldapentry *ent, struct err *err)
{
	const char *attr = lm->conf->user_attribute;
	const char *attrs[] = { attr, NULL };
	char *filter = must(talloc_asprintf(ctx, "(%s=%s)", attr,
	    ldapm_escape(ctx, user)));
	LDAPMessage *res, *e;
	enum status st;
	int n = 0;

	st = ldapm_search(lm, lm->conf->base, LDAP_SCOPE_SUBTREE, filter, attrs,
	    0, &res, err);
	if (st == ST_NONE)
		return err_set(err, ST_AGAIN, "%s: there is no such entry",
		    lm->conf->base);
	if (st != ST_OK)
		return st;
	for (e = ldap_first_entry(lm->ld, res); e != NULL;
	    e = ldap_next_entry(lm->ld, e))
		if (ldapm_has_value(lm->ld, e, attr, user)) {
			ent->dn = ldapm_dn(ctx, lm->ld, e);
			n++;
		}
	(void)ldap_msgfree(res);
	if (n > 1)
		return err_set(err, ST_NEVER, "%s: %d entries have this %s",
		    user, n, attr);
	return n == 1 ? ST_OK : ST_NONE;
}

static enum status
find_carrying(struct ldapmap *lm, TALLOC_CTX *ctx, const char *user,
    struct ldapentry *ent, struct err *err)
{
	char *filter = must(talloc_asprintf(ctx, "(mailferryUser=%s)",
	    ldapm_escape(ctx, user)));
	LDAPMessage *res, *e;
	enum status st;
	uint64_t last;
	int n;

	st = ldapm_search(lm, lm->conf->base, LDAP_SCOPE_SUBTREE, filter,
	    ldapm_entry_attrs, 2, &res, err);
	talloc_free(filter);
	if (st == ST_NONE)
		return err_set(err, ST_AGAIN, "%s: there is no such entry",
		    lm->conf->base);
	if (st != ST_OK)
		return st;
	n = ldap_count_entries(lm->ld, res);
	e = ldap_first_entry(lm->ld, res);
	if (n > 1)
		st = err_set(err, ST_NEVER, "%s: two entries carry his record",
		    user);
	else
		st = e == NULL ? ST_NONE : ldapm_entry_read(lm, ctx, e, user,
		    ent, err);
	(void)ldap_msgfree(res);
	/* A change by another host, which the caller is about to act on. */
	if (st == ST_OK && ent->seq > atomic_load(&lm->shared->seen))
		st = ldapm_last(lm, &last, err);
	return st;
}

enum status
ldapm_entry(struct ldapmap *lm, TALLOC_CTX *ctx, const char *user, bool anew,
    struct ldapentry *ent, struct err *err)
{
	enum status st;
	char *rdn;

	memset(ent, 0, sizeof(*ent));
	if (!record_user_valid(user) && strcmp(user, RECORD_DEFAULT) != 0)
		return err_set(err, ST_NEVER, "%s: not a user's name", user);
	st = find_carrying(lm, ctx, user, ent, err);
	if (st != ST_NONE || !anew)
		return st;
	if (strcmp(user, RECORD_DEFAULT) != 0)
		st = find_existing(lm, ctx, user, ent, err);
	if (st == ST_NONE) {
		rdn = must(talloc_asprintf(ctx, "mailferryUser=%s",
		    ldap_escape_dn(ctx, user)));
		ent->dn = ldapconf_below(ctx, lm->conf, rdn, "records");
		st = ST_OK;
	}
	return st;
}

void
ldapm_mod_carry(struct ldapmods *m, const struct ldapentry *ent,
    const char *user)
{
	if (ent->carries)
		return;
	ldapm_mod(m, LDAP_MOD_ADD, "objectClass", "mailferryRecord");
	ldapm_mod(m, LDAP_MOD_ADD, "mailferryUser", user);
	ldapm_mod_number(m, LDAP_MOD_ADD, "mailferryShelf", ldap_shelf(user));
}

static bool
is_own(const struct ldapmap *lm, const char *dn)
{
	char *end = ldapconf_below(NULL, lm->conf, NULL, "records");
	size_t n = strlen(dn), k = strlen(end);
	bool yes = n > k && strcasecmp(dn + n - k, end) == 0;

	talloc_free(end);
	return yes;
}

/* Turn changes into the values of a new entry: all are added. */
static void
as_added(struct ldapmods *m)
{
	int i, n = 0;

	for (i = 0; i < m->n; i++) {
		if (m->mod[i]->mod_bvalues == NULL)
			continue;
		m->mod[i]->mod_op = LDAP_MOD_ADD | LDAP_MOD_BVALUES;
		m->mod[n++] = m->mod[i];
	}
	m->mod[m->n = n] = NULL;
}

enum status
ldapm_write(struct ldapmap *lm, const struct ldapentry *ent, struct ldapmods *m,
    const char *assertion, struct err *err)
{
	static const char *const classes[] = { "mailferryName",
	    "mailferryRecord", NULL };

	if (ent->carries || !is_own(lm, ent->dn))
		return ldapm_modify(lm, ent->dn, m, ent->carries ? assertion :
		    "(!(objectClass=mailferryRecord))", NULL, NULL, err);
	/* The classes take the place of what ldapm_mod_carry() put first. */
	m->mod[0] = m->mod[--m->n];
	ldapm_mod_list(m, LDAP_MOD_ADD, "objectClass", classes);
	as_added(m);
	return ldapm_add(lm, ent->dn, m, err);
}
