/* SPDX-License-Identifier: ISC */
/*
 * ldif.h - names of records in a directory, and records as LDIF
 *
 * Needs no libldap: export writes LDIF from any map.
 */
#ifndef MAPS_LDAP_LDIF_H
#define MAPS_LDAP_LDIF_H

#include "maps/record.h"

#define LDAP_SHELVES	1024		/* searches that find all records */

/* The shelf of a name: mailferryShelf. */
unsigned	ldap_shelf(const char *user);

/* A value as part of a DN; talloc child of ctx. */
char	       *ldap_escape_dn(TALLOC_CTX *ctx, const char *value);

/*
 * LDIF for slapadd(8), talloc children of ctx: the map's own entries without
 * any record, and one record with the claims of its addresses.
 *
 * map_entry  DN of the map.
 */
char	       *ldif_map(TALLOC_CTX *ctx, const char *map_entry);
char	       *ldif_record(TALLOC_CTX *ctx, const char *map_entry,
		    const struct record *rec);

#endif
