/* SPDX-License-Identifier: ISC */
/*
 * conf.c - the file that `map = ldap:FILE` names
 */
#include "maps/ldap/conf.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "maps/base/file.h"
#include "maps/base/keys.h"

#define FILE_MAX	(64 * 1024)	/* bytes */
#define PASSWORD_MAX	1024

enum type { STRING, PATH, NUMBER, BOOL, LIST };

static const struct key {
	const char	*name;
	enum type	 type;
	size_t		 offset;
	const char	*dflt;
	int		 min, max;
} keys[] = {
#define AT(field) offsetof(struct ldapconf, field)
	{ "uri", LIST, AT(uri), "", 0, 0 },
	{ "base", STRING, AT(base), "", 0, 0 },
	{ "map_entry", STRING, AT(map_entry), "", 0, 0 },
	{ "user_attribute", STRING, AT(user_attribute), "uid", 0, 0 },
	{ "bind_dn", STRING, AT(bind_dn), "", 0, 0 },
	{ "password_file", PATH, AT(password_file), "", 0, 0 },
	{ "starttls", BOOL, AT(starttls), "yes", 0, 0 },
	{ "tls_require", BOOL, AT(tls_require), "yes", 0, 0 },
	{ "tls_ca", PATH, AT(tls_ca), "", 0, 0 },
	{ "tls_cert", PATH, AT(tls_cert), "", 0, 0 },
	{ "tls_key", PATH, AT(tls_key), "", 0, 0 },
	{ "timeout", NUMBER, AT(timeout), "3", 1, 60 },
	{ "patience", NUMBER, AT(patience), "8", 1, 9 },
	{ "workers", NUMBER, AT(workers), "4", 1, 64 },
	{ "lease", NUMBER, AT(lease), "300", 0, 86400 },
#undef AT
};

#define NKEYS (sizeof(keys) / sizeof(keys[0]))

static const char *
name_at(size_t i)
{
	return i < NKEYS ? keys[i].name : NULL;
}

const char *
ldapconf_key(size_t i, const char **dflt)
{
	if (i < NKEYS)
		*dflt = keys[i].dflt;
	return name_at(i);
}

static const char **
split(TALLOC_CTX *ctx, const char *value)
{
	char *copy = must(talloc_strdup(ctx, value)), *save = NULL, *w;
	const char **list = must(talloc_zero_array(ctx, const char *, 1));
	unsigned n = 0;

	for (w = strtok_r(copy, " \t,", &save); w != NULL;
	    w = strtok_r(NULL, " \t,", &save)) {
		list = must(talloc_realloc(ctx, list, const char *, n + 2));
		list[n++] = w;
		list[n] = NULL;
	}
	return list;
}

static enum status
set(const struct keys *at, struct ldapconf *conf, const struct key *k,
    const char *value)
{
	void *f = (char *)conf + k->offset;
	char *end, what[64];
	long n;

	switch (k->type) {
	case PATH:
		if (*value != '\0' && *value != '/')
			return keys_bad(at, k->name, "is an absolute path");
		/* FALLTHROUGH */
	case STRING:
		*(const char **)f = *value == '\0' ? NULL :
		    must(talloc_strdup(conf, value));
		return ST_OK;
	case NUMBER:
		n = strtol(value, &end, 10);
		(void)snprintf(what, sizeof(what), "is a number from %d to %d",
		    k->min, k->max);
		if (end == value || *end != '\0' || n < k->min || n > k->max)
			return keys_bad(at, k->name, what);
		*(int *)f = (int)n;
		return ST_OK;
	case BOOL:
		if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
			return keys_bad(at, k->name, "is yes or no");
		*(bool *)f = *value == 'y';
		return ST_OK;
	case LIST:
		*(const char ***)f = split(conf, value);
		return ST_OK;
	}
	return ST_OK;
}

static enum status
set_key(const struct keys *at, const char *name, const char *value, void *arg)
{
	struct ldapconf *conf = arg;
	size_t i;

	for (i = 0; i < NKEYS; i++)
		if (strcmp(name, keys[i].name) == 0)
			return set(at, conf, &keys[i], *value != '\0' ? value :
			    keys[i].dflt);
	return keys_unknown(at, name, name_at);
}

