/*
 * show.c - show, list, history, default: what the map says
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin.h"
#include "maps/route.h"

char *
admin_time(TALLOC_CTX *ctx, time_t t)
{
	char text[32];
	struct tm tm;

	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
	return must(talloc_strdup(ctx, text));
}

/* The state that route() acts by: what is due counts as done. */
static enum state
effective(const struct record *rec, time_t now)
{
	struct plan plan;

	if (route(rec, now, &plan) == ST_AGAIN && plan.due != STATE_NONE)
		return plan.due;
	return rec->state;
}

static void
put(const char *key, const char *value)
{
	if (value != NULL && *value != '\0')
		(void)printf("%s %s\n", key, value);
}

void
admin_show(const struct record *rec, time_t now)
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
	put("effective", state_name(effective(rec, now)));
	put("leader", side_name(record_leader(rec)));
	(void)printf("version %llu\n", (unsigned long long)rec->version);
	if (rec->end != 0)
		(void)printf("window %s %s\n", admin_time(ctx, rec->begin),
		    admin_time(ctx, rec->end));
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
		put("at", admin_time(ctx, rec->at));
	put("why", rec->why);
	talloc_free(ctx);
}

int
verb_show(struct admin *ad, struct err *err)
{
	struct record *rec;
	enum status st;
	const char *home;
	long uid;

	if (ad->argc != 1)
		return EXIT_USAGE;
	home = admin_home(ad->conf, ad->argv[0], &uid);
	st = map_get(ad->map, ad->conf, ad->argv[0], home, time(NULL), &rec, err);
	if (st == ST_OK)
		admin_show(rec, time(NULL));
	return admin_status(st);
}

static enum status
list_one(const struct record *rec, void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	(void)printf("%s %s %s %llu\n", rec->user,
	    state_name(effective(rec, time(NULL))),
	    side_name(record_leader(rec)), (unsigned long long)rec->version);
	return ST_OK;
}

/* USER EFFECTIVE LEADER VERSION, a line each. */
int
verb_list(struct admin *ad, struct err *err)
{
	if (ad->argc != 0)
		return EXIT_USAGE;
	return admin_status(map_each(ad->map, list_one, NULL, err));
}

static enum status
show_change(const struct change *ch, void *arg, struct err *err)
{
	char *at = admin_time(NULL, ch->by.at);

	(void)arg;
	(void)err;
	(void)printf("%s %s %s -> %s by %s%s%s\n", at, ch->user,
	    ch->was == NULL ? "none" : state_name(ch->was->state),
	    ch->is == NULL ? "none" : state_name(ch->is->state), ch->by.by,
	    *ch->by.why == '\0' ? "" : ": ", ch->by.why);
	talloc_free(at);
	return ST_OK;
}

int
verb_history(struct admin *ad, struct err *err)
{
	if (ad->argc > 1)
		return EXIT_USAGE;
	return admin_status(map_history(ad->map, ad->argc == 0 ? NULL :
	    ad->argv[0], 1000, show_change, NULL, err));
}

int
verb_default(struct admin *ad, struct err *err)
{
	struct record *rec = NULL;
	enum status st;

	if (ad->argc != 0)
		return EXIT_USAGE;
	st = map_get_stored(ad->map, ad->conf, RECORD_DEFAULT, &rec, err);
	if (st == ST_OK)
		admin_show(rec, time(NULL));
	else if (st == ST_NONE)
		(void)puts("user *\nstate old\nleader old\nversion 0");
	return st == ST_NONE ? EXIT_DONE : admin_status(st);
}
