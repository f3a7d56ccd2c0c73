/* SPDX-License-Identifier: ISC */
/*
 * main.c - mailferry-mapd: keeps the map and answers questions about it
 */
#include <signal.h>
#include <string.h>

#include "maps/base/daemon.h"
#include "maps/base/log.h"
#include "maps/base/notify.h"
#include "maps/mapd/dict.h"
#include "maps/mapd/metrics.h"
#include "maps/mapd/server.h"
#include "maps/mapd/socketmap.h"
#include "maps/mapd/wire_answer.h"

/* A configuration that has an error changes nothing. */
static const struct conf *
reload(void *arg)
{
	const struct daemon *d = arg;
	struct conf *conf = NULL;
	struct err err;

	/* Never freed: records that are still in use may borrow from it. */
	if (conf_load(NULL, d->config, &conf, &err) != ST_OK) {
		log_why(LOG_ERR, "reload", err.text);
		return NULL;
	}
	return conf;
}

static int
serve(struct conf *conf, struct daemon *d)
{
	struct server *srv = NULL;
	struct map *map = NULL;
	struct err err;
	enum status st;

	st = map_open(conf, conf, MAP_OWNER | MAP_CREATE, &map, &err);
	if (st == ST_OK)
		st = server_new(conf, conf, map, &srv, &err);
	if (st == ST_OK)
		st = server_listen(srv, &protocol_map, conf->map_socket, 0666,
		    &err);
	if (st == ST_OK)
		st = server_listen(srv, &protocol_socketmap,
		    conf->socketmap_socket, (mode_t)conf->socketmap_mode, &err);
	if (st == ST_OK)
		st = server_listen(srv, &protocol_dict, conf->dict_socket,
		    (mode_t)conf->dict_mode, &err);
	if (st == ST_OK)
		st = server_listen(srv, &protocol_metrics, conf->metrics_socket,
		    (mode_t)conf->metrics_mode, &err);
	if (st == ST_OK) {
		log_why(LOG_INFO, "started", conf->map);
		notify_ready();
		st = server_run(srv, reload, d, &err);
	}
	notify_stopping();
	talloc_free(srv);
	talloc_free(map);
	if (st != ST_OK)
		return daemon_refuse(d, &err);
	log_why(LOG_INFO, "stopped", "asked to");
	return 0;
}

int
main(int argc, char **argv)
{
	struct daemon d = { .name = "mailferry-mapd" };
	struct conf *conf = NULL;
	struct err err;
	int rc;

	must_exit(1);
	rc = daemon_options(&d, argc, argv);
	if (rc != -1)
		return rc;
	(void)signal(SIGPIPE, SIG_IGN);
	if (conf_load(NULL, d.config, &conf, &err) != ST_OK)
		return daemon_refuse(&d, &err);
	rc = daemon_log(&d, conf);
	if (rc != -1)
		return rc;
	if (strcmp(conf->map, "none") == 0) {
		(void)err_set(&err, ST_NEVER, "%s: map = none: there is no map "
		    "to serve; set map = tdb:/var/lib/mailferry/map.tdb",
		    conf->path);
		return daemon_refuse(&d, &err);
	}
	rc = d.check ? 0 : serve(conf, &d);
	talloc_free(conf);
	return rc;
}
