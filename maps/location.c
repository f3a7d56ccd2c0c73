/* SPDX-License-Identifier: ISC */
/*
 * location.c - location templates of the configuration, filled for a user
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maps/location.h"

static enum status
bad(struct err *err, const char *template, const char *user, const char *what)
{
	return err_set(err, ST_NEVER, "location %s for %s: %s", template, user,
	    what);
}

/* The value of a variable's letter; NULL: there is no such variable. */
static const char *
variable(char letter, const char *user, const char *home, size_t *len)
{
	const char *at = strchr(user, '@');

	switch (letter) {
	case 'u':
		*len = strlen(user);
		return user;
	case 'n':
		*len = at == NULL ? strlen(user) : (size_t)(at - user);
		return user;
	case 'd':
		*len = at == NULL ? 0 : strlen(at + 1);
		return at == NULL ? "" : at + 1;
	case 'h':
		*len = home == NULL ? 0 : strlen(home);
		return home;
	default:
		return NULL;
	}
}

/* Absolute, without `..` and double slashes: one name for one directory. */
static bool
path_clean(const char *path)
{
	size_t len = strlen(path);
	const char *p;

	if (path[0] != '/' || len < 2 || path[len - 1] == '/')
		return false;
	for (p = path; (p = strchr(p, '/')) != NULL; p++)
		if (p[1] == '/' || (p[1] == '.' && (p[2] == '/' ||
		    p[2] == '\0' || (p[2] == '.' && (p[3] == '/' ||
		    p[3] == '\0')))))
			return false;
	return true;
}

/* `%3u`: how many digits, and where that leaves off. */
static const char *
cut_of(const char *p, size_t *cut)
{
	char *end;

	*cut = 0;
	if (*p < '1' || *p > '9')
		return p;
	*cut = strtoul(p, &end, 10);
	return end;
}

enum status
template_fill(TALLOC_CTX *ctx, const char *template, const char *user,
    const char *home, char **text, struct err *err)
{
	const char *p = template, *value;
	size_t len = strcspn(p, "%"), cut;
	char *out = must(talloc_strndup(ctx, p, len));

	for (p += len; *p != '\0';) {
		len = strcspn(p, "%");
		out = must(talloc_strndup_append_buffer(out, p, len));
		p += len;
		if (*p == '\0')
			break;
		p = cut_of(p + 1, &cut);
		if (*p == '%') {
			out = must(talloc_strdup_append_buffer(out, "%"));
			p++;
			continue;
		}
		value = variable(*p, user, home, &len);
		if (value == NULL || (*p == 'h' && strcmp(value, HOME_OPEN) ==
		    0 && *out != '\0'))
			return bad(err, template, user, *p == 'h' ?
			    "%h is needed and the home directory is not known" :
			    "only %u %n %d %h and %% mean something");
		out = must(talloc_strndup_append_buffer(out, value,
		    cut != 0 && len > cut ? cut : len));
		p++;
	}
	*text = out;
	return ST_OK;
}

enum status
location_expand(TALLOC_CTX *ctx, const char *template, const char *user,
    const char *home, const char **path, struct err *err)
{
	bool open = home != NULL && strcmp(home, HOME_OPEN) == 0;
	enum status st;
	char *out;

	st = template_fill(ctx, template, user, home, &out, err);
	if (st != ST_OK)
		return st;
	if (!path_clean(open && strncmp(out, HOME_OPEN "/", 2) == 0 ? out + 1 :
	    out))
		return bad(err, template, user,
		    "it comes to a path that is not absolute and plain");
	*path = out;
	return ST_OK;
}

static enum status
fill(struct record *rec, const char **field, const char *template,
    const char *home, struct err *err)
{
	if (*field != NULL || template == NULL)
		return ST_OK;
	return location_expand(rec, template, rec->user, home, field, err);
}

enum status
record_locate(struct record *rec, const struct conf *conf, const char *home,
    struct err *err)
{
	enum status st = ST_OK;
	bool own;
	int s;

	for (s = OLD; s <= NEW && st == ST_OK; s++) {
		/* Control and index templates belong to the mail template. */
		own = rec->side[s].mail != NULL;
		st = fill(rec, &rec->side[s].mail, conf->mail[s], home, err);
		if (own || rec->side[s].mail == NULL)
			continue;
		if (st == ST_OK)
			st = fill(rec, &rec->side[s].control, conf->control[s],
			    home, err);
		if (st == ST_OK)
			st = fill(rec, &rec->side[s].index, conf->index[s],
			    home, err);
	}
	return st;
}

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool
location_same(const struct location *a, const struct location *b)
{
	return same(a->mail, b->mail) && same(a->control, b->control) &&
	    same(a->index, b->index);
}
