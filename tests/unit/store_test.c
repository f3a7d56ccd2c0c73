/* SPDX-License-Identifier: ISC */
/*
 * store_test.c - uidlists in a real directory
 */
#include "tests/unit/files.h"

#include <sys/stat.h>

#include "lda/store/uidlist.h"

#define GUID "0123456789abcdef0123456789abcdef"
#define HEAD "3 V1700000000 N124 G" GUID "\n"

static void
next_is_the_higher_of_two(void **state)
{
	static const struct { const char *text; uint32_t next; off_t torn; } c[] = {
		{ HEAD, 124, 0 },
		{ HEAD "5 :a\n", 124, 0 },
		{ HEAD "5 :a\n200 W7 S5 :b\n", 201, 0 },
		{ HEAD "130 :a\n131 :cut", 131, 8 },
		{ "3 V7 N1\n", 1, 0 },
		{ "3 V7 N1 Q9 G" GUID "\n", 1, 0 },
	};
	struct uidlist ul;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		put(UIDLIST_NAME, c[i].text);
		if (uidlist_read(&ul, dfd, &err) != ST_OK)
			fail_msg("%s", err.text);
		assert_int_equal(ul.next, c[i].next);
		assert_int_equal(ul.torn, c[i].torn);
		assert_int_equal(uidlist_append(&ul, ul.next - 1, "n", &err),
		    ST_NEVER);
		uidlist_close(&ul);
	}
}

static void
refused_lists(void **state)
{
	static const char *const bad[] = {
		"1 1700000000 124\n5 a\n", "2 V1 N1\n", "4 V1 N1\n", "3 N1\n",
		"3 V1\n", "3 V1 N1", "3 V0 N1\n", "3 V1 N99999999999\n", "3V1 N1\n",
		HEAD "x :a\n", HEAD "0 :a\n", HEAD "\n", HEAD "5\n",
		HEAD "4294967295 :a\n",
	};
	struct uidlist ul;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put(UIDLIST_NAME, bad[i]);
		if (uidlist_read(&ul, dfd, &err) != ST_NEVER)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(ul.fd, -1);
	}
	put(UIDLIST_NAME, "");
	assert_int_equal(uidlist_read(&ul, dfd, &err), ST_NONE);
	(void)unlinkat(dfd, UIDLIST_NAME, 0);
	assert_int_equal(uidlist_read(&ul, dfd, &err), ST_NONE);
}

static void
torn_line_goes_before_the_next(void **state)
{
	struct uidlist ul;
	struct err err;

	(void)state;
	put(UIDLIST_NAME, HEAD "130 :a\n131 :cu");
	assert_int_equal(uidlist_read(&ul, dfd, &err), ST_OK);
	assert_int_equal(uidlist_mend(&ul, &err), ST_OK);
	assert_int_equal(uidlist_append(&ul, 140, "b", &err), ST_OK);
	assert_int_equal(ul.next, 141);
	uidlist_close(&ul);
	is(UIDLIST_NAME, HEAD "130 :a\n140 :b\n");
}

