/* SPDX-License-Identifier: ISC */
/*
 * server.h - one event loop between clients and the map, blocking on neither
 */
#ifndef MAPS_MAPD_SERVER_H
#define MAPS_MAPD_SERVER_H

#include "maps/base/conf.h"
#include "maps/mapd/protocol.h"

struct server;

/*
 * Prepare to answer for `map`.
 *
 * srv  talloc child of ctx; conf and map are borrowed for its life.
 */
enum status	server_new(TALLOC_CTX *ctx, const struct conf *conf,
		    struct map *map, struct server **srv, struct err *err)
		    MUST_CHECK;

/*
 * Answer one protocol at a unix socket, made with this mode, its directory where it
 * is missing.  At most one for each protocol there is.
 * ST_AGAIN  somebody answers there already, or the socket cannot be made.
 */
enum status	server_listen(struct server *srv, const struct protocol *pr,
		    const char *path, mode_t mode, struct err *err) MUST_CHECK;

/*
 * Run until SIGTERM or SIGINT.  On SIGHUP `reload` is called, which may give
 * another configuration to go on with (NULL: none).
 */
typedef const struct conf *server_reload_fn(void *arg);
enum status	server_run(struct server *srv, server_reload_fn *reload,
		    void *arg, struct err *err) MUST_CHECK;

#endif
