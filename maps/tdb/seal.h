/* SPDX-License-Identifier: ISC */
/*
 * seal.h - values that show when they are damaged, or another key's
 *
 * Damage in a tdb file can look like a shorter value, or like another user's
 * (measured: 15 % of flips).  So each value opens with its own length, CRC and
 * key: `mfs1 LENGTH CRC32 KEY` LF TEXT.
 */
#ifndef MAPS_TDB_SEAL_H
#define MAPS_TDB_SEAL_H

#include <stdint.h>
#include <talloc.h>

#include "maps/base/err.h"

/* Seal a text; talloc child of ctx.  *slen: its bytes without the NUL. */
char	       *seal(TALLOC_CTX *ctx, const char *key, const char *text,
		    size_t len, size_t *slen);

/*
 * Open a sealed value: *text points into `data`, *len bytes.
 * ST_NEVER  it is damaged, or belongs to another key.
 */
enum status	unseal(const char *key, const char *data, size_t dlen,
		    const char **text, size_t *len, struct err *err) MUST_CHECK;

#endif
