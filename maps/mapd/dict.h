/* SPDX-License-Identifier: ISC */
/*
 * dict.h - what mailferry-mapd answers to Dovecot
 *
 * Requests and answers are lines.  In them tab, LF, CR, NUL and \001 are
 * escaped with \001.
 *
 *	H3 TAB MINOR TAB ...		hello.  It has no answer; for a version
 *					other than 3 the connection is closed
 *	Lshared/userdb/USER TAB USER	where is the user's mailbox?
 *	Lshared/passdb/USER TAB USER	may the user log in now?
 *	I... C... D...			refused: the map is neither listed nor
 *					written here
 *
 * An answer is `O` and a JSON object; `N`, there is no such key; or `F` and a
 * reason: a temporary failure, above all the one that a client must get during
 * a window.
 *
 * The object of userdb has `mail`, the location of the leader in the form of
 * Dovecot's mail_location, and `uid` if the record has one.  A user without a
 * record gets what the map's default and the templates say.  USER is a user's
 * name, or NAME@DOMAIN with a domain of ours.  It is no address of a record
 * and has no extension: a login for one person never opens the mailbox of
 * another.
 *
 * The object of passdb has `leader`, "old" or "new".  It has no password and no
 * `nopassword`, so that Dovecot accepts no login by this answer alone.
 *
 * A client may ask userdb for every user if it is root, in admin_group,
 * trusted or one of dict_users; else only for the record of its own uid.
 *
 * Source: Dovecot 2.3.19 lib-dict/dict-client.h, dict-client.c; auth/db-dict.c.
 */
#ifndef MAPS_MAPD_DICT_H
#define MAPS_MAPD_DICT_H

#include "maps/mapd/protocol.h"

#define DICT_MAJOR		3		/* of Dovecot 2.3 */
#define DICT_REQUEST_MAX	(64 * 1024)	/* bytes of a line */

extern const struct protocol protocol_dict;

#endif
