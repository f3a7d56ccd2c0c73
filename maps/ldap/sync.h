/* SPDX-License-Identifier: ISC */
/*
 * sync.h - every record and its changes, as they come (RFC 4533)
 */
#ifndef MAPS_LDAP_SYNC_H
#define MAPS_LDAP_SYNC_H

#include "maps/backend.h"

/*
 * As map_ops.follow.
 * ST_NEVER  the configuration wants no copy: `lease = 0`.
 */
enum status	ldapm_follow(struct map *map, follow_fn *fn, void *arg,
		    struct err *err) MUST_CHECK;

#endif
