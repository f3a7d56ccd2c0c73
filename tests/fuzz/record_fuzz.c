/* SPDX-License-Identifier: ISC */
/*
 * record_fuzz.c - records: what was read is written the same, and every step of
 * it is one that can be read again
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "maps/location.h"
#include "maps/record.h"
#include "maps/route.h"
#include "maps/transition.h"

/* Whose record it says to be, as the socket backend finds out. */
static const char *
user_of(TALLOC_CTX *ctx, const char *text, size_t len)
{
	char *copy = must(talloc_strndup(ctx, text, len));
	char *user = strstr(copy, "\nuser ");

	if (user == NULL)
		return "alice";
	user += 6;
	user[strcspn(user, "\n")] = '\0';
	return user;
}

static void
reads_back(TALLOC_CTX *ctx, const struct record *rec)
{
	char *text = record_format(ctx, rec), *again;
	struct record *back;
	struct err err;

	if (strlen(text) > RECORD_TEXT_MAX)
		return;			/* the map refuses to store it */
	HOLDS(record_parse(ctx, rec->user, text, strlen(text), &back, &err) ==
	    ST_OK);
	again = record_format(ctx, back);
	HOLDS(strcmp(text, again) == 0);
	again = record_format(ctx, record_copy(ctx, rec));
	HOLDS(strcmp(text, again) == 0);
}

static void
check_path(const char *path)
{
	if (path != NULL)
		HOLDS(path[0] == '/' && strstr(path, "/../") == NULL &&
		    strchr(path, '\n') == NULL);
}

static void
check_fields(const struct record *rec)
{
	int s;

	HOLDS(record_user_valid(rec->user) ||
	    strcmp(rec->user, RECORD_DEFAULT) == 0);
	HOLDS(rec->begin >= 0 && rec->end >= 0 && rec->at >= 0);
	HOLDS(rec->end == 0 || rec->begin < rec->end);
	HOLDS(rec->led <= rec->version);
	for (s = OLD; s <= NEW; s++) {
		check_path(rec->side[s].mail);
		check_path(rec->side[s].control);
		check_path(rec->side[s].index);
	}
}

static void
check_plan(const struct record *rec, time_t now)
{
	struct plan plan;

	if (route(rec, now, &plan) == ST_OK) {
		HOLDS(plan.ntarget >= 1 && plan.ntarget <= 2);
		HOLDS(plan.target[0] == record_leader(rec));
		HOLDS(plan.due == STATE_NONE && plan.retry_after == 0);
	} else
		HOLDS(plan.ntarget == 0 && plan.retry_after >= RETRY_MIN);
}

static void
check_steps(TALLOC_CTX *ctx, const struct record *rec, time_t now)
{
	struct record *is, *dflt = record_copy(ctx, rec);
	struct plan plan;
	enum state to;
	struct err err;

	dflt->state = STATE_OLD;
	for (to = STATE_OLD; to <= STATE_NEW; to++) {
		time_t begin = to == STATE_CUTOVER ? now : 0;
		time_t end = to == STATE_CUTOVER ? now + 60 : 0;

		if (transition_step(ctx, rec, to, begin, end, now, &is, &err) !=
		    ST_OK) {
			fuzz_err(&err);
			continue;
		}
		reads_back(ctx, is);
		/* Judged as every other change; a location may be missing. */
		if (transition_check(rec, is, dflt, now, &err) != ST_OK)
			HOLDS(strstr(err.text, "location") != NULL);
	}
	(void)!route(rec, now, &plan);
	if (plan.due != STATE_NONE)
		reads_back(ctx, transition_due(ctx, rec, plan.due, now));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = fuzz_input(data, size);
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	const char *user = user_of(ctx, in.p, size);
	struct record *rec = NULL;
	struct err err;
	enum status st;

	st = record_parse(ctx, user, in.p, size, &rec, &err);
	if (st != ST_OK) {
		HOLDS(st == ST_NEVER && rec == NULL);
		fuzz_err(&err);
	} else {
		HOLDS(strcmp(rec->user, user) == 0);
		check_fields(rec);
		reads_back(ctx, rec);
		check_plan(rec, 1700000000);
		check_plan(rec, rec->begin);
		check_plan(rec, rec->end);
		if (strcmp(user, RECORD_DEFAULT) != 0)
			check_steps(ctx, rec, 1700000000);
	}
	talloc_free(ctx);
	return 0;
}
