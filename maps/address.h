/* SPDX-License-Identifier: ISC */
/*
 * address.h - the names by which an address may be known, most exact first
 *
 * Pure: no map, no I/O.  Postfix passes on addresses as senders write them;
 * text that is no mailbox address has no names here, so it belongs to no user.
 */
#ifndef MAPS_ADDRESS_H
#define MAPS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <talloc.h>

#include "maps/base/conf.h"

#define ADDRESS_MAX	320		/* bytes: 64 + @ + 255 of RFC 5321 */

struct address {
	const char	*full;		/* folded, without quotes */
	const char	*plain;		/* without extension; NULL: none */
	const char	*user;		/* the local part without extension;
					   NULL: not the name of a user */
};

/*
 * Take an address apart, in lower case (ASCII, as local(8) does).
 *
 * text   `len` bytes; need not be terminated.
 * local  the caller knows that its domain is local.  It also is where
 *        conf->domains has it, or the address has no domain.
 * addr   its strings are talloc children of ctx.
 *
 * False: control characters, NUL, invalid UTF-8, too long, an empty part, or a
 * quoted local part that needs its quotes.
 */
bool		address_parse(TALLOC_CTX *ctx, const struct conf *conf,
		    const char *text, size_t len, bool local,
		    struct address *addr);

/* True if the local parts of this domain are the names of users. */
bool		address_is_ours(const struct conf *conf, const char *domain);

#endif
