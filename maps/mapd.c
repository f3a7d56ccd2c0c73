/*
 * mapd.c - mailferry-mapd: owns the map, answers for it
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "maps/base/log.h"
#include "maps/base/notify.h"
#include "maps/dict.h"
#include "maps/metrics.h"
#include "maps/server.h"
#include "maps/socketmap.h"

#ifndef VERSION
#define VERSION "0.1"
#endif

struct options {
	const char	*config;
	const char	*log;		/* NULL: as configured */
	bool		 check;
};

static const char usage[] =
    "usage: mailferry-mapd [--config FILE] [--log syslog|stderr|none] [--check]\n";

static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option all[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "log", required_argument, NULL, 'l' },
		{ "check", no_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", all, NULL)) != -1)
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 'l':
			o->log = optarg;
			break;
		case 'k':
			o->check = true;
			break;
		case 'h':
			(void)fputs(usage, stdout);
			return 0;
		case 'v':
			(void)puts("mailferry-mapd " VERSION);
			return 0;
		default:
			(void)fputs(usage, stderr);
			return 2;
		}
	if (optind != argc) {
		(void)fputs(usage, stderr);
		return 2;
	}
	return -1;
}

static int
refuse(const struct err *err)
{
	(void)fprintf(stderr, "mailferry-mapd: %s\n", err->text);
	log_why(LOG_ERR, "refused", err->text);
	return 1;
}

/* A configuration that is not right changes nothing. */
static const struct conf *
reload(void *arg)
{
	const struct options *o = arg;
	struct conf *conf = NULL;
	struct err err;

	/* Never freed: a record asked for a moment ago may borrow from it. */
	if (conf_load(NULL, o->config, &conf, &err) != ST_OK) {
		log_why(LOG_ERR, "reload", err.text);
		return NULL;
	}
	return conf;
}

static int
serve(struct conf *conf, struct options *o)
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
		st = server_run(srv, reload, o, &err);
	}
	notify_stopping();
	talloc_free(srv);
	talloc_free(map);
	if (st != ST_OK)
		return refuse(&err);
	log_why(LOG_INFO, "stopped", "asked to");
	return 0;
}

int
main(int argc, char **argv)
{
	struct options o = { NULL, NULL, false };
	struct conf *conf = NULL;
	struct err err;
	int rc;

	must_exit(1);
	rc = read_options(argc, argv, &o);
	if (rc != -1)
		return rc;
	(void)signal(SIGPIPE, SIG_IGN);
	if (conf_load(NULL, o.config, &conf, &err) != ST_OK)
		return refuse(&err);
	if (log_open("mailferry-mapd", o.log != NULL ? o.log : conf->log,
	    conf->debug ? LOG_DEBUG : LOG_INFO) == -1) {
		(void)fputs(usage, stderr);
		return 2;
	}
	if (strcmp(conf->map, "none") == 0) {
		(void)err_set(&err, ST_NEVER, "%s: map = none: there is no map to "
		    "serve; set map = tdb:/var/lib/mailferry/map.tdb", conf->path);
		return refuse(&err);
	}
	rc = o.check ? 0 : serve(conf, &o);
	talloc_free(conf);
	return rc;
}
