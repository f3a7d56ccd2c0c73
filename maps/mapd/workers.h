/* SPDX-License-Identifier: ISC */
/*
 * workers.h - processes that answer instead of the loop, for a map that may
 * block
 *
 * libldap can wait for a server that is stopped, and no option of it ends
 * every such wait.  So each request goes, with its protocol and its peer, to a
 * worker: a process that was forked to ask.  Its answer comes back, and the
 * loop sends it.
 *
 * A worker that does not answer within the map's patience is killed and
 * replaced, and the request has no answer: its client gets the protocol's
 * `busy`.  Where the protocol has a patience of its own, its clients get
 * `busy` after that, and from then on at once, until a worker answers again.
 * A worker whose report is not valid is killed and replaced as well
 * (maps/mapd/said.h).
 *
 * Two more processes: the keeper does the map's waiting work (map_ops.tick),
 * and the follower reports every record as it changes, for the copy in
 * maps/mapd/cache.h.
 */
#ifndef MAPS_MAPD_WORKERS_H
#define MAPS_MAPD_WORKERS_H

#include <event2/event.h>

#include "maps/backend.h"
#include "maps/mapd/protocol.h"

struct workers;

/* The answer to a request, borrowed; NULL: there is none. */
typedef void workers_answered_fn(void *arg, const struct answer *answer);

/*
 * Fork as many as the map says.
 *
 * w        talloc child of ctx; freeing it ends the workers.
 * changed  called, with `arg`, for each change of the map, whoever made it.
 */
enum status	workers_new(TALLOC_CTX *ctx, struct event_base *base,
		    struct map *map, map_change_fn *changed, void *arg,
		    struct workers **w, struct err *err) MUST_CHECK;

/*
 * Have one request answered: fn(arg, ...) is called later, once, unless
 * workers_forget(arg) comes first.  The request is copied.
 *
 * False: too many requests wait already, or the protocol's patience is short
 * and no worker gets an answer at the moment.  fn is not called then.
 */
bool		workers_ask(struct workers *w, const struct protocol *pr,
		    const struct wire_peer *peer, const char *req, size_t len,
		    workers_answered_fn *fn, void *arg);

/* The requests that were asked with this `arg` have nobody to be answered. */
void		workers_forget(struct workers *w, const void *arg);

/*
 * The copy of all records.  NULL: there is none, or it is older than `late`
 * seconds, or older than the map's lease.
 */
struct map     *workers_cache(struct workers *w, int late);

/* Once a second: replace those that died. */
void		workers_second(struct workers *w);

/* The configuration is another: each is replaced as soon as it has answered. */
void		workers_renew(struct workers *w);

#endif
