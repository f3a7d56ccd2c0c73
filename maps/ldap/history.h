/* SPDX-License-Identifier: ISC */
/*
 * history.h - the numbers of changes, and a copy of each
 *
 * `mailferrySequence=N,cn=history,MAP_ENTRY` is a change.  The map's entry
 * counts them: a process that has seen a higher number than a server has does
 * not follow that server.
 */
#ifndef MAPS_LDAP_HISTORY_H
#define MAPS_LDAP_HISTORY_H

#include "maps/ldap/conn.h"
#include "maps/map.h"

/* Take the numbers of `n` changes to come; *last is the last of them. */
enum status	ldapm_sequence(struct ldapmap *lm, unsigned n, uint64_t *last,
		    struct err *err) MUST_CHECK;

/*
 * The number of the last change, from the map's entry.  Other hosts change
 * records, too, and a process that only reads must not follow a server that
 * lacks what it has acted on: the number counts as seen from now on.
 */
enum status	ldapm_last(struct ldapmap *lm, uint64_t *last, struct err *err)
		    MUST_CHECK;

/* Copy a change into the history; ST_OK also where it is there already. */
enum status	ldapm_history_add(struct ldapmap *lm, uint64_t seq,
		    const char *user, const char *change, struct err *err)
		    MUST_CHECK;

/*
 * As map_history(), of what was copied.  A user's last change may be missing:
 * ldapm_complete_history() first.
 */
enum status	ldapm_history(struct map *map, const char *user, int limit,
		    map_change_fn *fn, void *arg, struct err *err) MUST_CHECK;

/*
 * Remove a few changes older than the configuration's history_days.
 * ST_NONE: there are none.
 */
enum status	ldapm_prune(struct map *map, struct err *err) MUST_CHECK;

#endif
