/* SPDX-License-Identifier: ISC */
/*
 * said_test.c - what a worker process may report, and when
 */
#include "tests/unit/test.h"

#include "maps/base/netstring.h"
#include "maps/mapd/said.h"

/* A netstring of a string with NULs in it; sizeof counts one more. */
#define P(s) s, sizeof(s) - 1

static const struct {
	const char	*name;
	struct speaker	 sp;
	const char	*payload;
	size_t		 len;
	enum status	 want;
} cases[] = {
	{ "an answer", { .role = ANSWERS, .asked = true },
	  P("answer ok -\n\0OK smtp:x"), ST_OK },
	{ "an answer of no bytes", { .role = ANSWERS, .asked = true },
	  P("answer ok -\n\0"), ST_OK },
	{ "an answer without why", { .role = ANSWERS, .asked = true },
	  P("answer ok -\nOK smtp:x"), ST_NEVER },
	{ "an answer to nothing", { .role = ANSWERS },
	  P("answer ok -\n\0OK smtp:x"), ST_NEVER },
	{ "an answer of the keeper", { .role = KEEPS, .asked = true },
	  P("answer ok -\n\0OK smtp:x"), ST_NEVER },
	{ "no such outcome", { .role = ANSWERS, .asked = true },
	  P("answer 7 -\n\0OK smtp:x"), ST_NEVER },
	{ "flags in another order", { .role = ANSWERS, .asked = true },
	  P("answer ok wc\n\0OK smtp:x"), ST_NEVER },
	{ "a change", { .role = KEEPS }, P("change i\nseq 1\n"), ST_OK },
	{ "a change of the follower", { .role = FOLLOWS, .begun = true },
	  P("change -\nseq 1\n"), ST_NEVER },
	{ "a change with a NUL", { .role = KEEPS }, P("change -\nseq\0001\n"),
	  ST_NEVER },
	{ "begin", { .role = FOLLOWS }, P("begin"), ST_OK },
	{ "begin with a body", { .role = FOLLOWS }, P("begin\n"), ST_NEVER },
	{ "begin of another", { .role = ANSWERS }, P("begin"), ST_NEVER },
	{ "complete", { .role = FOLLOWS, .begun = true }, P("complete"),
	  ST_OK },
	{ "complete of nothing", { .role = FOLLOWS }, P("complete"), ST_NEVER },
	{ "alive", { .role = FOLLOWS, .begun = true, .whole = true },
	  P("alive"), ST_OK },
	{ "alive too early", { .role = FOLLOWS, .begun = true }, P("alive"),
	  ST_NEVER },
	{ "a record", { .role = FOLLOWS, .begun = true },
	  P("record 3 18446744073709551615 stc\nalice\0text\0change\0"),
	  ST_OK },
	{ "a record that is gone", { .role = FOLLOWS, .begun = true },
	  P("record 3 4 -\nalice\0"), ST_OK },
	{ "the default", { .role = FOLLOWS, .begun = true },
	  P("record 3 4 -\n*\0"), ST_OK },
	{ "a record too early", { .role = FOLLOWS }, P("record 3 4 -\nalice\0"),
	  ST_NEVER },
	{ "a name that is none", { .role = FOLLOWS, .begun = true },
	  P("record 3 4 -\n../alice\0"), ST_NEVER },
	{ "no name", { .role = FOLLOWS, .begun = true }, P("record 3 4 -\n\0"),
	  ST_NEVER },
	{ "a text that does not end", { .role = FOLLOWS, .begun = true },
	  P("record 3 4 t\nalice\0text"), ST_NEVER },
	{ "more than was said", { .role = FOLLOWS, .begun = true },
	  P("record 3 4 t\nalice\0text\0change\0"), ST_NEVER },
	{ "a number too long", { .role = FOLLOWS, .begun = true },
	  P("record 3 18446744073709551616 -\nalice\0"), ST_NEVER },
	{ "a number with a sign", { .role = FOLLOWS, .begun = true },
	  P("record +3 4 -\nalice\0"), ST_NEVER },
	{ "too few words", { .role = FOLLOWS, .begun = true },
	  P("record 3 4\nalice\0"), ST_NEVER },
	{ "too many words", { .role = FOLLOWS, .begun = true },
	  P("record 3 4 - 5\nalice\0"), ST_NEVER },
	{ "nothing", { .role = FOLLOWS, .begun = true }, P(""), ST_NEVER },
	{ "an unknown word", { .role = FOLLOWS, .begun = true }, P("hello"),
	  ST_NEVER },
};

static void
who_may_say_what(void **state)
{
	char buf[200];
	struct speaker sp;
	struct said said;
	size_t i, n, used;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sp = cases[i].sp;
		n = netstring_head(buf, cases[i].len);
		memcpy(buf + n, cases[i].payload, cases[i].len);
		n += cases[i].len;
		buf[n++] = ',';
		if (said_parse(&sp, buf, n - 1, &said, &used) != ST_AGAIN)
			fail_msg("%s: half of it was taken", cases[i].name);
		if (said_parse(&sp, buf, n, &said, &used) != cases[i].want)
			fail_msg("%s: want %s", cases[i].name,
			    status_name(cases[i].want));
		if (cases[i].want == ST_OK)
			assert_int_equal(used, n);
	}
}

static void
an_answer_comes_once(void **state)
{
	struct said said = { .what = SAID_ANSWER, .answer = { .st = ST_AGAIN,
	    .data = (char *)(uintptr_t)"a\0b", .len = 3, .window = true,
	    .close = true, .why = "it is wrong" } }, back;
	struct speaker sp = { .role = ANSWERS, .asked = true };
	size_t len, used;
	char *text = said_format(NULL, &said, &len);

	(void)state;
	assert_non_null(text);
	assert_int_equal(said_parse(&sp, text, len, &back, &used), ST_OK);
	assert_int_equal(back.answer.st, ST_AGAIN);
	assert_int_equal(back.answer.len, 3);
	assert_memory_equal(back.answer.data, "a\0b", 3);
	assert_true(back.answer.window && back.answer.close);
	assert_false(back.answer.watch || back.answer.conflict);
	assert_string_equal(back.answer.why, "it is wrong");
	assert_int_equal(said_parse(&sp, text, len, &back, &used), ST_NEVER);
	talloc_free(text);
}

static void
a_name_that_is_none_is_not_said(void **state)
{
	struct said said = { .what = SAID_FOLLOWED, .event = FOLLOW_RECORD,
	    .rec = { .user = "a b" } };
	size_t len;

	(void)state;
	assert_null(said_format(NULL, &said, &len));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_may_say_what),
		cmocka_unit_test(an_answer_comes_once),
		cmocka_unit_test(a_name_that_is_none_is_not_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
