/* SPDX-License-Identifier: ISC */
/*
 * socketmap_fuzz.c - what Postfix may ask: one answer, and never somebody
 * else's
 *
 * Input: one request.
 */
#include "tests/fuzz/lookups.h"

#include <ctype.h>

#include "maps/mapd/socketmap.h"

/* Does the address, folded, name this user: NAME, then what may follow one? */
static bool
names(const char *address, const char *name)
{
	size_t len = strlen(name);

	if (*address == '"')
		address++;
	return strncasecmp(address, name, len) == 0 &&
	    strchr("+@\"", address[len]) != NULL;	/* or its end */
}

/* A transport says whose it is. */
static void
check_owner(const char *address, const char *answer)
{
	const char *user = strchr(answer, ':') + 1;

	if (strcmp(user, "joe@v.test") == 0)
		HOLDS(names(address, "joe") && strcasestr(address, "@v.test"));
	else
		HOLDS(names(address, user) ||
		    (strcmp(user, "alice") == 0 && names(address, "sales") &&
			strcasestr(address, "@shop.test")));
}

static void
check(const char *req, const char *answer)
{
	bool access = strncmp(req, "access ", 7) == 0;
	const char *p;

	for (p = answer; *p != '\0'; p++)
		HOLDS(*p >= ' ' && *p < 0x7f);
	HOLDS(strstr(answer, "secret") == NULL);
	if (strcmp(answer, "NOTFOUND ") == 0 ||
	    strncmp(answer, "PERM ", 5) == 0)
		return;
	HOLDS(strncmp(answer, "OK ", 3) == 0);		/* the map is whole */
	if (access) {
		HOLDS(strncmp(answer, "OK 450 4.2.1 ", 13) == 0);
		HOLDS(names(req + 7, "dave"));
	} else {
		HOLDS(strncmp(req, "transport ", 10) == 0);
		check_owner(req + 10, answer);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct wire_peer peer = { .uid = 1000 };
	struct map *map = lookups_map();
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct answer out = { .st = ST_OK };
	char *req = must(talloc_strndup(ctx, (const char *)data, size));

	protocol_socketmap.answer(
	    ctx, map, &peer, (const char *)data, size, &out);
	HOLDS(out.data != NULL && strlen(out.data) == out.len && !out.close);
	HOLDS(strlen(req) == size || strncmp(out.data, "OK ", 3) != 0);
	check(req, out.data);
	talloc_free(ctx);
	return 0;
}
