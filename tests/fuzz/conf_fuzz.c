/* SPDX-License-Identifier: ISC */
/*
 * conf_fuzz.c - a configuration that was accepted is one to work with
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "maps/base/conf.h"

static void
check_socket(const char *path)
{
	HOLDS(path != NULL && path[0] == '/' && strlen(path) <= 107);
}

static void
check_dir(const char *path)
{
	HOLDS(path == NULL || path[0] == '/');
}

static void
check_template(const char *path)
{
	HOLDS(path == NULL || path[0] == '/' || strncmp(path, "%h/", 3) == 0);
}

static void
check_conf(const struct conf *conf)
{
	const char **t;
	int s;

	HOLDS(strcmp(conf->map, "none") == 0 ||
	    strncmp(conf->map, "tdb:/", 5) == 0 ||
	    strncmp(conf->map, "ldap:/", 6) == 0);
	check_socket(conf->map_socket);
	check_socket(conf->socketmap_socket);
	check_socket(conf->dict_socket);
	check_socket(conf->metrics_socket);
	check_socket(conf->milter_socket);
	for (s = OLD; s <= NEW; s++) {
		check_template(conf->mail[s]);
		check_template(conf->control[s]);
		check_template(conf->index[s]);
		check_dir(conf->filer[s]);
	}
	for (t = conf->trusted_users; *t != NULL; t++)
		HOLDS(**t != '\0' && strpbrk(*t, " \t,\n") == NULL);
	HOLDS(conf->admin_group != NULL && conf->log != NULL);
	HOLDS(conf->deadline >= 1 && conf->deadline <= 900);
	HOLDS(conf->skew >= 0 && conf->skew <= 300);
	HOLDS(conf->history_days >= 1 && conf->history_days <= 36500);
	HOLDS(conf->log_days >= 5 && conf->log_days <= 365);
	HOLDS(conf->max_connections >= 1 && conf->max_connections <= 100000);
	HOLDS(conf->idle_timeout >= 1 && conf->idle_timeout <= 86400);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = fuzz_input(data, size);
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct conf *conf = NULL;
	struct err err;
	enum status st;

	st = conf_parse(ctx, "fuzz.conf", in.p, size, &conf, &err);
	if (st == ST_OK)
		check_conf(conf);
	else {
		HOLDS(st == ST_NEVER && conf == NULL);
		HOLDS(strncmp(err.text, "fuzz.conf", 9) == 0);
		fuzz_err(&err);
	}
	talloc_free(ctx);
	return 0;
}
