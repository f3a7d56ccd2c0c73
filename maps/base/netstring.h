/* SPDX-License-Identifier: ISC */
/*
 * netstring.h - `LENGTH:BYTES,`, the framing of every protocol here
 *
 * Source: D. J. Bernstein's netstrings.txt; Postfix socketmap_table(5).
 */
#ifndef MAPS_BASE_NETSTRING_H
#define MAPS_BASE_NETSTRING_H

#include "maps/base/err.h"

/* Digits, colon and comma around any payload that fits a size_t. */
#define NETSTRING_OVERHEAD 22

/*
 * Look for one netstring at the beginning of buf[0 .. len).
 *
 * max      the longest payload taken, bytes.
 * payload  points into buf, `*plen` bytes, not terminated.
 * used     bytes of buf that the netstring took.
 *
 * ST_OK     a whole one.
 * ST_AGAIN  not yet whole: read more, call again.
 * ST_NEVER  not a netstring (a leading zero, no digit, no comma) or longer than
 *           max: nothing after it can be trusted, close the connection.
 * On ST_AGAIN and ST_NEVER the outputs are not written.
 */
enum status	netstring_parse(const char *buf, size_t len, size_t max,
		    const char **payload, size_t *plen, size_t *used)
		    MUST_CHECK;

/*
 * The header `LENGTH:` of a payload of plen bytes; head has room for
 * NETSTRING_OVERHEAD bytes.  Returns its length.  A `,` follows the payload.
 */
size_t		netstring_head(char *head, size_t plen);

#endif
