/* SPDX-License-Identifier: ISC */
/*
 * lookups.h - the map that the targets of the look-ups ask
 *
 * Made once, in the fuzzer's own directory: alice in old with the address
 * sales@shop.test, bob in new, dave in a window of years, joe@v.test in settle.
 */
#ifndef TESTS_FUZZ_LOOKUPS_H
#define TESTS_FUZZ_LOOKUPS_H

#include <string.h>
#include <time.h>

#include "maps/backend.h"
#include "maps/mapd/protocol.h"
#include "maps/transition.h"
#include "tests/fuzz/fuzz.h"

static const struct change_by lookups_by = { "fuzz", 1000, "" };

static void
lookups_add(struct map *map, const char *user, enum state state,
    const char *address)
{
	const char *addresses[] = { address, NULL };
	struct record rec = { .user = user, .uid = 1000, .state = state,
	    .version = 1, .address = addresses, .by = "", .why = "",
	    .unknown = "", .led = state >= STATE_SETTLE };
	struct err err;

	HOLDS(map_replace(map, NULL, &rec, &lookups_by, NULL, &err) == ST_OK);
}

static struct map *
lookups_map(void)
{
	static struct map *map;
	char *text;
	struct conf *conf;
	struct record *was, *is;
	time_t now = time(NULL);
	struct err err;

	if (map != NULL)
		return map;
	(void)fuzz_dir();
	text = must(talloc_asprintf(NULL, "map = tdb:%s/map.tdb\n"
	    "old_mail = /secret/old/%%u\nnew_mail = /secret/new/%%u\n"
	    "domains = x.test\ntransport_old = old:%%u\n"
	    "transport_new = new:%%u\n", fuzz_path()));
	HOLDS(conf_parse(NULL, "fuzz.conf", text, strlen(text), &conf, &err) ==
	    ST_OK);
	HOLDS(
	    map_open(conf, conf, MAP_OWNER | MAP_CREATE, &map, &err) == ST_OK);
	talloc_free(text);
	lookups_add(map, "alice", STATE_OLD, "sales@shop.test");
	lookups_add(map, "bob", STATE_NEW, NULL);
	lookups_add(map, "joe@v.test", STATE_SETTLE, NULL);
	lookups_add(map, "dave", STATE_OVERLAP, NULL);
	HOLDS(map_get_stored(map, map, "dave", &was, &err) == ST_OK);
	HOLDS(transition_step(map, was, STATE_CUTOVER, now, now + 100000000,
		  now, &is, &err) == ST_OK);
	HOLDS(map_replace(map, was, is, &lookups_by, NULL, &err) == ST_OK);
	return map;
}

#endif
