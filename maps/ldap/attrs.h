/* SPDX-License-Identifier: ISC */
/*
 * attrs.h - attributes of entries: values read, changes of them, filters
 */
#ifndef MAPS_LDAP_ATTRS_H
#define MAPS_LDAP_ATTRS_H

#include <ldap.h>
#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>

/* A value for a filter, escaped; talloc child of ctx. */
char	       *ldapm_escape(TALLOC_CTX *ctx, const char *value);

/* An entry's DN; talloc child of ctx. */
char	       *ldapm_dn(TALLOC_CTX *ctx, LDAP *ld, LDAPMessage *e);

/*
 * An attribute's first value, with a NUL after it; talloc child of ctx.  NULL:
 * the entry has none.
 *
 * len  (may be NULL) its bytes; set only where there is one.
 */
char	       *ldapm_value(TALLOC_CTX *ctx, LDAP *ld, LDAPMessage *e,
		    const char *attr, size_t *len);

/* The same as a decimal number; 0 where there is none. */
uint64_t	ldapm_number(LDAP *ld, LDAPMessage *e, const char *attr);

/* True if one of the attribute's values is `value`, byte by byte. */
bool		ldapm_has_value(LDAP *ld, LDAPMessage *e, const char *attr,
		    const char *value);

#define LDAPM_MODS	24		/* attributes of one change */

/* A change of one entry, made from an empty one with its ctx set. */
struct ldapmods {
	TALLOC_CTX	*ctx;		/* has the values */
	LDAPMod		*mod[LDAPM_MODS + 1];	/* NULL-terminated */
	int		 n;
};

/*
 * One attribute more; the values are copied.
 *
 * op      LDAP_MOD_ADD, LDAP_MOD_REPLACE or LDAP_MOD_INCREMENT.
 * values  NULL-terminated.  With LDAP_MOD_REPLACE, NULL or none of them removes
 *         the attribute.
 */
void		ldapm_mod_list(struct ldapmods *m, int op, const char *attr,
		    const char *const *values);
void		ldapm_mod(struct ldapmods *m, int op, const char *attr,
		    const char *value);
void		ldapm_mod_number(struct ldapmods *m, int op, const char *attr,
		    uint64_t value);

#endif
