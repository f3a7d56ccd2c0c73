/* SPDX-License-Identifier: ISC */
/*
 * explain.c - one user in plain words: where mail goes now, why, what next
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/pending.h"
#include "admin/record_json.h"
#include "admin/times.h"
#include "admin/users.h"
#include "admin/verbs.h"
#include "maps/route.h"
#include "maps/transition.h"

/* `user+ext@domain`: without the extension. */
static char *
without_extension(TALLOC_CTX *ctx, const char *addr)
{
	const char *plus = strchr(addr, '+'), *at = strrchr(addr, '@');

	if (plus == NULL || plus == addr || (at != NULL && plus > at))
		return NULL;
	return must(talloc_asprintf(ctx, "%.*s%s", (int)(plus - addr), addr,
	    at == NULL ? "" : at));
}

/* ST_NONE: no record has this address. */
static enum status
by_address(struct admin *ad, const char *addr, char **user, struct err *err)
{
	char *plain = without_extension(ad->conf, addr);
	enum status st;

	st = map_by_address(ad->map, ad->conf, addr, user, err);
	if (st == ST_NONE && plain != NULL)
		st = map_by_address(ad->map, ad->conf, plain, user, err);
	return st;
}

/*
 * Whose mail is it?  A user of this name; the owner of the address; the user
 * that local(8) would take: the local part without its extension.
 */
static enum status
find_user(struct admin *ad, const char *word, char **user, struct err *err)
{
	struct record *rec;
	enum status st = ST_NONE;
	char *plain;

	if (record_user_valid(word))
		st = map_get_stored(ad->map, ad->conf, word, &rec, err);
	if (st == ST_OK)
		*user = must(talloc_strdup(ad->conf, word));
	if (st != ST_NONE)
		return st;
	st = by_address(ad, word, user, err);
	if (st != ST_NONE)
		return st;
	plain = without_extension(ad->conf, word);
	*user = must(talloc_strdup(ad->conf, plain != NULL ? plain : word));
	if (strchr(*user, '@') != NULL)
		(*user)[strcspn(*user, "@")] = '\0';
	return ST_OK;
}

static char *
duration(TALLOC_CTX *ctx, long long s)
{
	return s < 120 ? must(talloc_asprintf(ctx, "%lld seconds", s)) :
	    s < 7200 ? must(talloc_asprintf(ctx, "%lld minutes", s / 60)) :
	    must(talloc_asprintf(ctx, "%lld hours", s / 3600));
}

static const char *
where(const struct record *rec, enum side side)
{
	return rec->side[side].mail == NULL ? "a location that is not named" :
	    rec->side[side].mail;
}

/* Who made the record what it is. */
static char *
say_record(TALLOC_CTX *ctx, const struct record *rec, time_t now)
{
	if (rec->is_default)
		return must(talloc_asprintf(ctx, "%s has no record; the map's "
		    "default counts: %s.", rec->user,
		    state_name(rec->state)));
	return must(talloc_asprintf(ctx, "%s is in state %s since version "
	    "%llu, made by %s at %s%s%s.", rec->user, state_name(rec->state),
	    (unsigned long long)rec->version, *rec->by == '\0' ? "an unknown "
	    "user" : rec->by, rec->at == 0 || rec->at > now ? "an unknown "
	    "time" : time_text(ctx, rec->at), *rec->why == '\0' ? "" : ": ",
	    rec->why));
}

static char *
say_delivery(TALLOC_CTX *ctx, const struct record *rec, const struct plan *plan)
{
	if (plan->ntarget == 2)
		return must(talloc_asprintf(ctx, "Mail is delivered to both "
		    "sides under one UID: %s (%s, which leads) and %s (%s).",
		    where(rec, plan->target[0]), side_name(plan->target[0]),
		    where(rec, plan->target[1]), side_name(plan->target[1])));
	if (plan->ntarget == 1)
		return must(talloc_asprintf(ctx, "Mail is delivered to %s "
		    "(%s).", where(rec, plan->target[0]),
		    side_name(plan->target[0])));
	return must(talloc_asprintf(ctx, "Mail is delivered to nobody now: it "
	    "waits in the mail queue, and is tried again."));
}

static char *
say_why(TALLOC_CTX *ctx, const struct record *rec, const struct plan *plan,
    time_t now)
{
	if (plan->due == STATE_CUTOVER)
		return must(talloc_asprintf(ctx, "The window began %s ago: the "
		    "next question to the map writes the cutover.",
		    duration(ctx, now - rec->begin)));
	if (plan->due != STATE_NONE)
		return must(talloc_asprintf(ctx, "The window ended %s ago: the "
		    "next question to the map writes %s again.",
		    duration(ctx, now - rec->end), state_name(plan->due)));
	if (rec->state == STATE_CUTOVER)
		return must(talloc_asprintf(ctx, "Its window is open for %s "
		    "more, until %s; then it goes back to %s by itself.",
		    duration(ctx, rec->end - now), time_text(ctx, rec->end),
		    state_name(rec->entered)));
	if (rec->end > now)
		return must(talloc_asprintf(ctx, "A window is planned, from %s "
		    "to %s.", time_text(ctx, rec->begin), time_text(ctx,
		    rec->end)));
	return must(talloc_asprintf(ctx, "No window is open or planned."));
}

