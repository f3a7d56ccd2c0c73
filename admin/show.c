/* SPDX-License-Identifier: ISC */
/*
 * show.c - show, list, history, watch: what the map says
 */
#include "admin/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/record_json.h"
#include "admin/times.h"
#include "admin/users.h"
#include "admin/verbs.h"
#include "maps/route.h"

#define HISTORY_LIMIT	1000
#define HISTORY_MAX	1000000000

static void
put(const char *key, const char *value)
{
	if (value != NULL && *value != '\0')
		(void)printf("%s %s\n", key, value);
}

void
show_record(const struct record *rec, time_t now)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	const char **a;
	size_t i;

	put("user", rec->user);
	if (rec->is_default)
		put("default", "yes");
	if (rec->uid != -1)
		(void)printf("uid %ld\n", rec->uid);
	put("state", state_name(rec->state));
	put("effective", state_name(route_effective(rec, now)));
	put("leader", side_name(record_leader(rec)));
	(void)printf("version %llu\n", (unsigned long long)rec->version);
	if (rec->end != 0)
		(void)printf("window %s %s\n", time_text(ctx, rec->begin),
		    time_text(ctx, rec->end));
	put("old", rec->side[OLD].mail);
	put("old_control", rec->side[OLD].control);
	put("old_index", rec->side[OLD].index);
	put("new", rec->side[NEW].mail);
	put("new_control", rec->side[NEW].control);
	put("new_index", rec->side[NEW].index);
	for (a = rec->address; *a != NULL; a++)
		put("address", *a);
	for (i = 0; i < rec->nfloor; i++)
		(void)printf("floor %s %lu %lu\n", rec->floor[i].guid,
		    (unsigned long)rec->floor[i].validity,
		    (unsigned long)rec->floor[i].next);
	put("by", rec->by);
	if (rec->at != 0)
		put("at", time_text(ctx, rec->at));
	put("why", rec->why);
	talloc_free(ctx);
}

static int
show_one(struct admin *ad, const char *user, void *arg, struct err *err)
{
	struct record *rec;
	enum status st;

	(void)arg;
	st = admin_get(ad, user, &rec, err);
	if (st != ST_OK)
		return admin_status(st);
	users_separate(ad);
	if (ad->json)
		json_print(stdout, record_json_shown(rec, time(NULL)));
	else
		show_record(rec, time(NULL));
	return EXIT_DONE;
}

static int
show(struct admin *ad, struct err *err)
{
	return users_each(ad, ad->line.argc, show_one, NULL, err);
}

const struct verb verb_show = {
	.name = "show", .run = show, .operands = "USER...", .max = OPERANDS_ANY,
	.users = true,
	.does = "Print records, or what the map's default makes of a user.",
};

struct listing {
	const struct admin	*ad;
	enum state		 only;	/* STATE_NONE: all */
	struct listed {
		const char	*user, *line;	/* children of the array */
	}			*row;
	unsigned		 n;
};

static enum status
list_one(const struct record *rec, void *arg, struct err *err)
{
	struct listing *l = arg;
	time_t now = time(NULL);
	enum state state = route_effective(rec, now);
	struct listed *row;

	(void)err;
	if (l->only != STATE_NONE && state != l->only)
		return ST_OK;
	l->row = must(talloc_realloc(l->ad->conf, l->row, struct listed,
	    l->n + 1));
	row = &l->row[l->n++];
	row->user = must(talloc_strdup(l->row, rec->user));
	row->line = l->ad->json ? json_line(l->row, record_json_shown(rec,
	    now)) : must(talloc_asprintf(l->row, "%s %s %s %llu", rec->user,
	    state_name(state), side_name(record_leader(rec)), (unsigned long
	    long)rec->version));
	return ST_OK;
}

static int
compare_rows(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	return strcmp(x->user, y->user);
}

static int
list(struct admin *ad, struct err *err)
{
	struct listing l = { ad, STATE_NONE, NULL, 0 };
	enum status st;
	unsigned i;

	if (ad->line.argc == 1 &&
	    !admin_state("list", ad->line.argv[0], &l.only, err))
		return EXIT_USAGE;
	st = map_each(ad->map, list_one, &l, err);
	if (st != ST_OK)
		return admin_status(st);
	if (l.n > 0)
		qsort(l.row, l.n, sizeof(*l.row), compare_rows);
	for (i = 0; i < l.n; i++)
		(void)printf("%s\n", l.row[i].line);
	talloc_free(l.row);
	return EXIT_DONE;
}

const struct verb verb_list = {
	.name = "list", .run = list, .operands = "[STATE]", .max = 1,
	.does = "Print a line for each record, sorted: user, effective state, "
	    "leader, version.",
};

static enum status
show_change(const struct change *ch, void *arg, struct err *err)
{
	const struct admin *ad = arg;
	char *at;

	(void)err;
	if (ad->json) {
		json_print(stdout, change_json(ch));
		return ST_OK;
	}
	at = time_text(NULL, ch->by.at);
	(void)printf("%s %s %s -> %s by %s%s%s\n", at, ch->user,
	    ch->was == NULL ? "none" : state_name(ch->was->state),
	    ch->is == NULL ? "none" : state_name(ch->is->state), ch->by.by,
	    *ch->by.why == '\0' ? "" : ": ", ch->by.why);
	talloc_free(at);
	return ST_OK;
}

/* The user whose changes are wanted, NULL: everybody.  The default's are kept
 * under a name that no shell should have to quote. */
static const char *
whose(const struct admin *ad)
{
	return ad->line.argc == 0 ? NULL :
	    strcmp(ad->line.argv[0], "default") == 0 ? RECORD_DEFAULT :
	    ad->line.argv[0];
}

static int
history(struct admin *ad, struct err *err)
{
	const char *text = cmdline_value(&ad->line, "limit", 0);
	long limit = HISTORY_LIMIT;
	char *end;

	if (text != NULL) {
		limit = strtol(text, &end, 10);
		if (end == text || *end != '\0' || limit < 1 ||
		    limit > HISTORY_MAX)
			return admin_usage(err, "--limit: %s is no number from "
			    "1 to %d", text, HISTORY_MAX);
	}
	return admin_status(map_history(ad->map, whose(ad), (int)limit,
	    show_change, ad, err));
}

static const struct option history_options[] = {
	{ "limit", "N", "at most so many changes (1000)", 0 },
	{ NULL, NULL, NULL, 0 },
};

const struct verb verb_history = {
	.name = "history", .run = history, .operands = "[USER | default]",
	.max = 1, .options = history_options,
	.does = "Print the changes of the map, the latest first.",
};

struct watching {
	struct admin	*ad;
	const char	*user;		/* NULL: everybody */
};

static enum status
watch_change(const struct change *ch, void *arg, struct err *err)
{
	const struct watching *w = arg;
	enum status st = ST_OK;

	if (ch == NULL)			/* it has begun */
		return ST_OK;
	if (w->user == NULL || strcmp(w->user, ch->user) == 0)
		st = show_change(ch, w->ad, err);
	return fflush(stdout) == 0 ? st : ST_NONE;	/* the reader is gone */
}

static int
watch(struct admin *ad, struct err *err)
{
	struct watching w = { ad, whose(ad) };

	return admin_status(map_watch(ad->map, watch_change, &w, err));
}

const struct verb verb_watch = {
	.name = "watch", .run = watch, .operands = "[USER | default]", .max = 1,
	.does = "Print each change of the map as it happens, until "
	    "interrupted.",
};
