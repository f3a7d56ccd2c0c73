/* SPDX-License-Identifier: ISC */
/*
 * owners.c - the maps that mailferry-mapd and the command can own
 */
#include "maps/backend.h"

const struct map_ops *const map_owners[] = {
	&map_tdb,
#ifdef WITH_LDAP
	&map_ldap,
#endif
	NULL
};
