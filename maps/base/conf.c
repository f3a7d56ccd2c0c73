/* SPDX-License-Identifier: ISC */
/*
 * conf.c - mailferry.conf, read once
 *
 * Read at every delivery: one open, one read, one copy that is cut in place.
 */
#include "maps/base/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maps/base/file.h"
#include "maps/base/keys.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

#define CONF_MAX	(1024 * 1024)	/* bytes of the file */
#define TEXT_MAX	200		/* bytes; a reply has room for more */
#define SOCKET_MAX	107		/* sun_path without its NUL */

enum type { STRING, TEXT, TRANSPORT, PATH, SOCKET, LISTEN, TEMPLATE, MAP, LOG,
	    SECONDS, NUMBER, MODE, BOOL, VERDICT, LIST };

struct key {
	const char	*name;
	enum type	 type;
	size_t		 offset;
	const char	*dflt;		/* SOCKET, LISTEN: below socket_dir */
	int		 min, max;
	const char	*meaning;
};

#define AT(field) offsetof(struct conf, field)

static const struct key keys[] = {
	{ "map", MAP, AT(map), "none", 0, 0,
	    "where the migration map is: tdb:PATH, ldap:FILE or none" },
	{ "socket_dir", PATH, AT(socket_dir), "/run/mailferry", 0, 0,
	    "directory of the sockets of mailferry-mapd and mailferry-milter" },
	{ "map_socket", SOCKET, AT(map_socket), "map.sock", 0, 0,
	    "where the LDA, the milter and the command ask for the map" },
	{ "socketmap_socket", SOCKET, AT(socketmap_socket), "socketmap.sock", 0,
	    0, "where Postfix asks" },
	{ "dict_socket", SOCKET, AT(dict_socket), "dict.sock", 0, 0,
	    "where Dovecot asks" },
	{ "metrics_socket", SOCKET, AT(metrics_socket), "metrics.sock", 0, 0,
	    "where Prometheus text is read" },
	{ "milter_socket", LISTEN, AT(milter_socket), "milter.sock", 0, 0,
	    "where Postfix reaches the milter" },
	{ "old_mail", TEMPLATE, AT(mail[OLD]), "", 0, 0,
	    "Maildir of a user on the old filer" },
	{ "old_control", TEMPLATE, AT(control[OLD]), "", 0, 0,
	    "its Dovecot control directory" },
	{ "old_index", TEMPLATE, AT(index[OLD]), "", 0, 0,
	    "its Dovecot index directory" },
	{ "new_mail", TEMPLATE, AT(mail[NEW]), "", 0, 0,
	    "Maildir of a user on the new filer" },
	{ "new_control", TEMPLATE, AT(control[NEW]), "", 0, 0,
	    "its Dovecot control directory" },
	{ "new_index", TEMPLATE, AT(index[NEW]), "", 0, 0,
	    "its Dovecot index directory" },
	{ "old_filer", PATH, AT(filer[OLD]), "", 0, 0,
	    "mount point of the old filer, whose marker is checked" },
	{ "new_filer", PATH, AT(filer[NEW]), "", 0, 0,
	    "mount point of the new filer, whose marker is checked" },
	{ "admin_group", STRING, AT(admin_group), "mailferry", 0, 0,
	    "group that may ask about everyone and change the map" },
	{ "trusted_users", LIST, AT(trusted_users), "", 0, 0,
	    "names or uids that may ask about everyone" },
	{ "dict_users", LIST, AT(dict_users), "dovecot", 0, 0,
	    "names or uids that Dovecot asks as" },
	{ "kept_users", LIST, AT(kept_users), "postfix, dovecot", 0, 0,
	    "names or uids for which mailferry-mapd keeps places" },
	{ "who_command", STRING, AT(who_command), "doveadm who -1 %u", 0, 0,
	    "lists the sessions of a user, for mailferry step" },
	{ "deadline", SECONDS, AT(deadline), "240", 1, 900,
	    "longest time one delivery may take" },
	{ "skew", SECONDS, AT(skew), "5", 0, 300,
	    "by how much the clocks of the hosts may differ" },
	{ "log", LOG, AT(log), "syslog", 0, 0, "syslog, stderr or none" },
	{ "debug", BOOL, AT(debug), "no", 0, 0,
	    "log what helps to find a fault" },
	{ "extension_mailboxes", BOOL, AT(extension_mailboxes), "no", 0, 0,
	    "deliver user+folder to the mailbox folder" },
	{ "history_days", NUMBER, AT(history_days), "400", 1, 36500,
	    "days that the map's history is kept" },
	{ "log_days", NUMBER, AT(log_days), "5", 5, 365,
	    "days that a mailbox remembers its deliveries" },
	{ "max_connections", NUMBER, AT(max_connections), "1000", 1, 100000,
	    "clients of mailferry-mapd at a time" },
	{ "user_connections", NUMBER, AT(user_connections), "50", 1, 100000,
	    "those of one ordinary user" },
	{ "domains", LIST, AT(domains), "", 0, 0,
	    "domains whose local parts are users' names" },
	{ "recipient_delimiter", STRING, AT(delimiter), "+", 0, 0,
	    "characters that begin an address extension" },
	{ "transport_old", TRANSPORT, AT(transport[0]), "", 0, 0,
	    "Postfix transport of a user in old" },
	{ "transport_overlap", TRANSPORT, AT(transport[1]), "", 0, 0,
	    "in overlap; else as in old" },
	{ "transport_cutover", TRANSPORT, AT(transport[2]), "", 0, 0,
	    "in a cutover; else as in old" },
	{ "transport_settle", TRANSPORT, AT(transport[3]), "", 0, 0,
	    "in settle; else as in old" },
	{ "transport_new", TRANSPORT, AT(transport[4]), "", 0, 0,
	    "Postfix transport of a user in new" },
	{ "window_text", TEXT, AT(window_text),
	    "mailbox is being moved, try again in %s seconds", 0, 0,
	    "what a refusal in a window says" },
	{ "socketmap_mode", MODE, AT(socketmap_mode), "0666", 0, 0777,
	    "mode of the socket for Postfix" },
	{ "dict_mode", MODE, AT(dict_mode), "0666", 0, 0777,
	    "mode of the socket for Dovecot" },
	{ "metrics_mode", MODE, AT(metrics_mode), "0666", 0, 0777,
	    "mode of the socket for Prometheus" },
	{ "milter_mode", MODE, AT(milter_mode), "0666", 0, 0777,
	    "mode of the socket of the milter" },
	{ "milter_default", VERDICT, AT(milter_tempfail), "accept", 0, 0,
	    "what the milter says while the map cannot be asked" },
	{ "milter_dry_run", BOOL, AT(milter_dry_run), "no", 0, 0,
	    "the milter only logs what it would refuse" },
	{ "idle_timeout", SECONDS, AT(idle_timeout), "60", 1, 86400,
	    "after which mailferry-mapd drops a silent client" },
};

