/* SPDX-License-Identifier: ISC */
/*
 * variables.c - the variables of a run: the environment of its programs
 */
#include "lda/recipe/variables.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "maps/base/err.h"

struct vars {
	char	**env;			/* NAME=value, NULL-terminated */
	size_t	 *name;			/* lengths of their names */
	size_t	  n, room;
};

struct vars *
vars_new(TALLOC_CTX *ctx)
{
	struct vars *vars = must(talloc_zero(ctx, struct vars));

	vars->room = 64;
	vars->env = must(talloc_array(vars, char *, 64));
	vars->name = must(talloc_array(vars, size_t, 64));
	vars->env[0] = NULL;
	return vars;
}

/* The index of a name; vars->n if it is not set. */
static size_t
find(const struct vars *vars, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < vars->n; i++)
		if (vars->name[i] == len &&
		    memcmp(vars->env[i], name, len) == 0)
			break;
	return i;
}

const char *
vars_get(const struct vars *vars, const char *name)
{
	size_t len = strlen(name), i = find(vars, name, len);

	return i == vars->n ? NULL : vars->env[i] + len + 1;
}

const char *
vars_text(const struct vars *vars, const char *name)
{
	const char *value = vars_get(vars, name);

	return value == NULL ? "" : value;
}

static void
unset(struct vars *vars, size_t i)
{
	if (i == vars->n)
		return;
	talloc_free(vars->env[i]);
	vars->n--;
	memmove(&vars->env[i], &vars->env[i + 1],
	    (vars->n - i + 1) * sizeof(vars->env[0]));
	memmove(&vars->name[i], &vars->name[i + 1],
	    (vars->n - i) * sizeof(vars->name[0]));
}

void
vars_set_bytes(struct vars *vars, const char *name, const char *value,
    size_t len)
{
	size_t nlen = strlen(name), i = find(vars, name, nlen);
	char *entry;

	len = strnlen(value, len);
	/* The new entry first: the value may lie in the old one. */
	entry = must(talloc_size(vars, nlen + 1 + len + 1));
	memcpy(entry, name, nlen);
	entry[nlen] = '=';
	memcpy(entry + nlen + 1, value, len);
	entry[nlen + 1 + len] = '\0';
	unset(vars, i);
	if (vars->n + 2 > vars->room) {
		vars->room *= 2;
		vars->env = must(talloc_realloc(vars, vars->env, char *,
		    (unsigned)vars->room));
		vars->name = must(talloc_realloc(vars, vars->name, size_t,
		    (unsigned)vars->room));
	}
	vars->name[vars->n] = nlen;
	vars->env[vars->n++] = entry;
	vars->env[vars->n] = NULL;
}

void
vars_set(struct vars *vars, const char *name, const char *value)
{
	if (value == NULL)
		unset(vars, find(vars, name, strlen(name)));
	else
		vars_set_bytes(vars, name, value, strlen(value));
}

char *const *
vars_environ(const struct vars *vars)
{
	return vars->env;
}

long
vars_number(long old, const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end != text)
		return n;
	text += strspn(text, " \t\n\v\f\r");
	if (*text != '\0' && strchr("yYtTeE", *text) != NULL)
		return 1;
	if (*text != '\0' && strchr("nNfFdD", *text) != NULL)
		return 0;
	if (*text == 'a' || *text == 'A')
		return 2;
	if (strncasecmp(text, "on", 2) == 0)
		return 1;
	return strncasecmp(text, "off", 3) == 0 ? 0 : old;
}
