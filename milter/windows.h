/* SPDX-License-Identifier: ISC */
/*
 * windows.h - the users who have a window, planned or open
 *
 * They are few at any time.  The table is kept by following the map: mapd is
 * asked only for users who are in it; the others have no window.
 */
#ifndef MILTER_WINDOWS_H
#define MILTER_WINDOWS_H

#include "maps/record.h"

/* All calls are safe for threads. */
struct windows;

struct windows *windows_new(TALLOC_CTX *ctx);

/* The map's present record of a user; it replaces the former entry. */
void		windows_put(struct windows *w, const struct record *rec,
		    time_t now);
void		windows_drop(struct windows *w, const char *user);

/* Does the table have all windows of the map?  `false` also empties it. */
void		windows_complete(struct windows *w, bool yes);

/*
 * true: certainly no user with a window gets mail for this address, by any of
 * the names that map_recipient() looks for.
 */
bool		windows_none(struct windows *w, const struct conf *conf,
		    const char *address, size_t len, bool local);

#endif