#define NKEYS (sizeof(keys) / sizeof(keys[0]))

const char *
conf_key(size_t i, const char **dflt, const char **meaning)
{
	if (i >= NKEYS)
		return NULL;
	*dflt = keys[i].dflt;
	*meaning = keys[i].meaning;
	return keys[i].name;
}

struct reading {
	struct conf	*conf;
	struct keys	 at;
};

static enum status
bad(const struct reading *r, const char *name, const char *what)
{
	return keys_bad(&r->at, name, what);
}

static void *
field(const struct conf *conf, const struct key *k)
{
	return (char *)(uintptr_t)conf + k->offset;
}

static bool
is_socket(const struct key *k)
{
	return k->type == SOCKET || k->type == LISTEN;
}

static bool
is_absolute_path(const char *value)
{
	return value[0] == '/' && strstr(value, "/../") == NULL;
}

/* True if after every percent sign comes one of these letters. */
static bool
has_only(const char *value, const char *letters)
{
	const char *p;

	for (p = strchr(value, '%'); p != NULL; p = strchr(p + 1, '%')) {
		p++;
		if (*p == '0')
			return false;
		while (*p >= '0' && *p <= '9')
			p++;
		if (*p == '\0' || strchr(letters, *p) == NULL)
			return false;
	}
	return true;
}

static bool
is_template(const char *value)
{
	return (value[0] == '/' || strncmp(value, "%h/", 3) == 0) &&
	    has_only(value, "undh%");
}

