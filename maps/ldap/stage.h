/* SPDX-License-Identifier: ISC */
/*
 * stage.h - a record that is staged for an import, on its own entry
 */
#ifndef MAPS_LDAP_STAGE_H
#define MAPS_LDAP_STAGE_H

#include "maps/ldap/entry.h"
#include "maps/map.h"

/* As map_import_put(). */
enum status	ldapm_import_put(struct map *map, const char *id,
		    uint64_t was_version, const struct record *is,
		    const struct change_by *by, struct err *err) MUST_CHECK;

/*
 * What is staged on an entry; *is and the strings of by are talloc children of
 * ctx.
 * ST_AGAIN  it is damaged.
 */
enum status	ldapm_staged_parse(TALLOC_CTX *ctx, const struct ldapentry *ent,
		    const char *user, struct record **is, struct change_by *by,
		    struct err *err) MUST_CHECK;

/*
 * Take what is staged off an entry.  ST_NONE: ent->import is not on it any
 * more.
 */
enum status	ldapm_unstage(struct ldapmap *lm, TALLOC_CTX *ctx,
		    const struct ldapentry *ent, struct err *err) MUST_CHECK;

#endif
