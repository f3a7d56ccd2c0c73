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
#include "admin/verbs.h"
#include "maps/route.h"

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

int
verb_show(struct admin *ad, struct err *err)
{
	struct record *rec;
	enum status st;

	if (ad->argc != 1)
		return EXIT_USAGE;
	st = admin_get(ad, ad->argv[0], &rec, err);
	if (st == ST_OK && ad->json)
		json_print(stdout, record_json_shown(rec, time(NULL)));
	else if (st == ST_OK)
		show_record(rec, time(NULL));
	return admin_status(st);
}

struct listing {
	const struct admin	*ad;
	enum state		 only;	/* STATE_NONE: all */
};

static enum status
list_one(const struct record *rec, void *arg, struct err *err)
{
	const struct listing *l = arg;
	time_t now = time(NULL);

	(void)err;
	if (l->only != STATE_NONE && route_effective(rec, now) != l->only)
		return ST_OK;
	if (l->ad->json)
		json_print(stdout, record_json_shown(rec, now));
	else
		(void)printf("%s %s %s %llu\n", rec->user,
		    state_name(route_effective(rec, now)),
		    side_name(record_leader(rec)),
		    (unsigned long long)rec->version);
	return ST_OK;
}

/* USER EFFECTIVE LEADER VERSION, a line each. */
int
verb_list(struct admin *ad, struct err *err)
{
	struct listing l = { ad, STATE_NONE };

	if (ad->argc > 1)
		return EXIT_USAGE;
	if (ad->argc == 1 && (l.only = state_parse(ad->argv[0])) == STATE_NONE)
		return EXIT_USAGE;
	return admin_status(map_each(ad->map, list_one, &l, err));
}

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

/* The default's are kept under a name that no shell should have to quote. */
static const char *
whose(struct admin *ad, int i)
{
	return ad->argc == i ? NULL : strcmp(ad->argv[i], "default") == 0 ?
	    RECORD_DEFAULT : ad->argv[i];
}

int
verb_history(struct admin *ad, struct err *err)
{
	int limit = 1000, i = 0;

	if (ad->argc >= 2 && strcmp(ad->argv[0], "--limit") == 0) {
		limit = atoi(ad->argv[1]);
		i = 2;
	}
	if (ad->argc > i + 1 || limit < 1)
		return EXIT_USAGE;
	return admin_status(map_history(ad->map, whose(ad, i), limit,
	    show_change, ad, err));
}

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
	return fflush(stdout) == 0 ? st : ST_NONE;	/* nobody reads */
}

int
verb_watch(struct admin *ad, struct err *err)
{
	struct watching w = { ad, NULL };

	if (ad->argc > 1)
		return EXIT_USAGE;
	w.user = whose(ad, 0);
	return admin_status(map_watch(ad->map, watch_change, &w, err));
}
