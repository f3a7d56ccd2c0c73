/* SPDX-License-Identifier: ISC */
/*
 * change_fuzz.c - entries of the history: what was read is written the same
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "maps/change.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = fuzz_input(data, size);
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	uint64_t prev = 0, prev2 = 0;
	struct change ch, back;
	char *text, *again;
	struct err err;
	size_t len, len2;
	enum status st;

	st = change_parse(ctx, in.p, size, &ch, &prev, &err);
	if (st == ST_OK) {
		HOLDS(ch.user != NULL && strchr(ch.user, '\n') == NULL);
		HOLDS(ch.was == NULL || strcmp(ch.was->user, ch.user) == 0);
		HOLDS(ch.is == NULL || strcmp(ch.is->user, ch.user) == 0);
		text = change_format(ctx, &ch, prev, &len);
		HOLDS(
		    change_parse(ctx, text, len, &back, &prev2, &err) == ST_OK);
		HOLDS(back.seq == ch.seq && prev2 == prev &&
		    back.by.at == ch.by.at && strcmp(back.user, ch.user) == 0);
		again = change_format(ctx, &back, prev2, &len2);
		HOLDS(len == len2 && strcmp(text, again) == 0);
	} else {
		HOLDS(st == ST_NEVER);
		fuzz_err(&err);
	}
	talloc_free(ctx);
	return 0;
}
