/* SPDX-License-Identifier: ISC */
/*
 * validity_fuzz.c - a counter of UIDVALIDITYs of any content only moves on
 *
 * Input: VALUE LF FILE-CONTENT LF, then lines: what stands behind
 * `dovecot-uidvalidity.` in names of files.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "lda/store/validity.h"

static void
put_name(TALLOC_CTX *ctx, const char *suffix)
{
	if (strlen(suffix) > 100 || strchr(suffix, '/') != NULL)
		return;
	fuzz_put(fuzz_dir(), must(talloc_asprintf(ctx, VALIDITY_NAME ".%s",
	    suffix)), "", 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = fuzz_input(data, size);
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	uint32_t to = (uint32_t)strtoul(fuzz_line(ctx, &in), NULL, 10);
	uint32_t before = 0, after = 0;
	const char *text;
	struct err err;
	unsigned names;
	int i;

	fuzz_clear(fuzz_dir());
	text = fuzz_line(ctx, &in);
	fuzz_put(fuzz_dir(), VALIDITY_NAME, text, strlen(text));
	for (i = 0; i < 20 && in.p < in.end; i++)
		put_name(ctx, fuzz_line(ctx, &in));
	names = fuzz_count(fuzz_dir());
	HOLDS(validity_read(fuzz_dir(), &before, &err) == ST_OK);
	if (validity_raise(fuzz_dir(), to, 0600, (gid_t)-1, &err) != ST_OK)
		fuzz_err(&err);
	else {
		HOLDS(validity_read(fuzz_dir(), &after, &err) == ST_OK);
		HOLDS(after >= to);
		/* Others are moved by nobody, and one is made at most. */
		HOLDS(fuzz_count(fuzz_dir()) <= names + 1);
		HOLDS(to <= before || after == to);
	}
	talloc_free(ctx);
	return 0;
}