static char *
say_serving(TALLOC_CTX *ctx, const struct record *rec, const struct plan *plan)
{
	if (plan->ntarget > 0)
		return must(talloc_asprintf(ctx, "IMAP is served from %s; SMTP "
		    "accepts.", where(rec, plan->leader)));
	return must(talloc_asprintf(ctx, "IMAP should say a temporary failure, "
	    "SMTP 451 for this recipient; %s led last.",
	    side_name(plan->leader)));
}

static char *
say_next(TALLOC_CTX *ctx, const struct record *rec, time_t now)
{
	char *legal = transition_legal(ctx, rec, now), *word, *rest = legal;
	char *out = must(talloc_strdup(ctx, ""));

	if (rec->is_default)
		return must(talloc_asprintf(ctx, "Next: mailferry add %s",
		    rec->user));
	while ((word = strsep(&rest, " ")) != NULL)
		if (*word != '\0')
			out = must(talloc_asprintf_append(out, "%smailferry "
			    "step %s %s%s", *out == '\0' ? "" : "; ", rec->user,
			    word, strcmp(word, "cutover") == 0 ? " --for "
			    "SECONDS" : ""));
	return must(talloc_asprintf(ctx, "Next: %s", *out == '\0' ?
	    "nothing is possible now" : out));
}

static void
add(json_t *text, const char *sentence)
{
	(void)json_array_append_new(text, must(json_string(sentence)));
}

/* What was seen in the mailboxes; of their UIDs only the inbox's matter
 * here. */
static void
say_found(json_t *text, json_t *found)
{
	const char *what, *box;
	char *line;
	size_t i;
	json_t *one;

	json_array_foreach(found, i, one) {
		what = json_string_value(json_object_get(one, "what"));
		box = json_string_value(json_object_get(one, "mailbox"));
		if (strcmp(what, "uid") == 0 && strcmp(box, "INBOX") != 0)
			continue;
		line = must(talloc_asprintf(NULL, "%s, %s: %s.",
		    json_string_value(json_object_get(one, "side")), box,
		    json_string_value(json_object_get(one, "text"))));
		add(text, line);
		talloc_free(line);
	}
}

static json_t *
explain(struct admin *ad, const struct record *rec, time_t now)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	json_t *obj = record_json_shown(rec, now), *text = must(json_array()),
	    *found;
	json_t *targets = must(json_array());
	struct plan plan;
	struct err err;
	int i;

	(void)!route(rec, now, &plan);
	for (i = 0; i < plan.ntarget; i++)
		add(targets, side_name(plan.target[i]));
	add(text, say_record(ctx, rec, now));
	add(text, say_delivery(ctx, rec, &plan));
	add(text, say_serving(ctx, rec, &plan));
	add(text, say_why(ctx, rec, &plan, now));
	add(text, say_next(ctx, rec, now));
	if (pending_look(rec, ad->conf, &found, &err) != ST_OK)
		add(text, must(talloc_asprintf(ctx, "The mailboxes: %s.",
		    err.text)));
	say_found(text, found);
	(void)json_object_set_new(obj, "delivered_to", targets);
	(void)json_object_set_new(obj, "next", json_string(
	    transition_legal(ctx, rec, now)));
	(void)json_object_set_new(obj, "pending", found);
	(void)json_object_set_new(obj, "text", text);
	talloc_free(ctx);
	return obj;
}

static int
explain_one(struct admin *ad, const char *word, void *arg, struct err *err)
{
	struct record *rec = NULL;
	char *user = NULL;
	enum status st;
	json_t *obj, *line;
	size_t i;

	(void)arg;
	st = find_user(ad, word, &user, err);
	if (st == ST_OK)
		st = admin_get(ad, user, &rec, err);
	if (st != ST_OK)
		return admin_status(st);
	users_separate(ad);
	obj = explain(ad, rec, time(NULL));
	if (ad->json) {
		json_print(stdout, obj);
		return EXIT_DONE;
	}
	json_array_foreach(json_object_get(obj, "text"), i, line)
		(void)printf("%s\n", json_string_value(line));
	json_decref(obj);
	return EXIT_DONE;
}

static int
run(struct admin *ad, struct err *err)
{
	return users_each(ad, ad->line.argc, explain_one, NULL, err);
}

const struct verb verb_explain = {
	.name = "explain", .run = run, .operands = "USER|ADDRESS...",
	.max = OPERANDS_ANY, .users = true,
	.does = "Say in plain words where a user's mail goes now, and why, and "
	    "which steps are\nlegal next.",
};