/* One line of printable ASCII: it goes into replies of other protocols. */
static bool
is_text(const char *value)
{
	const char *p;

	for (p = value; *p >= ' ' && *p < 0x7f; p++)
		continue;
	return *p == '\0' && p - value <= TEXT_MAX;
}

static bool
parse_mode(const struct key *k, const char *value, int *mode)
{
	char *end;
	long v = strtol(value, &end, 8);

	*mode = (int)v;
	return end != value && *end == '\0' && v >= k->min && v <= k->max;
}

/* A number; where it is a time, with an optional suffix s, m, h or d. */
static bool
parse_number(const struct key *k, const char *value, int *n)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(value, &end, 10);
	if (end == value || errno != 0 || v < 0 || v > 1000000)
		return false;
	if (k->type == SECONDS && *end != '\0') {
		static const char units[] = "smhd";
		static const long seconds[] = { 1, 60, 3600, 86400 };
		const char *u = strchr(units, *end++);

		if (u == NULL)
			return false;
		v *= seconds[u - units];
	}
	if (*end != '\0' || v < k->min || v > k->max)
		return false;
	*n = (int)v;
	return true;
}

static void
parse_list(struct conf *conf, const char ***list, const char *value)
{
	char *copy = must(talloc_strdup(conf, value)), *save = NULL, *w;
	size_t n = 0;

	*list = must(talloc_zero_array(conf, const char *, 1));
	for (w = strtok_r(copy, " \t,", &save); w != NULL;
	    w = strtok_r(NULL, " \t,", &save)) {
		*list = must(talloc_realloc(conf, *list, const char *,
		    (unsigned)n + 2));
		(*list)[n++] = w;
		(*list)[n] = NULL;
	}
}

static bool
parse_bool(const char *value, bool *b)
{
	*b = strcmp(value, "yes") == 0;
	return *b || strcmp(value, "no") == 0;
}

static bool
parse_verdict(const char *value, bool *tempfail)
{
	*tempfail = strcmp(value, "tempfail") == 0;
	return *tempfail || strcmp(value, "accept") == 0;
}

static bool
is_map(const char *value)
{
	return strcmp(value, "none") == 0 || strncmp(value, "tdb:/", 5) == 0 ||
	    strncmp(value, "ldap:/", 6) == 0;
}

static bool
is_log(const char *value)
{
	return strcmp(value, "syslog") == 0 || strcmp(value, "stderr") == 0 ||
	    strcmp(value, "none") == 0;
}

/* Strings are borrowed: they live in the conf's own copy of the text. */
static enum status
set(const struct reading *r, const struct key *k, const char *value)
{
	void *f = field(r->conf, k);
	char range[64];

	switch (k->type) {
	case MAP:
		if (!is_map(value))
			return bad(r, k->name,
			    "is tdb:/PATH, ldap:/FILE or none");
		break;
	case LOG:
		if (!is_log(value))
			return bad(r, k->name, "is syslog, stderr or none");
		break;
	case TEXT:
		if (!is_text(value))
			return bad(r, k->name,
			    "is one line of ASCII, not too long");
		break;
	case TRANSPORT:
		if (!is_text(value) || !has_only(value, "und%"))
			return bad(r, k->name, "is one line of ASCII, not too "
			    "long, in which only %u %n %d and %% have a "
			    "meaning");
		break;
	case MODE:
		return parse_mode(k, value, f) ? ST_OK : bad(r, k->name,
		    "is an octal mode");
	case LISTEN:
		if (strncmp(value, "inet:", 5) == 0 ||
		    strncmp(value, "inet6:", 6) == 0)
			break;
		/* FALLTHROUGH */
	case PATH:
	case SOCKET:
		if (*value != '\0' && !is_absolute_path(value))
			return bad(r, k->name,
			    "is an absolute path without ..");
		if (strlen(value) > SOCKET_MAX && k->type != PATH)
			return bad(r, k->name, "is too long for a socket");
		break;
	case TEMPLATE:
		if (*value != '\0' && !is_template(value))
			return bad(r, k->name, "is an absolute path, in which "
			    "only %u %n %d %h, with a length as in %1u, and %% "
			    "have a meaning");
		break;
	case SECONDS:
	case NUMBER:
		if (parse_number(k, value, f))
			return ST_OK;
		(void)snprintf(range, sizeof(range), "is %s from %d to %d",
		    k->type == SECONDS ? "a time" : "a number", k->min, k->max);
		return bad(r, k->name, range);
	case BOOL:
		return parse_bool(value, f) ? ST_OK : bad(r, k->name,
		    "is yes or no");
	case VERDICT:
		return parse_verdict(value, f) ? ST_OK : bad(r, k->name,
		    "is accept or tempfail");
	case LIST:
		parse_list(r->conf, f, value);
		return ST_OK;
	case STRING:
		break;
	}
	*(const char **)f = *value == '\0' ? NULL : value;
	return ST_OK;
}

