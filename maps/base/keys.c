/* SPDX-License-Identifier: ISC */
/*
 * keys.c - `key = value` lines as in main.cf, and the nearest known key
 */
#include "maps/base/keys.h"

#include <stdio.h>
#include <string.h>

enum status
keys_bad(const struct keys *keys, const char *name, const char *what)
{
	return err_set(keys->err, ST_NEVER, "%s, line %d: %s: %s", keys->path,
	    keys->line, name, what);
}

/* The number of letters to add, drop or change: for "did you mean". */
static size_t
distance(const char *a, const char *b)
{
	size_t row[64], la = strlen(a), lb = strlen(b), i, j, diag, up;

	if (lb >= sizeof(row) / sizeof(row[0]))
		return lb;
	for (j = 0; j <= lb; j++)
		row[j] = j;
	for (i = 1; i <= la; i++) {
		diag = row[0];
		row[0] = i;
		for (j = 1; j <= lb; j++) {
			up = row[j];
			row[j] = diag + (a[i - 1] != b[j - 1]);
			if (up + 1 < row[j])
				row[j] = up + 1;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			diag = up;
		}
	}
	return row[lb];
}

enum status
keys_unknown(const struct keys *keys, const char *name,
    const char *(*name_at)(size_t))
{
	size_t i, best = 0, d, least = (size_t)-1;
	char what[128];

	for (i = 0; name_at(i) != NULL; i++) {
		d = distance(name, name_at(i));
		if (d < least) {
			least = d;
			best = i;
		}
	}
	(void)snprintf(what, sizeof(what), "unknown key; did you mean \"%s\"?",
	    name_at(best));
	return keys_bad(keys, name, what);
}

static char *
trim(char *s)
{
	char *end;

	s += strspn(s, " \t\r\n");
	end = s + strlen(s);
	while (end > s && strchr(" \t\r\n", end[-1]) != NULL)
		*--end = '\0';
	return s;
}

/* One logical line. */
static enum status
take_line(const struct keys *keys, char *line, key_fn *fn, void *arg)
{
	char *name = trim(line), *eq = strchr(name, '=');

	if (*name == '\0')
		return ST_OK;
	if (eq == NULL)
		return keys_bad(keys, name, "is not `key = value`");
	*eq = '\0';
	return fn(keys, trim(name), trim(eq + 1), arg);
}

static bool
is_comment(const char *line)
{
	line += strspn(line, " \t\r");
	return *line == '#' || *line == '\n' || *line == '\0';
}

enum status
keys_each(TALLOC_CTX *ctx, struct keys *keys, char *text, key_fn *fn, void *arg)
{
	enum status st = ST_OK;
	char *logical = NULL, *line, *next;
	int n = 0, at = 0;

	for (line = text; *line != '\0' && st == ST_OK; line = next) {
		next = line + strcspn(line, "\n");
		if (*next == '\n')
			*next++ = '\0';
		n++;
		if (is_comment(line))
			continue;
		if (*line == ' ' || *line == '\t') {
			if (logical == NULL) {
				keys->line = n;
				return keys_bad(keys, trim(line),
				    "continues a line that is not there");
			}
			logical = must(talloc_asprintf(ctx, "%s %s", logical,
			    trim(line)));
			continue;
		}
		if (logical != NULL) {
			keys->line = at;
			st = take_line(keys, logical, fn, arg);
		}
		logical = line;
		at = n;
	}
	if (st != ST_OK || logical == NULL)
		return st;
	keys->line = at;
	return take_line(keys, logical, fn, arg);
}
