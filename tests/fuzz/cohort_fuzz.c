/* SPDX-License-Identifier: ISC */
/*
 * cohort_fuzz.c - a list of users in a file: what passes reads back the same
 *
 * Input: the file.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "admin/cohort.h"

#define NAME "cohort"

static void
take(const char *user, void *arg)
{
	char **all = arg;

	HOLDS(*user != '\0' && strpbrk(user, " \t\r\n\v\f") == NULL);
	HOLDS(*user != '#');
	*all = must(talloc_asprintf_append(*all, "%s\n", user));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	char *file = must(talloc_asprintf(ctx, "%s/" NAME, fuzz_path()));
	char *all = must(talloc_strdup(ctx, ""));
	char *again = must(talloc_strdup(ctx, ""));
	struct err err;
	enum status st;

	fuzz_put(fuzz_dir(), NAME, data, size);
	st = cohort_each(file, take, &all, &err);
	HOLDS(st == ST_OK || st == ST_NEVER);
	if (st == ST_NEVER) {
		fuzz_err(&err);
		HOLDS(strncmp(err.text, file, strlen(file)) == 0);
	} else
		HOLDS(size == 0 || memchr(data, '\0', size) == NULL);
	fuzz_put(fuzz_dir(), NAME, all, strlen(all));
	HOLDS(cohort_each(file, take, &again, &err) == ST_OK);
	HOLDS(strcmp(all, again) == 0);
	talloc_free(ctx);
	return 0;
}