static void
new_files(void **state)
{
	struct uidlist ul;
	struct err err;
	struct stat sb;

	(void)state;
	(void)unlinkat(dfd, UIDLIST_NAME, 0);
	assert_int_equal(uidlist_make(&ul, dfd, 1700000000, 1, GUID, 0640,
	    (gid_t)-1, &err), ST_OK);
	assert_int_equal(fstat(ul.fd, &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0640);
	assert_int_equal(uidlist_append(&ul, 1, "a,S=1", &err), ST_OK);
	assert_int_equal(uidlist_append(&ul, 2, "b,S=1", &err), ST_OK);
	assert_int_equal(uidlist_raise(&ul, dfd, 2, &err), ST_OK);
	is(UIDLIST_NAME, "3 V1700000000 N1 G" GUID "\n1 :a,S=1\n2 :b,S=1\n");
	assert_int_equal(uidlist_raise(&ul, dfd, 124, &err), ST_OK);
	assert_int_equal(ul.next, 124);
	is(UIDLIST_NAME, "3 V1700000000 N124 G" GUID "\n1 :a,S=1\n2 :b,S=1\n");
	/* A dropped line's UID stays used. */
	assert_int_equal(uidlist_append(&ul, 124, "c,S=1", &err), ST_OK);
	assert_int_equal(uidlist_drop(&ul, dfd, "c,S=1", ul.next, &err), ST_OK);
	assert_int_equal(ul.next, 125);
	is(UIDLIST_NAME, "3 V1700000000 N125 G" GUID "\n1 :a,S=1\n2 :b,S=1\n");
	uidlist_close(&ul);
}

/* What is still written to the old file reaches nobody. */
static void
renewed_list(void **state)
{
	struct uidlist old, ul;
	struct err err;

	(void)state;
	put(UIDLIST_NAME, HEAD "130 :a\n");
	assert_int_equal(uidlist_read(&old, dfd, &err), ST_OK);
	assert_int_equal(uidlist_read(&ul, dfd, &err), ST_OK);
	assert_int_equal(uidlist_renew(&ul, dfd, &err), ST_OK);
	assert_int_equal(ul.next, 131);
	assert_int_equal(uidlist_append(&old, 131, "late", &err), ST_OK);
	assert_int_equal(uidlist_append(&ul, 131, "b", &err), ST_OK);
	is(UIDLIST_NAME, "3 V1700000000 N131 G" GUID "\n130 :a\n131 :b\n");
	uidlist_close(&old);
	uidlist_close(&ul);
}

static void
lines_from_the_end(void **state)
{
	struct uidlist_line *lines;
	struct uidlist ul;
	struct err err;
	char name[100];
	uint32_t uid, from;
	size_t n;

	(void)state;
	(void)unlinkat(dfd, UIDLIST_NAME, 0);
	assert_int_equal(uidlist_make(&ul, dfd, 1, 1, GUID, 0600, (gid_t)-1,
	    &err), ST_OK);
	for (uid = 1; uid <= 1000; uid++) {
		(void)snprintf(name, sizeof(name), "%u.M1P1.host,S=%u,W=9", uid, uid);
		assert_int_equal(uidlist_append(&ul, uid * 2, name, &err), ST_OK);
	}
	for (from = 1; from <= 2003; from += 77) {
		TALLOC_CTX *ctx = talloc_new(NULL);

		assert_int_equal(uidlist_from(ctx, &ul, from, &lines, &n, &err),
		    ST_OK);
		assert_int_equal(n, from > 2000 ? 0 : (2000 - from) / 2 + 1);
		if (n > 0) {
			assert_true(lines[0].uid == from || lines[0].uid == from + 1);
			assert_int_equal(lines[n - 1].uid, 2000);
			assert_string_equal(lines[n - 1].name,
			    "1000.M1P1.host,S=1000,W=9");
		}
		talloc_free(ctx);
	}
	uidlist_close(&ul);
}

/* A key's value may have a colon in it: POP3 UIDLs of other servers do. */
static void
colon_in_a_key(void **state)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct uidlist_line *lines;
	struct uidlist ul;
	struct err err;
	size_t n;

	(void)state;
	put(UIDLIST_NAME, HEAD "5 P1:2 W9 :a,S=1\n6 P7:b :c d :e\n");
	assert_int_equal(uidlist_read(&ul, dfd, &err), ST_OK);
	assert_int_equal(uidlist_from(ctx, &ul, 1, &lines, &n, &err), ST_OK);
	assert_int_equal(n, 2);
	assert_string_equal(lines[0].name, "a,S=1");
	assert_string_equal(lines[1].name, "c d ");
	talloc_free(ctx);
	assert_int_equal(uidlist_drop(&ul, dfd, "a,S=1", ul.next, &err), ST_OK);
	is(UIDLIST_NAME, HEAD "6 P7:b :c d :e\n");
	uidlist_close(&ul);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(next_is_the_higher_of_two),
		cmocka_unit_test(refused_lists),
		cmocka_unit_test(torn_line_goes_before_the_next),
		cmocka_unit_test(new_files),
		cmocka_unit_test(renewed_list),
		cmocka_unit_test(lines_from_the_end),
		cmocka_unit_test(colon_in_a_key),
	};

	return run_files(tests, sizeof(tests) / sizeof(tests[0]), UIDLIST_NAME);
}
