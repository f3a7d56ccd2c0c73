/* SPDX-License-Identifier: ISC */
/*
 * socketmap.h - what mailferry-mapd answers to Postfix
 *
 * Requests and answers are netstrings:
 *
 *	transport ADDRESS	the transport of the user who gets mail for it
 *	access ADDRESS		during a cutover window, a refusal for now
 *
 * An answer is one of `OK TEXT`, `NOTFOUND ` (with the blank), `TEMP WHY` and
 * `PERM WHY`.  NOTFOUND is the answer for every address that no record has:
 * for senders, for `*`, and for users without a record.  PERM means that the
 * request is not valid.  TEMP is the answer for everything that is wrong with
 * the map.  No answer names a location.
 *
 * Source: Postfix 3.7 socketmap_table(5), transport(5), access(5).
 */
#ifndef MAPS_MAPD_SOCKETMAP_H
#define MAPS_MAPD_SOCKETMAP_H

#include "maps/mapd/protocol.h"

/* Postfix 3.7 passes on whatever an SMTP client sent. */
#define SOCKETMAP_REQUEST_MAX	(128 * 1024)	/* bytes */

/* ms: one trivial-rewrite(8) asks for all mail, one question at a time. */
#define SOCKETMAP_PATIENCE	500

extern const struct protocol protocol_socketmap;

#endif
