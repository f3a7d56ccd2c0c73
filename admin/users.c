/* SPDX-License-Identifier: ISC */
/*
 * users.c - the users that a verb works on, one after another
 */
#include "admin/users.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/cohort.h"
#include "maps/route.h"

const struct option users_options[] = {
	{ "cohort", "FILE", "the users of this file as well, a user a line",
	    0 },
	{ "in", "STATE", "only users in this state; if none is named, all of "
	    "them", 0 },
	{ NULL, NULL, NULL, 0 },
};

struct users {
	char		**name;		/* talloc array; its strings below it */
	unsigned	 n;
	void		*seen;		/* tree of the names */
	enum state	 in;		/* STATE_NONE: any */
};

static void
leave(void *name)			/* it is talloc's */
{
	(void)name;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
add(const char *user, void *arg)
{
	struct users *u = arg;
	char *name = must(talloc_strdup(u->name, user));
	char **at = must(tsearch(name, &u->seen, compare));

	if (*at != name) {
		talloc_free(name);
		return;
	}
	u->name = must(talloc_realloc(NULL, u->name, char *, u->n + 1));
	u->name[u->n++] = name;
}

static enum status
add_record(const struct record *rec, void *arg, struct err *err)
{
	struct users *u = arg;

	(void)err;
	if (route_effective(rec, time(NULL)) == u->in)
		add(rec->user, u);
	return ST_OK;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Everybody in that state. */
static enum status
add_all(struct admin *ad, struct users *u, struct err *err)
{
	enum status st = map_each(ad->map, add_record, u, err);

	if (u->n > 0)
		qsort(u->name, u->n, sizeof(*u->name), compare_names);
	return st;
}

static int
find_users(struct admin *ad, int n, struct users *u, struct err *err)
{
	const char *file = cmdline_value(&ad->line, "cohort", 0);
	const char *in = cmdline_value(&ad->line, "in", 0);
	enum status st = ST_OK;
	int i;

	if (in != NULL && !admin_state("--in", in, &u->in, err))
		return EXIT_USAGE;
	if (n == 0 && file == NULL && in == NULL)
		return admin_usage(err, "no user is named");
	for (i = 0; i < n; i++)
		add(ad->line.argv[i], u);
	if (file != NULL)
		st = cohort_each(file, add, u, err);
	else if (n == 0)
		st = add_all(ad, u, err);
	return admin_status(st);
}

/* Is the user in the state that --in names? */
static enum status
is_wanted(struct admin *ad, const struct users *u, const char *user,
    struct err *err)
{
	struct record *rec = NULL;
	enum status st;

	if (u->in == STATE_NONE)
		return ST_OK;
	st = admin_get(ad, user, &rec, err);
	if (st == ST_OK && route_effective(rec, time(NULL)) != u->in)
		st = ST_NONE;
	talloc_free(rec);
	return st;
}

/* Is the user named in it, as a word of its own? */
static bool
is_named(const char *text, const char *user)
{
	static const char ends[] = " :;,'\"/()";
	size_t len = strlen(user);
	const char *p = text;

	for (; (p = strstr(p, user)) != NULL; p++)
		if ((p == text || strchr(ends, p[-1]) != NULL) &&
		    strchr(ends, p[len]) != NULL)
			return true;
	return false;
}

/* What is no user's name may be anything, and is in the error already. */
static void
report(const char *user, const struct err *err)
{
	(void)fflush(stdout);
	if (!record_user_valid(user) || is_named(err->text, user))
		(void)fprintf(stderr, "mailferry: %s\n", err->text);
	else
		(void)fprintf(stderr, "mailferry: %s: %s\n", user, err->text);
}

static int
worse(int a, int b)
{
	static const int order[] = { EXIT_USAGE, EXIT_REFUSED, EXIT_LATER,
	    EXIT_DONE };
	size_t i;

	for (i = 0; order[i] != a && order[i] != b; i++)
		continue;
	return order[i];
}

int
users_each(struct admin *ad, int n, user_fn *fn, void *arg, struct err *err)
{
	struct users u = { .in = STATE_NONE };
	enum status st;
	int rc, one;
	unsigned i;

	u.name = must(talloc_array(NULL, char *, 1));
	rc = find_users(ad, n, &u, err);
	if (rc != EXIT_DONE)
		goto out;
	for (i = 0; i < u.n; i++) {
		st = is_wanted(ad, &u, u.name[i], err);
		if (st == ST_NONE)
			continue;
		one = st == ST_OK ? fn(ad, u.name[i], arg, err) :
		    admin_status(st);
		if (one != EXIT_DONE)
			report(u.name[i], err);
		rc = worse(rc, one);
	}
	err->text[0] = '\0';
out:
	tdestroy(u.seen, leave);
	talloc_free(u.name);
	return rc;
}

void
users_separate(struct admin *ad)
{
	if (ad->shown++ > 0 && !ad->json)
		(void)putchar('\n');
}
