/* SPDX-License-Identifier: ISC */
/*
 * import.h - many changes at once in a directory that has no transactions
 */
#ifndef MAPS_LDAP_IMPORT_H
#define MAPS_LDAP_IMPORT_H

#include "maps/ldap/entry.h"
#include "maps/map.h"

/* As those of map.h; ldapm_import_put() is in maps/ldap/stage.h. */
enum status	ldapm_import_begin(struct map *map, TALLOC_CTX *ctx, char **id,
		    struct err *err) MUST_CHECK;
enum status	ldapm_import_commit(struct map *map, const char *id,
		    uint64_t *left, struct err *err) MUST_CHECK;
enum status	ldapm_import_abort(struct map *map, const char *id,
		    struct err *err) MUST_CHECK;

/*
 * What the import that ent is staged for makes of the record; talloc child of
 * ctx.
 * ST_NONE  that import was not committed.
 */
enum status	ldapm_import_stands(struct ldapmap *lm, TALLOC_CTX *ctx,
		    const struct ldapentry *ent, const char *user,
		    struct record **is, struct err *err) MUST_CHECK;

/*
 * Apply the import that ent is staged for to this record.
 * ST_OK    it was applied, here or elsewhere: the caller reads the entry again.
 * ST_NONE  the import was not committed.
 */
enum status	ldapm_import_finish_user(struct map *map, TALLOC_CTX *ctx,
		    struct ldapentry *ent, const char *user, struct err *err)
		    MUST_CHECK;

/* Before a change of a staged record: its import can no longer be committed. */
enum status	ldapm_import_break(struct ldapmap *lm, const char *id,
		    struct err *err) MUST_CHECK;

/*
 * Do a batch of what waits: apply records of a committed import, or take off
 * what a broken one has staged.  ST_NONE: nothing waits.
 */
enum status	ldapm_import_batch(struct map *map, struct err *err) MUST_CHECK;

#endif
