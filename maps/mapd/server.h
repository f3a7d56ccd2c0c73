/* SPDX-License-Identifier: ISC */
/*
 * server.h - one event loop between clients and the map
 *
 * The loop blocks on neither.
 */
#ifndef MAPS_MAPD_SERVER_H
#define MAPS_MAPD_SERVER_H

#include "maps/base/conf.h"
#include "maps/mapd/protocol.h"

struct server;

/*
 * Prepare a server that answers questions about `map`.
 *
 * srv  talloc child of ctx.  conf and map are borrowed for its life.
 */
enum status	server_new(TALLOC_CTX *ctx, const struct conf *conf,
		    struct map *map, struct server **srv, struct err *err)
		    MUST_CHECK;

/*
 * Listen for one protocol at a unix socket.  The socket is made with this
 * mode, and its directory is made if it is missing.  Call it at most once for
 * each protocol.
 *
 * ST_AGAIN  another process answers there, or the socket cannot be made.
 */
enum status	server_listen(struct server *srv, const struct protocol *pr,
		    const char *path, mode_t mode, struct err *err) MUST_CHECK;

/*
 * Run until SIGTERM or SIGINT.  On SIGHUP `reload` is called.  It returns the
 * configuration to go on with, or NULL: the present one stays.
 */
typedef const struct conf *server_reload_fn(void *arg);
enum status	server_run(struct server *srv, server_reload_fn *reload,
		    void *arg, struct err *err) MUST_CHECK;

#endif
