/* SPDX-License-Identifier: ISC */
/*
 * windows.h - who has a window, planned or open
 *
 * Few have, at any time, and of all others a milter has nothing to ask.  The table is
 * kept by following the map: whoever is in it is asked about, whoever is not has no
 * window.  It only ever spares a question.
 */
#ifndef MILTER_WINDOWS_H
#define MILTER_WINDOWS_H

#include "maps/record.h"

/* All calls are safe for threads. */
struct windows;

struct windows *windows_new(TALLOC_CTX *ctx);

/* What the map says of a user now; his former entry goes. */
void		windows_put(struct windows *w, const struct record *rec,
		    time_t now);
void		windows_drop(struct windows *w, const char *user);

/* Is the table all that the map has?  Not yet, or not any more: false. */
void		windows_complete(struct windows *w, bool yes);

/*
 * Certainly nobody with a window gets mail for this address: by none of the names
 * that map_recipient() looks for.
 */
bool		windows_none(struct windows *w, const struct conf *conf,
		    const char *address, size_t len, bool local);

#endif
