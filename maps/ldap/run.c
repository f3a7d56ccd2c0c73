/* SPDX-License-Identifier: ISC */
/*
 * run.c - the entry of an import, which says how far it is
 */
#include "maps/ldap/run.h"

#include <string.h>

#include "maps/ldap/ldif.h"

char *
ldapm_run_dn(TALLOC_CTX *ctx, const struct ldapmap *lm, const char *id)
{
	char *rdn = must(talloc_asprintf(ctx, "cn=%s", ldap_escape_dn(ctx,
	    id)));

	return ldapconf_below(ctx, lm->conf, rdn, "imports");
}

static char **
values(TALLOC_CTX *ctx, LDAP *ld, LDAPMessage *e, const char *attr)
{
	struct berval **v = ldap_get_values_len(ld, e, attr);
	unsigned n = (unsigned)ldap_count_values_len(v), i;
	char **list = must(talloc_zero_array(ctx, char *, n + 1));

	for (i = 0; i < n; i++)
		list[i] = must(talloc_strndup(list, v[i]->bv_val,
		    v[i]->bv_len));
	ldap_value_free_len(v);
	return list;
}

enum status
ldapm_run_read(struct ldapmap *lm, TALLOC_CTX *ctx, const char *id,
    struct ldaprun *run, struct err *err)
{
	static const char *const attrs[] = { "mailferryState", "mailferryAt",
	    "mailferryLeft", "mailferryTaken", NULL };
	LDAPMessage *res, *e;
	enum status st;

	st = ldapm_search(lm, ldapm_run_dn(ctx, lm, id), LDAP_SCOPE_BASE,
	    "(objectClass=mailferryImportRun)", attrs, 0, &res, err);
	if (st != ST_OK)
		return st;
	e = ldap_first_entry(lm->ld, res);
	if (e != NULL) {
		run->state = ldapm_value(ctx, lm->ld, e, "mailferryState",
		    NULL);
		run->at = (time_t)ldapm_number(lm->ld, e, "mailferryAt");
		run->left = ldapm_number(lm->ld, e, "mailferryLeft");
		run->taken = values(ctx, lm->ld, e, "mailferryTaken");
	}
	(void)ldap_msgfree(res);
	return e == NULL || run->state == NULL ? ST_NONE : ST_OK;
}

bool
ldapm_run_is(const struct ldaprun *run, const char *state)
{
	return strcmp(run->state, state) == 0;
}

bool
ldapm_run_over(const struct ldaprun *run)
{
	return ldapm_run_is(run, "done") || ldapm_run_is(run, "gone");
}

enum status
ldapm_run_set(struct ldapmap *lm, TALLOC_CTX *ctx, const char *id,
    const char *from, const char *to, uint64_t left, struct err *err)
{
	struct ldapmods m = { .ctx = ctx };
	char *assertion = must(talloc_asprintf(ctx, "(mailferryState=%s)",
	    from));

	ldapm_mod(&m, LDAP_MOD_REPLACE, "mailferryState", to);
	ldapm_mod_number(&m, LDAP_MOD_REPLACE, "mailferryAt",
	    (uint64_t)time(NULL));
	ldapm_mod_number(&m, LDAP_MOD_REPLACE, "mailferryLeft", left);
	return ldapm_modify(lm, ldapm_run_dn(ctx, lm, id), &m, assertion, NULL,
	    NULL, err);
}

enum status
ldapm_run_take_place(struct ldapmap *lm, TALLOC_CTX *ctx, const char *from,
    const char *to, struct err *err)
{
	struct ldapmods m = { .ctx = ctx };
	char *assertion = from == NULL ?
	    must(talloc_strdup(ctx, "(!(mailferryImport=*))")) :
	    must(talloc_asprintf(ctx, "(mailferryImport=%s)",
	    ldapm_escape(ctx, from)));

	ldapm_mod(&m, LDAP_MOD_REPLACE, "mailferryImport", to);
	return ldapm_modify(lm, lm->conf->map_entry, &m, assertion, NULL, NULL,
	    err);
}

enum status
ldapm_run_in_place(struct ldapmap *lm, TALLOC_CTX *ctx, char **id,
    struct err *err)
{
	static const char *const attrs[] = { "mailferryImport",
	    "mailferrySequence", NULL };
	LDAPMessage *res, *e;
	enum status st;

	*id = NULL;
	st = ldapm_search(lm, lm->conf->map_entry, LDAP_SCOPE_BASE,
	    "(objectClass=*)", attrs, 0, &res, err);
	if (st != ST_OK)
		return st;
	e = ldap_first_entry(lm->ld, res);
	if (e != NULL)
		*id = ldapm_value(ctx, lm->ld, e, "mailferryImport", NULL);
	(void)ldap_msgfree(res);
	return *id == NULL ? ST_NONE : ST_OK;
}