static bool
is_ldapi(const char *uri)
{
	return strncmp(uri, "ldapi://", 8) == 0;
}

/* What must hold between the keys. */
static const char *
inconsistent(const struct ldapconf *conf)
{
	const char **u;

	if (conf->uri[0] == NULL)
		return "uri is not set";
	if (conf->base == NULL)
		return "base is not set";
	if ((conf->tls_cert == NULL) != (conf->tls_key == NULL))
		return "tls_cert and tls_key go together";
	if (conf->bind_dn != NULL && conf->password_file == NULL)
		return "bind_dn needs a password_file";
	if (conf->timeout > conf->patience)
		return "timeout is longer than patience";
	for (u = conf->uri; *u != NULL; u++) {
		if (strncmp(*u, "ldap://", 7) != 0 && !is_ldapi(*u) &&
		    strncmp(*u, "ldaps://", 8) != 0)
			return "uri: is ldap://, ldaps:// or ldapi://";
		if (conf->bind_dn == NULL && !is_ldapi(*u) &&
		    conf->tls_cert == NULL)
			return "without bind_dn a server is reached by "
			    "ldapi://, or with tls_cert and tls_key (SASL "
			    "EXTERNAL)";
	}
	return NULL;
}

enum status
ldapconf_parse(TALLOC_CTX *ctx, const char *path, char *text,
    struct ldapconf **out, struct err *err)
{
	struct ldapconf *conf = must(talloc_zero(ctx, struct ldapconf));
	struct keys at = { .path = path, .err = err };
	const char *wrong;
	enum status st = ST_OK;
	size_t i;

	conf->path = must(talloc_strdup(conf, path));
	for (i = 0; i < NKEYS && st == ST_OK; i++)
		st = set(&at, conf, &keys[i], keys[i].dflt);
	if (st == ST_OK)
		st = keys_each(conf, &at, text, set_key, conf);
	if (st == ST_OK && (wrong = inconsistent(conf)) != NULL)
		st = err_set(err, ST_NEVER, "%s: %s", path, wrong);
	if (st == ST_OK && conf->map_entry == NULL)
		conf->map_entry = must(talloc_asprintf(conf, "cn=mailferry,%s",
		    conf->base));
	if (st != ST_OK)
		talloc_free(conf);
	else
		*out = conf;
	return st;
}

enum status
ldapconf_load(TALLOC_CTX *ctx, const char *path, struct ldapconf **conf,
    struct err *err)
{
	char *text = NULL;
	enum status st;
	size_t len;

	st = file_read(ctx, AT_FDCWD, path, FILE_MAX, &text, &len, err);
	if (st == ST_NONE)
		return err_set(err, ST_NEVER, "%s: there is no such file",
		    path);
	if (st == ST_OK && strlen(text) != len)
		st = err_set(err, ST_NEVER, "%s: has a NUL byte in it", path);
	if (st == ST_OK)
		st = ldapconf_parse(ctx, path, text, conf, err);
	talloc_free(text);
	return st;
}

/* Read for each connection, since it may have been changed. */
enum status
ldapconf_password(TALLOC_CTX *ctx, const struct ldapconf *conf,
    char **password, size_t *len, struct err *err)
{
	enum status st;
	struct stat sb;

	if (stat(conf->password_file, &sb) == -1)
		return err_sys(err, "%s", conf->password_file);
	if ((sb.st_mode & 07) != 0)
		return err_set(err, ST_NEVER,
		    "%s: others may read the password: chmod o= it",
		    conf->password_file);
	st = file_read(ctx, AT_FDCWD, conf->password_file, PASSWORD_MAX,
	    password, len, err);
	if (st == ST_NONE)
		return err_set(err, ST_NEVER, "%s: there is no such file",
		    conf->password_file);
	if (st != ST_OK)
		return st;
	*len = strcspn(*password, "\r\n");
	return *len > 0 ? ST_OK : err_set(err, ST_NEVER, "%s: is empty",
	    conf->password_file);
}

char *
ldapconf_below(TALLOC_CTX *ctx, const struct ldapconf *conf, const char *rdn,
    const char *what)
{
	return must(talloc_asprintf(ctx, "%s%scn=%s,%s", rdn == NULL ? "" : rdn,
	    rdn == NULL ? "" : ",", what, conf->map_entry));
}
