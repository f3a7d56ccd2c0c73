/* SPDX-License-Identifier: ISC */
/*
 * netstring_fuzz.c - netstring_parse() on a stream that comes byte by byte
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "maps/base/netstring.h"

#define MOST 1000

static void
check_whole(const char *buf, size_t len, const char *p, size_t plen,
    size_t used)
{
	char head[NETSTRING_OVERHEAD];
	size_t hlen = netstring_head(head, plen);

	HOLDS(used <= len && plen <= MOST);
	HOLDS(hlen + plen + 1 == used && p == buf + hlen);
	HOLDS(memcmp(buf, head, hlen) == 0 && buf[used - 1] == ',');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *buf = fuzz_input(data, size).p, *p;
	enum status st = ST_AGAIN, next;
	size_t plen, used = 0, first = 0, len;

	for (len = 0; len <= size; len++) {
		p = NULL;
		plen = used = (size_t)-1;
		next = netstring_parse(buf, len, MOST, &p, &plen, &used);
		HOLDS(next != ST_NONE);
		HOLDS(st == ST_AGAIN || next == st);	/* decided once */
		if (next != ST_OK)
			HOLDS(p == NULL && plen == (size_t)-1 &&
			    used == (size_t)-1);
		if (next == ST_OK && st == ST_AGAIN)
			first = len;
		if (next == ST_OK) {
			check_whole(buf, len, p, plen, used);
			HOLDS(used == first);	/* no byte too late */
		}
		st = next;
	}
	return 0;
}
