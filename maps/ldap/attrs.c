/* SPDX-License-Identifier: ISC */
/*
 * attrs.c - attributes of entries: values read, changes of them, filters
 */
#include "maps/ldap/attrs.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maps/base/err.h"

char *
ldapm_escape(TALLOC_CTX *ctx, const char *value)
{
	struct berval in = { strlen(value), (char *)(uintptr_t)value }, out;
	char *text;

	if (ldap_bv2escaped_filter_value(&in, &out) != 0)
		must(NULL);
	text = must(talloc_strndup(ctx, out.bv_val == NULL ? "" : out.bv_val,
	    out.bv_val == NULL ? 0 : out.bv_len));
	ldap_memfree(out.bv_val);
	return text;
}

char *
ldapm_value(TALLOC_CTX *ctx, LDAP *ld, LDAPMessage *e, const char *attr,
    size_t *len)
{
	struct berval **v = ldap_get_values_len(ld, e, attr);
	char *text = NULL;

	if (v != NULL && v[0] != NULL) {
		text = must(talloc_size(ctx, v[0]->bv_len + 1));
		memcpy(text, v[0]->bv_val, v[0]->bv_len);
		text[v[0]->bv_len] = '\0';
		if (len != NULL)
			*len = v[0]->bv_len;
	}
	ldap_value_free_len(v);
	return text;
}

uint64_t
ldapm_number(LDAP *ld, LDAPMessage *e, const char *attr)
{
	char *text = ldapm_value(NULL, ld, e, attr, NULL);
	uint64_t n = text == NULL ? 0 : strtoull(text, NULL, 10);

	talloc_free(text);
	return n;
}

bool
ldapm_has_value(LDAP *ld, LDAPMessage *e, const char *attr, const char *value)
{
	struct berval **v = ldap_get_values_len(ld, e, attr);
	size_t len = strlen(value);
	bool yes = false;
	int i;

	for (i = 0; v != NULL && v[i] != NULL; i++)
		yes = yes || (v[i]->bv_len == len &&
		    memcmp(v[i]->bv_val, value, len) == 0);
	ldap_value_free_len(v);
	return yes;
}

char *
ldapm_dn(TALLOC_CTX *ctx, LDAP *ld, LDAPMessage *e)
{
	char *dn = ldap_get_dn(ld, e), *copy;

	copy = must(talloc_strdup(ctx, dn == NULL ? "" : dn));
	ldap_memfree(dn);
	return copy;
}

void
ldapm_mod_list(struct ldapmods *m, int op, const char *attr,
    const char *const *values)
{
	LDAPMod *mod = must(talloc_zero(m->ctx, LDAPMod));
	struct berval *bv;
	unsigned n = 0;

	if (m->n == LDAPM_MODS)
		abort();
	while (values != NULL && values[n] != NULL)
		n++;
	mod->mod_op = op | LDAP_MOD_BVALUES;
	mod->mod_type = must(talloc_strdup(mod, attr));
	if (n > 0) {
		mod->mod_bvalues = must(talloc_zero_array(mod, struct berval *,
		    n + 1));
		bv = must(talloc_array(mod, struct berval, n));
		for (n = 0; values[n] != NULL; n++) {
			bv[n].bv_val = must(talloc_strdup(mod, values[n]));
			bv[n].bv_len = strlen(values[n]);
			mod->mod_bvalues[n] = &bv[n];
		}
	}
	m->mod[m->n++] = mod;
	m->mod[m->n] = NULL;
}

void
ldapm_mod(struct ldapmods *m, int op, const char *attr, const char *value)
{
	const char *one[2] = { value, NULL };

	ldapm_mod_list(m, op, attr, one);
}

void
ldapm_mod_number(struct ldapmods *m, int op, const char *attr, uint64_t value)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	ldapm_mod(m, op, attr, text);
}
