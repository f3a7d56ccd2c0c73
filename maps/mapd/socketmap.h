/* SPDX-License-Identifier: ISC */
/*
 * socketmap.h - what mailferry-mapd answers to Postfix
 *
 * Netstrings both ways, one request at a time:
 *
 *	transport ADDRESS	the transport of whoever gets mail for it
 *	access ADDRESS		in a cutover window a refusal for now
 *
 * An answer is one of `OK TEXT`, `NOTFOUND ` (with its blank), `TEMP WHY` and `PERM WHY`.
 * NOTFOUND is all that is said of an address that no record has: of senders, of `*`,
 * of users by the map's default.  PERM says that the question was none.  Whatever
 * is wrong with the map is TEMP.  No answer names a location.
 *
 * Source: Postfix 3.7 socketmap_table(5), transport(5), access(5).
 */
#ifndef MAPS_MAPD_SOCKETMAP_H
#define MAPS_MAPD_SOCKETMAP_H

#include "maps/mapd/protocol.h"

/* Postfix 3.7 sends what a client sent; the connection is many people's. */
#define SOCKETMAP_REQUEST_MAX	(128 * 1024)	/* bytes */

/* ms: one trivial-rewrite(8) asks for the mail of all, one question at a time. */
#define SOCKETMAP_PATIENCE	500

extern const struct protocol protocol_socketmap;

#endif
