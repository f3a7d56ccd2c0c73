/* SPDX-License-Identifier: ISC */
/*
 * dict.h - what mailferry-mapd answers to Dovecot
 *
 * Lines both ways; what has a tab, LF, CR, NUL or \001 in it is escaped with \001.
 *
 *	H3 TAB MINOR TAB ...		hello; not answered, but another version than
 *					3 is: the connection is closed
 *	Lshared/userdb/USER TAB USER	where his mailbox is
 *	Lshared/passdb/USER TAB USER	may he log in now
 *	I... C... D...			refused; the map is neither listed nor
 *					written here
 *
 * An answer is `O` and a JSON object, `N`: there is no such key, or `F` and the reason:
 * a temporary failure, above all the one that a client must see in a window.
 *
 * userdb: `mail`, the location of the leader as Dovecot's mail_location, and `uid`
 * where the record has one.  A user without a record has what the map's default and
 * the templates say.  USER is a user's name, or NAME@DOMAIN where the domain is
 * ours; no address of a record, and no extension: who may log in as one person does
 * not get the mail of another.
 *
 * passdb: `leader`, "old" or "new"; no password and no `nopassword`, so that Dovecot
 * believes nobody by this answer alone.
 *
 * Who asks for userdb must be root, in admin_group or trusted; else it is told of its
 * own uid's record alone.
 *
 * Source: Dovecot 2.3.19 lib-dict/dict-client.h, dict-client.c; auth/db-dict.c.
 */
#ifndef MAPS_MAPD_DICT_H
#define MAPS_MAPD_DICT_H

#include "maps/mapd/protocol.h"

#define DICT_MAJOR		3		/* of Dovecot 2.3 */
#define DICT_REQUEST_MAX	(64 * 1024)	/* bytes of a line, as Dovecot has it */

extern const struct protocol protocol_dict;

#endif
