/* SPDX-License-Identifier: ISC */
/*
 * conf.h - the file that `map = ldap:FILE` names
 *
 * Lines as in mailferry.conf; every key is a row of one table in
 * maps/ldap/conf.c with its default, and mailferry-ldap(5) has a line for each.
 * Only mailferry-mapd reads it, the owner of the map.
 */
#ifndef MAPS_LDAP_CONF_H
#define MAPS_LDAP_CONF_H

#include <stdbool.h>
#include <talloc.h>

#include "maps/base/err.h"

struct ldapconf {
	const char	*path;		/* the file, for messages */
	const char     **uri;		/* in this order; NULL-terminated */
	const char	*base;		/* everything is below it */
	const char	*map_entry;	/* the map's own entry */
	const char	*user_attribute;	/* of the users' own entries */
	const char	*bind_dn;	/* NULL: SASL EXTERNAL */
	const char	*password_file;
	bool		 starttls;	/* for ldap: URIs */
	bool		 tls_require;	/* check the server's certificate */
	const char	*tls_ca, *tls_cert, *tls_key;	/* files, or NULL */
	int		 timeout;	/* seconds for one answer of slapd */
	int		 patience;	/* seconds for one request to mapd */
	int		 workers;	/* processes that ask */
	int		 lease;		/* seconds; 0: nothing is cached */
};

/*
 * Read the file.
 *
 * conf  talloc child of ctx.
 * ST_NEVER  `err` names file, line and, for an unknown key, the nearest one.
 */
enum status	ldapconf_load(TALLOC_CTX *ctx, const char *path,
		    struct ldapconf **conf, struct err *err) MUST_CHECK;
/* The same from text, for tests. */
enum status	ldapconf_parse(TALLOC_CTX *ctx, const char *path, char *text,
		    struct ldapconf **conf, struct err *err) MUST_CHECK;

/*
 * The content of password_file without its line end; talloc child of ctx.
 * ST_NEVER  others may read the file.
 */
enum status	ldapconf_password(TALLOC_CTX *ctx, const struct ldapconf *conf,
		    char **password, size_t *len, struct err *err) MUST_CHECK;

/*
 * `RDN,cn=WHAT,MAP_ENTRY`; talloc child of ctx.
 *
 * rdn  NULL: cn=WHAT itself.
 */
char	       *ldapconf_below(TALLOC_CTX *ctx, const struct ldapconf *conf,
		    const char *rdn, const char *what);

/* The i-th key of the table and its default; NULL past the end. */
const char     *ldapconf_key(size_t i, const char **dflt);

#endif
