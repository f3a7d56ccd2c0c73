/* SPDX-License-Identifier: ISC */
/*
 * wire_fuzz.c - requests to mailferry-mapd, answered from a real map
 *
 * Input: requests with a line `----` between them.  The first letter says who
 * asks: A an admin, T a trusted user, U uid 1000; a blank follows.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <unistd.h>

#include "maps/backend.h"
#include "maps/mapd/wire_answer.h"
#include "maps/wire.h"

#define BREAK	"\n----\n"
#define UID	1000

static struct conf *conf;

static struct map *
open_map(void)
{
	struct map *map = NULL;
	struct err err;

	HOLDS(
	    map_open(NULL, conf, MAP_OWNER | MAP_CREATE, &map, &err) == ST_OK);
	return map;
}

static void
make_conf(void)
{
	char *text = must(talloc_asprintf(NULL, "map = tdb:%s/map.tdb\n"
	    "old_mail = /old/%%u\nnew_mail = /new/%%u\n", fuzz_path()));
	struct err err;

	HOLDS(conf_parse(NULL, "fuzz.conf", text,
	    strlen(text), &conf, &err) == ST_OK);
	talloc_free(text);
}

static struct wire_peer
peer_of(char letter)
{
	return (struct wire_peer){ .uid = letter == 'A' ? 0 : UID,
	    .trusted = letter == 'T', .admin = letter == 'A' };
}

/* Who is no admin learns his own record and the default, and no more. */
static void
check_permitted(TALLOC_CTX *ctx, const struct wire_peer *peer,
    const char *request, size_t len, enum status st, const char *body,
    size_t blen)
{
	char *copy = must(talloc_strndup(ctx, request, len));
	struct record *rec;
	struct err err;

	if (peer->admin)
		return;
	HOLDS(st == ST_OK || st == ST_NEVER || st == ST_AGAIN);
	if (st != ST_OK)
		return;
	if (peer->trusted && strncmp(copy, "recipient ", 10) == 0)
		return;
	HOLDS(strncmp(copy, "get ", 4) == 0);
	copy[4 + strcspn(copy + 4, " \n")] = '\0';
	HOLDS(record_parse(ctx, copy + 4, body, blen, &rec, &err) == ST_OK);
	HOLDS(peer->trusted || rec->is_default || rec->uid == UID);
}

static void
ask(struct map *map, const char *request, size_t len)
{
	struct wire_peer peer = peer_of(len > 0 ? request[0] : 'U');
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct answer out = { .st = ST_OK };
	const char *body = NULL;
	size_t blen = 0;
	enum status st;
	struct err err;

	request += len < 2 ? len : 2;
	len -= len < 2 ? len : 2;
	protocol_map.answer(ctx, map, &peer, request, len, &out);
	HOLDS(out.len <= WIRE_ANSWER_MAX && strlen(out.data) == out.len);
	st = wire_result(out.data, out.len, &body, &blen, &err);
	HOLDS(st == out.st);
	HOLDS(st != ST_AGAIN || strncmp(out.data, "AGAIN ", 6) == 0);
	if (st == ST_AGAIN || st == ST_NEVER)
		fuzz_err(&err);
	HOLDS(!out.watch || (peer.admin && len >= 5 &&
	    memcmp(request, "watch", 5) == 0));
	check_permitted(ctx, &peer, request, len, st, body, blen);
	talloc_free(ctx);
}

static enum status
count(const struct record *rec, void *arg, struct err *err)
{
	struct record *got;

	/* Every record that is stored can be asked for. */
	HOLDS(record_user_valid(rec->user));
	HOLDS(map_get_stored(arg, NULL, rec->user, &got, err) == ST_OK);
	talloc_free(got);
	return ST_OK;
}

static enum status
see(const struct change *ch, void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	HOLDS(ch->seq > 0 && ch->user != NULL);
	return ST_OK;
}

/* Whatever was accepted, the map can be read. */
static void
check_map(struct map *map)
{
	enum status st;
	struct err err;

	while ((st = map->ops->tick(map, &err)) == ST_OK)
		continue;
	HOLDS(st == ST_NONE);
	HOLDS(map_each(map, count, map, &err) == ST_OK);
	HOLDS(map_history(map, NULL, 1000, see, NULL, &err) == ST_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = fuzz_input(data, size);
	const char *next;
	struct map *map;

	if (conf == NULL)
		make_conf();
	fuzz_clear(fuzz_dir());
	map = open_map();
	for (; in.p < in.end; in.p = next) {
		const char *end = memmem(in.p, (size_t)(in.end - in.p), BREAK,
		    strlen(BREAK));

		next = end == NULL ? in.end : end + strlen(BREAK);
		ask(map, in.p,
		    (size_t)((end == NULL ? in.end : end + 1) - in.p));
	}
	check_map(map);
	talloc_free(map);
	map = open_map();
	check_map(map);
	talloc_free(map);
	return 0;
}
