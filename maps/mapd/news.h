/* SPDX-License-Identifier: ISC */
/*
 * news.h - changes that several processes report, each passed on once
 *
 * The worker that made a change reports it, and so does the follower when the
 * change comes back from the directory.  A change that only the follower
 * reports was made by another host; it is passed on a second later, in case
 * our worker is the slower one.
 */
#ifndef MAPS_MAPD_NEWS_H
#define MAPS_MAPD_NEWS_H

#include "maps/map.h"

struct news;

/* talloc child of ctx.  `changed` is called with each change, once. */
struct news    *news_new(TALLOC_CTX *ctx, map_change_fn *changed, void *arg);

/*
 * A change of our own, in its text form.
 *
 * quiet  it is one of an import's.
 * Returns false for a text that is none.
 */
bool		news_made(struct news *news, const char *text, size_t len,
		    bool quiet);

/* A change that the follower reported, by its number; the text is copied. */
void		news_followed(struct news *news, uint64_t seq,
		    const char *text);

/* Once a second. */
void		news_second(struct news *news);

#endif
