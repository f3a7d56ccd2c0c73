/* SPDX-License-Identifier: ISC */
/*
 * address.h - the names by which an address may be known, most exact first
 *
 * Pure: no map, no I/O.  Postfix asks with addresses as senders write them;
 * what is no mailbox address here has no names, and so is nobody's.
 */
#ifndef MAPS_ADDRESS_H
#define MAPS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <talloc.h>

#include "maps/base/conf.h"

#define ADDRESS_MAX	320		/* bytes: 64 + @ + 255 of RFC 5321 */

struct address {
	const char	*full;		/* folded, quotes of the local part gone */
	const char	*plain;		/* without its extension; NULL: it has none */
	const char	*user;		/* the local part without extension, where that
					   is a user's name; NULL: it is not */
};

/*
 * Take an address apart, in lower case (ASCII, as local(8) does).
 *
 * text   `len` bytes; need not be terminated.
 * local  somebody knows that its domain is local: else conf->domains says so,
 *        or the address has no domain.
 * addr   its strings are talloc children of ctx.
 *
 * False: control characters, NUL, invalid UTF-8, too long, an empty part, or a
 * quoted local part that needs its quotes.
 */
bool		address_parse(TALLOC_CTX *ctx, const struct conf *conf,
		    const char *text, size_t len, bool local,
		    struct address *addr);

/* Are the local parts of this domain users' names? */
bool		address_is_ours(const struct conf *conf, const char *domain);

#endif
