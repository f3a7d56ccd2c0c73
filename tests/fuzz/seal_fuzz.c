/* SPDX-License-Identifier: ISC */
/*
 * seal_fuzz.c - sealed values: what was sealed opens, what was damaged does not
 *
 * Input: KEY LF POSITION LF BYTES.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "maps/tdb/seal.h"

static void
open_damaged(const char *key, char *sealed, size_t slen, size_t at)
{
	const char *text;
	struct err err;
	size_t len;

	at %= slen;
	HOLDS(unseal(key, sealed, at, &text, &len, &err) == ST_NEVER);
	fuzz_err(&err);
	sealed[at] ^= 1;
	HOLDS(unseal(key, sealed, slen, &text, &len, &err) == ST_NEVER);
	sealed[at] ^= 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = fuzz_input(data, size);
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	const char *key = fuzz_line(ctx, &in), *text;
	size_t at = strtoul(fuzz_line(ctx, &in), NULL, 10), slen, len;
	size_t n = (size_t)(in.end - in.p);
	struct err err;
	char *sealed;

	/* As it comes from a damaged file. */
	if (unseal(key, in.p, n, &text, &len, &err) == ST_OK)
		HOLDS(text >= in.p && text + len == in.end);
	else
		fuzz_err(&err);
	sealed = seal(ctx, key, in.p, n, &slen);
	HOLDS(unseal(key, sealed, slen, &text, &len, &err) == ST_OK);
	HOLDS(len == n && memcmp(text, in.p, n) == 0);
	HOLDS(unseal(talloc_asprintf(ctx, "%s.", key), sealed, slen, &text,
		  &len, &err) == ST_NEVER);
	open_damaged(key, sealed, slen, at);
	talloc_free(ctx);
	return 0;
}
