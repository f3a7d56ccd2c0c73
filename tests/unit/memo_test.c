/* SPDX-License-Identifier: ISC */
/*
 * memo_test.c - the records that were parsed a moment ago
 */
#include "tests/unit/test.h"

#include <stdio.h>

#include "maps/tdb/memo.h"

static struct record *
parsed(TALLOC_CTX *ctx, const char *user, const char *more)
{
	char *text = must(talloc_asprintf(ctx, RECORD_HEAD
	    "user %s\nversion 3\nstate overlap\n%s", user, more));
	struct record *rec = NULL;
	struct err err;

	assert_int_equal(record_parse(ctx, user, text, strlen(text), &rec,
	    &err), ST_OK);
	return rec;
}

static void
same_bytes_same_record(void **state)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct memo *memo = memo_new(ctx);
	struct record *rec = parsed(ctx, "alice", "address a@x\naddress b@x\n"
	    "old /f1/alice\nby root\nwhy wave\nfuture 7\n"), *found;

	(void)state;
	assert_null(memo_find(memo, ctx, "alice", "12345", 5));
	memo_keep(memo, "alice", "12345", 5, rec);
	found = memo_find(memo, ctx, "alice", "12345", 5);
	assert_non_null(found);
	assert_string_equal(record_format(ctx, found), record_format(ctx, rec));
	/* It is the caller's: what becomes of it changes no other. */
	found->state = STATE_NEW;
	found->address[0] = "z@x";
	talloc_free(found);
	talloc_free(rec);
	found = memo_find(memo, ctx, "alice", "12345", 5);
	assert_int_equal(found->state, STATE_OVERLAP);
	assert_string_equal(found->address[0], "a@x");
	talloc_free(ctx);
}

static void
other_bytes_are_parsed(void **state)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct memo *memo = memo_new(ctx);
	struct record *rec = parsed(ctx, "alice", "");
	char big[2000] = "";

	(void)state;
	memo_keep(memo, "alice", "12345", 5, rec);
	assert_null(memo_find(memo, ctx, "alice", "12346", 5));
	assert_null(memo_find(memo, ctx, "alice", "1234", 4));
	assert_null(memo_find(memo, ctx, "bob", "12345", 5));
	/* What is too long to be kept takes the place of what was. */
	memo_keep(memo, "alice", big, sizeof(big), rec);
	assert_null(memo_find(memo, ctx, "alice", big, sizeof(big)));
	assert_null(memo_find(memo, ctx, "alice", "12345", 5));
	talloc_free(ctx);
}

/* More users than places: each is found under its own name, or not at all. */
static void
places_are_shared(void **state)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct memo *memo = memo_new(ctx);
	struct record *rec, *found;
	char user[20];
	int i, n = 0;

	(void)state;
	for (i = 0; i < 5000; i++) {
		(void)snprintf(user, sizeof(user), "user%d", i);
		rec = parsed(ctx, user, "");
		memo_keep(memo, user, "same", 4, rec);
		talloc_free(rec);
	}
	for (i = 0; i < 5000; i++) {
		(void)snprintf(user, sizeof(user), "user%d", i);
		found = memo_find(memo, ctx, user, "same", 4);
		if (found != NULL)
			assert_string_equal(found->user, user);
		n += found != NULL;
		talloc_free(found);
	}
	assert_in_range(n, 1000, 2048);
	talloc_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_bytes_same_record),
		cmocka_unit_test(other_bytes_are_parsed),
		cmocka_unit_test(places_are_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
