/* SPDX-License-Identifier: ISC */
/*
 * said_fuzz.c - what a worker process may report to mapd's loop
 *
 * Input: a letter, then what the worker writes.  A answers, and has a request
 * each time; a answers, and has none; K keeps; F follows.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "maps/change.h"
#include "maps/mapd/cache.h"
#include "maps/mapd/news.h"
#include "maps/mapd/said.h"

#define USERS	64

/* What the copy must have: by user the state that is counted. */
static struct known {
	char		 user[RECORD_USER_MAX + 1];
	enum state	 state;
	unsigned	 round;
} known[USERS];
static int nknown;
static unsigned round_now;

static struct conf *conf;

static void
within(const void *p, size_t n, const char *buf, size_t len)
{
	const char *q = p;

	HOLDS(q >= buf && n <= len && (size_t)(q - buf) <= len - n);
}

/* A string with its NUL. */
static void
string_within(const char *s, const char *buf, size_t len)
{
	within(s, 0, buf, len);
	HOLDS(memchr(s, '\0', len - (size_t)(s - buf)) != NULL);
}

static void
check_answer(const struct answer *a, const char *buf, size_t len)
{
	HOLDS(a->st == ST_OK || a->st == ST_NONE || a->st == ST_AGAIN ||
	    a->st == ST_NEVER);
	within(a->data, a->len, buf, len);
	if (a->why != NULL)
		string_within(a->why, buf, len);
}

static enum state
state_of(const struct followed *rec)
{
	enum state state = STATE_NONE;
	struct record *parsed;
	struct err err;

	if (rec->text == NULL || strcmp(rec->user, RECORD_DEFAULT) == 0 ||
	    record_parse(NULL, rec->user, rec->text, strlen(rec->text), &parsed,
	    &err) != ST_OK)
		return STATE_NONE;
	state = parsed->state;
	talloc_free(parsed);
	return state;
}

static bool
know(const struct followed *rec)
{
	int i;

	for (i = 0; i < nknown && strcmp(known[i].user, rec->user) != 0; i++)
		continue;
	if (i == USERS)
		return false;
	if (i == nknown)
		(void)strcpy(known[nknown++].user, rec->user);
	known[i].state = state_of(rec);
	known[i].round = round_now;
	return true;
}

static void
forget(void)
{
	int i;

	for (i = 0; i < nknown; i++)
		if (known[i].round != round_now)
			known[i--] = known[--nknown];
}

static void
check_users(const struct map *cache)
{
	const uint64_t *users = mapcache_users(cache);
	uint64_t want[STATE_NEW + 1] = { 0 };
	int i;

	for (i = 0; i < nknown; i++)
		want[known[i].state]++;
	HOLDS(memcmp(users, want, sizeof(want)) == 0);
}

/* False: more users than are looked after here. */
static bool
follow(struct map *cache, const struct said *said, const char *buf, size_t len)
{
	const struct followed *rec = &said->rec;

	if (said->event == FOLLOW_RECORD) {
		string_within(rec->user, buf, len);
		HOLDS(record_user_valid(rec->user) ||
		    strcmp(rec->user, RECORD_DEFAULT) == 0);
		if (rec->text != NULL)
			string_within(rec->text, buf, len);
		if (rec->change != NULL)
			string_within(rec->change, buf, len);
		if (!know(rec))
			return false;
	}
	round_now += said->event == FOLLOW_BEGIN;
	if (said->event == FOLLOW_COMPLETE)
		forget();
	mapcache_take(cache, said->event, rec);
	check_users(cache);
	HOLDS(said->event != FOLLOW_COMPLETE || mapcache_age(cache) >= 0);
	return true;
}

/* Written by our own worker it has these very bytes. */
static void
check_format(const struct said *said, const char *buf, size_t used)
{
	size_t len;
	char *text = said_format(NULL, said, &len);

	HOLDS(text != NULL && len == used && memcmp(text, buf, len) == 0);
	talloc_free(text);
}

static enum status
see(const struct change *ch, void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	HOLDS(ch->user != NULL && ch->by.by != NULL && ch->by.why != NULL);
	return ST_OK;
}

static struct speaker
speaker_of(char letter)
{
	return (struct speaker){ .role = letter == 'K' ? KEEPS :
	    letter == 'F' ? FOLLOWS : ANSWERS };
}

static bool
take(struct map *cache, struct news *news, const struct said *said,
    const char *buf, size_t used)
{
	if (said->what == SAID_FOLLOWED)
		return follow(cache, said, buf, used);
	if (said->what == SAID_ANSWER)
		check_answer(&said->answer, buf, used);
	else {
		within(said->change, said->change_len, buf, used);
		(void)news_made(news, said->change, said->change_len,
		    said->imported);
	}
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = fuzz_input(data, size);
	struct speaker sp = speaker_of(size > 0 ? *in.p : 'a');
	bool asks = size > 0 && *in.p == 'A', going = true;
	struct map *cache;
	struct news *news;
	struct said said;
	struct err err;
	size_t used;

	if (conf == NULL)
		HOLDS(conf_parse(NULL, "fuzz.conf", "", 0, &conf, &err) ==
		    ST_OK);
	cache = mapcache_new(NULL, conf);
	news = news_new(NULL, see, NULL);
	nknown = 0;
	in.p += size > 0;
	while (going) {
		sp.asked = asks;
		if (said_parse(&sp, in.p, (size_t)(in.end - in.p), &said,
		    &used) != ST_OK)
			break;
		HOLDS(used > 0 && used <= (size_t)(in.end - in.p));
		HOLDS((said.what == SAID_FOLLOWED) == (sp.role == FOLLOWS));
		HOLDS(said.what != SAID_ANSWER || asks);
		HOLDS(!sp.asked || said.what != SAID_ANSWER);
		check_format(&said, in.p, used);
		going = take(cache, news, &said, in.p, used);
		in.p += used;
	}
	talloc_free(news);
	talloc_free(cache);
	return 0;
}
