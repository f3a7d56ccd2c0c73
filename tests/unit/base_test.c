/* SPDX-License-Identifier: ISC */
/*
 * base_test.c - outcomes, netstrings, seals
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <talloc.h>

#include "maps/base/netstring.h"
#include "maps/base/crc.h"
#include "maps/tdb/seal.h"

static void
errno_becomes_an_outcome(void **state)
{
	static const struct {
		int code; enum status want; const char *dsn;
	} c[] = {
		{ ENOSPC, ST_AGAIN, "4.3.1" }, { EDQUOT, ST_AGAIN, "4.2.2" },
		{ EIO, ST_AGAIN, "4.3.0" }, { ESTALE, ST_AGAIN, "4.3.0" },
		{ EMFILE, ST_AGAIN, "4.3.0" }, { EACCES, ST_NEVER, "4.3.5" },
		{ ELOOP, ST_NEVER, "4.3.5" }, { 9999, ST_AGAIN, "4.3.0" },
	};
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		errno = c[i].code;
		assert_int_equal(err_sys(&err, "x"), c[i].want);
		assert_string_equal(err_dsn(&err), c[i].dsn);
	}
}

/* Its text becomes an SMTP reply: it must stay one line, and never begin with
 * what it was not given. */
static void
error_is_one_line(void **state)
{
	struct err err;
	char longer[2000];

	(void)state;
	(void)!err_set(&err, ST_NEVER, "a\nb\rc\x01");
	assert_string_equal(err.text, "a?b?c?");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	(void)!err_set(&err, ST_NEVER, "%s", longer);
	(void)!err_wrap(&err, ST_NEVER, "w");
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_memory_equal(err.text, "w: xx", 5);
}

static void
netstrings(void **state)
{
	static const struct {
		const char *in; enum status want; size_t used;
	} c[] = {
		{ "", ST_AGAIN, 0 }, { "5", ST_AGAIN, 0 },
		{ "5:hell", ST_AGAIN, 0 },
		{ "5:hello", ST_AGAIN, 0 }, { "5:hello,", ST_OK, 8 },
		{ "0:,", ST_OK, 3 }, { "5:hello,more", ST_OK, 8 },
		{ "5:hello;", ST_NEVER, 0 }, { ":", ST_NEVER, 0 },
		{ "05:hello,", ST_NEVER, 0 }, { "x", ST_NEVER, 0 },
		{ "99999999999999999999999999", ST_NEVER, 0 },
		{ "101:", ST_NEVER, 0 }, { "-1:,", ST_NEVER, 0 },
	};
	const char *p;
	size_t plen, used, i;

	(void)state;
	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		assert_int_equal(netstring_parse(c[i].in, strlen(c[i].in), 100,
		    &p, &plen, &used), c[i].want);
		if (c[i].want == ST_OK)
			assert_int_equal(used, c[i].used);
	}
}

static void
crc_is_the_usual_one(void **state)
{
	(void)state;
	assert_int_equal(crc32_of(0, "123456789", 9), 0xcbf43926u);
	assert_int_equal(crc32_of(crc32_of(0, "1234", 4), "56789", 5),
	    0xcbf43926u);
}

/* Every changed byte, every cut, every other key is seen. */
static void
seal_shows_damage(void **state)
{
	const char *text;
	struct err err;
	size_t slen, len, i;
	char *s = seal(NULL, "u:alice", "hello\n", 6, &slen);

	(void)state;
	assert_int_equal(unseal("u:alice", s, slen, &text, &len, &err), ST_OK);
	assert_int_equal(len, 6);
	assert_memory_equal(text, "hello\n", 6);
	assert_int_equal(unseal("u:alicf", s, slen, &text, &len, &err),
	    ST_NEVER);
	for (i = 0; i < slen; i++) {
		assert_int_equal(unseal("u:alice", s, i, &text, &len, &err),
		    ST_NEVER);
		s[i] ^= 1;
		assert_int_equal(unseal("u:alice", s, slen, &text, &len, &err),
		    ST_NEVER);
		s[i] ^= 1;
	}
	talloc_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errno_becomes_an_outcome),
		cmocka_unit_test(error_is_one_line),
		cmocka_unit_test(netstrings),
		cmocka_unit_test(crc_is_the_usual_one),
		cmocka_unit_test(seal_shows_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
