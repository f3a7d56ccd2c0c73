/* SPDX-License-Identifier: ISC */
/*
 * workers.h - processes that answer in the loop's place, where answering may block
 *
 * libldap can wait for a server that is stopped, and no option of it ends every such
 * wait.  So each request goes, with its protocol and its peer, to a process that was
 * forked to ask; the answer comes back and goes out as if the loop had made it.  A
 * process that does not answer within the map's patience is killed and replaced, and
 * its client hears the protocol's `busy`: after the protocol's own patience, where it
 * has one, and from then on at once, until something is answered again.  One more
 * process, the keeper, does what waits without anybody asking (map_ops.tick), and one
 * follows the map for who may be answered by what was so a moment ago
 * (maps/mapd/cache.h).
 */
#ifndef MAPS_MAPD_WORKERS_H
#define MAPS_MAPD_WORKERS_H

#include "maps/mapd/client.h"

struct workers;

/*
 * Fork them: as many as the map says.
 *
 * w        talloc child of ctx; freeing it ends them.
 * changed  called with each change that one of them made.
 */
enum status	workers_new(TALLOC_CTX *ctx, struct event_base *base,
		    struct map *map, map_change_fn *changed, void *arg,
		    struct workers **w, struct err *err) MUST_CHECK;

/*
 * Have one request answered: client_answered() is called some time later, once.
 * False: too many wait already, or the protocol would not wait for long and nothing is
 * answered at the moment.
 */
bool		workers_ask(struct workers *w, struct client *cl,
		    const char *req, size_t len);

/*
 * The map as it was a moment ago, where that is not longer ago than `late` seconds and
 * the map's lease; NULL: it is, or late is 0.
 */
struct map     *workers_cache(struct workers *w, int late);

/* The client is gone: nobody is to be told. */
void		workers_forget(struct workers *w, const struct client *cl);

/* Once a second: replace those that died. */
void		workers_second(struct workers *w);

/* The configuration is another: each is replaced when it has answered. */
void		workers_renew(struct workers *w);

#endif
