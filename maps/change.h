/* SPDX-License-Identifier: ISC */
/*
 * change.h - the text form of one change of the map
 *
 * In the history, and on the wire to watchers: `key value` lines `seq`,
 * `user`, `prev` (the seq of the user's change before), `by`, `at`, `why`, then
 * `was LENGTH` and `is LENGTH`, each with that many bytes of record text after
 * it; absent: there was none.
 */
#ifndef MAPS_CHANGE_H
#define MAPS_CHANGE_H

#include "maps/map.h"

/* The text; talloc child of ctx.  *len: its bytes. */
char	       *change_format(TALLOC_CTX *ctx, const struct change *ch,
		    uint64_t prev, size_t *len);

/* Undo record_escape(), in place. */
void		change_unescape(char *text);

/*
 * Cut the first line off *text, in place, and move *text behind it.
 * NULL: there is no whole line.
 */
char	       *change_cut_line(char **text);

/*
 * Parse the text form.
 *
 * ch    its strings and records are talloc children of ctx.
 * prev  set to the user's change before; may be NULL.
 * ST_NEVER  it is not the text of a change.
 */
enum status	change_parse(TALLOC_CTX *ctx, const char *text, size_t len,
		    struct change *ch, uint64_t *prev, struct err *err)
		    MUST_CHECK;

/*
 * The record as an owner of a map stores it, with the author of the change and
 * a version above `before`, the last one that the name had; talloc child of
 * ctx.
 */
const struct record *change_finish(TALLOC_CTX *ctx, const struct record *is,
		    uint64_t before, const struct change_by *by);

#endif
