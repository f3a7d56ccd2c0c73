/* SPDX-License-Identifier: ISC */
/*
 * memo.h - records that were parsed a moment ago
 *
 * A look-up finds a record's bytes in the file.  Where they are the very bytes
 * that this user's record was parsed from the last time, the parsed record is
 * the same, and neither the checksum nor the text is read again.  So a memo is
 * never out of date: the file is asked each time, and only what a pure
 * function made of its answer is kept.
 */
#ifndef MAPS_TDB_MEMO_H
#define MAPS_TDB_MEMO_H

#include "maps/record.h"

struct memo;

/* talloc child of ctx.  It takes a few MiB at most, however many users there
 * are. */
struct memo    *memo_new(TALLOC_CTX *ctx);

/*
 * The record of `user` that was kept for these very bytes, a copy and a talloc
 * child of ctx; NULL: none was.
 */
struct record  *memo_find(const struct memo *memo, TALLOC_CTX *ctx,
		    const char *user, const void *data, size_t len) MUST_CHECK;

/* These bytes, of this user, were parsed to that record.  All is copied. */
void		memo_keep(struct memo *memo, const char *user, const void *data,
		    size_t len, const struct record *rec);

#endif