static enum status
set_defaults(const struct reading *r)
{
	enum status st = ST_OK;
	size_t i;

	for (i = 0; i < NKEYS && st == ST_OK; i++)
		st = set(r, &keys[i], is_socket(&keys[i]) ? "" : keys[i].dflt);
	return st;
}

/* Sockets that are not named lie below socket_dir. */
static enum status
set_sockets(const struct reading *r)
{
	const char **f;
	size_t i;

	for (i = 0; i < NKEYS; i++) {
		f = field(r->conf, &keys[i]);
		if (!is_socket(&keys[i]) || *f != NULL)
			continue;
		*f = must(talloc_asprintf(r->conf, "%s/%s", r->conf->socket_dir,
		    keys[i].dflt));
		if (strlen(*f) > SOCKET_MAX)
			return err_set(r->at.err, ST_NEVER,
			    "%s: socket_dir: is too long for a socket",
			    r->conf->path);
	}
	return ST_OK;
}

static const char *
name_at(size_t i)
{
	return i < NKEYS ? keys[i].name : NULL;
}

/* The last of two equal keys wins, as in main.cf. */
static enum status
set_key(const struct keys *at, const char *name, const char *value, void *arg)
{
	const struct reading *r = arg;
	size_t i;

	for (i = 0; i < NKEYS; i++)
		if (strcmp(name, keys[i].name) == 0)
			return set(r, &keys[i], *value != '\0' ||
			    is_socket(&keys[i]) ? value : keys[i].dflt);
	return keys_unknown(at, name, name_at);
}

/* Domains are compared in lower case. */
static void
fold(char *s)
{
	for (; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
}

enum status
conf_parse(TALLOC_CTX *ctx, const char *path, const char *text, size_t len,
    struct conf **conf, struct err *err)
{
	struct reading r = { .at = { .path = path, .err = err } };
	enum status st;
	char *copy;
	const char **d;

	r.conf = must(talloc_zero(ctx, struct conf));
	r.conf->path = must(talloc_strdup(r.conf, path));
	copy = must(talloc_strndup(r.conf, text, len));
	if (strlen(copy) != len)
		st = err_set(err, ST_NEVER, "%s: has a NUL byte in it", path);
	else
		st = set_defaults(&r);
	if (st == ST_OK)
		st = keys_each(r.conf, &r.at, copy, set_key, &r);
	if (st == ST_OK)
		st = set_sockets(&r);
	for (d = r.conf->domains; st == ST_OK && *d != NULL; d++)
		fold((char *)(uintptr_t)*d);
	if (st != ST_OK)
		talloc_free(r.conf);
	else
		*conf = r.conf;
	return st;
}

enum status
conf_load(TALLOC_CTX *ctx, const char *path, struct conf **conf,
    struct err *err)
{
	static const char dflt[] = SYSCONFDIR "/mailferry/mailferry.conf";
	const char *name = path == NULL ? dflt : path;
	enum status st;
	char *text = NULL;
	size_t len = 0;

	st = file_read(ctx, AT_FDCWD, name, CONF_MAX, &text, &len, err);
	if (st == ST_NONE && path == NULL)
		return conf_parse(ctx, name, "", 0, conf, err);
	if (st == ST_NONE)
		return err_set(err, ST_NEVER, "%s: there is no such file",
		    name);
	if (st != ST_OK)
		return st;
	st = conf_parse(ctx, name, text, len, conf, err);
	talloc_free(text);
	return st;
}
