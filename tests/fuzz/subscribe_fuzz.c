/* SPDX-License-Identifier: ISC */
/*
 * subscribe_fuzz.c - a line more in a subscriptions file of any content
 *
 * Input: EXTENSION LF FILE.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "lda/place.h"
#include "lda/store/maildir.h"

#define NAME "subscriptions"

/* As Dovecot reads it: a head of two lines in version 2, then names. */
static bool
has_name(TALLOC_CTX *ctx, const char *text, size_t len, const char *folder)
{
	struct input in = { text, text + len };
	char *name = must(talloc_strdup(ctx, folder + 1)), *p;

	if (len > 2 && strncmp(text, "V\t", 2) == 0) {
		(void)fuzz_line(ctx, &in);
		(void)fuzz_line(ctx, &in);
		for (p = name; (p = strchr(p, '.')) != NULL;)
			*p = '\t';
	}
	while (in.p < in.end)
		if (strcmp(fuzz_line(ctx, &in), name) == 0)
			return true;
	return false;
}

static bool
is_zeros(const char *p, size_t n)
{
	while (n > 0 && p[n - 1] == '\0')
		n--;
	return n == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = fuzz_input(data, size);
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	const char *folder = place_folder(ctx, fuzz_line(ctx, &in));
	struct location loc = { .mail = fuzz_path() };
	struct maildir md = { .path = fuzz_path(), .fmode = 0600 };
	size_t n = (size_t)(in.end - in.p), len, len2;
	int dir = fuzz_dir();
	char *text, *again;
	struct err err;

	md.folder = *folder == '\0' ? ".x" : folder;
	fuzz_clear(dir);
	fuzz_put(dir, NAME, in.p, n);
	HOLDS(maildir_subscribe(&md, &loc, &err) == ST_OK);
	HOLDS(fuzz_count(dir) == 1);		/* no .lock, no .tmp */
	text = fuzz_get(ctx, dir, NAME, &len);
	/* All that was there stays, but for the zeros that a crash leaves. */
	HOLDS(text != NULL && (is_zeros(in.p, n) || (len >= n &&
	    memcmp(text, in.p, n) == 0)));
	HOLDS(has_name(ctx, text, len, md.folder));
	HOLDS(maildir_subscribe(&md, &loc, &err) == ST_OK);
	again = fuzz_get(ctx, dir, NAME, &len2);
	HOLDS(len == len2 && memcmp(text, again, len) == 0);
	talloc_free(ctx);
	return 0;
}
