/* SPDX-License-Identifier: ISC */
/*
 * conf.h - mailferry.conf, read once
 *
 * `key = value` lines as in main.cf: blanks around `=`, `#` lines, a line that
 * begins with a blank goes on the one before.  Every key is a row of one table
 * in conf.c with its default; mailferry.conf(5) has a line for each (a test
 * compares them).
 */
#ifndef MAPS_BASE_CONF_H
#define MAPS_BASE_CONF_H

#include <stdbool.h>
#include <talloc.h>

#include "maps/base/err.h"

/* A site has two sides; everything that comes in pairs is indexed by them. */
enum side { OLD, NEW, SIDE_NONE };

struct conf {
	const char	*path;		/* the file, for messages */
	const char	*map;		/* "tdb:PATH", "ldap:FILE", "none" */
	const char	*socket_dir;
	const char	*map_socket;	/* absolute: default below socket_dir */
	const char	*socketmap_socket;
	const char	*dict_socket;
	const char	*metrics_socket;
	const char	*milter_socket;
	/* Location templates, NULL where not set: %u %n %d %h %1u ... */
	const char	*mail[2], *control[2], *index[2];
	const char	*filer[2];	/* mount points, NULL where not set */
	const char	*admin_group;	/* may ask about and change all users */
	const char     **dict_users;	/* those of Dovecot; names or uids */
	const char     **kept_users;	/* mapd keeps places for them */
	const char     **trusted_users;	/* NULL-terminated; names or uids */
	int		 deadline;	/* seconds one delivery may take */
	int		 skew;		/* seconds that clocks may differ */
	const char	*log;		/* "syslog", "stderr", "none" */
	bool		 debug;		/* log LOG_DEBUG lines too */
	bool		 extension_mailboxes;	/* user+folder -> folder */
	const char	*who_command;	/* lists sessions of %u; may be NULL */
	int		 history_days;	/* after that a change is removed */
	int		 log_days;	/* delivery log, at least 5 */
	int		 max_connections;	/* of all sockets of mapd */
	int		 user_connections;	/* those of an ordinary uid */
	int		 idle_timeout;	/* seconds until mapd drops a client */
	/* How addresses are taken apart. */
	const char     **domains;	/* their local parts are users' names;
					   lower case; NULL-terminated */
	const char	*delimiter;	/* between user and extension: any of
					   these characters; NULL: none */
	/* What Postfix is answered. */
	const char	*transport[5];	/* old, overlap, cutover, settle, new;
					   NULL where not set: transport_of() */
	const char	*window_text;	/* of a refusal; %s: seconds */
	int		 socketmap_mode, dict_mode, metrics_mode, milter_mode;
	bool		 milter_tempfail; /* while the map cannot be asked */
	bool		 milter_dry_run;	/* refuse nobody */
};

/*
 * Read a configuration file.
 *
 * path   NULL: SYSCONFDIR/mailferry/mailferry.conf.  Where NULL was given and
 *        that file does not exist, the defaults (map = none) are used:
 *        a site's first step is the LDA in procmail's place, unconfigured.
 * conf   talloc child of ctx.
 *
 * ST_NEVER: `err` names file, line and, for an unknown key, the nearest one.
 */
enum status	conf_load(TALLOC_CTX *ctx, const char *path, struct conf **conf,
		    struct err *err) MUST_CHECK;

/* The same from text; for tests and fuzzing. */
enum status	conf_parse(TALLOC_CTX *ctx, const char *path, const char *text,
		    size_t len, struct conf **conf, struct err *err) MUST_CHECK;

/* The i-th key of the table and its default as text; NULL past the end. */
const char     *conf_key(size_t i, const char **dflt, const char **meaning);

#endif
