/* SPDX-License-Identifier: ISC */
/*
 * shown_test.c - what reaches an admin's terminal
 */
#include "tests/unit/test.h"

#include "admin/shown.h"

static const struct {
	const char *text, *want;
} cases[] = {
	{ "plain, \303\244 and \360\237\220\264\n\ttoo", "plain, \303\244 and "
	    "\360\237\220\264\n\ttoo" },
	{ "\033[2J", "\\x1b[2J" },
	{ "a\rb\a\b\177", "a\\x0db\\x07\\x08\\x7f" },
	{ "\302\2331m", "\\xc2\\x9b1m" },		/* CSI as U+009B */
	{ "\2331m", "\\x9b1m" },			/* and as a byte */
	{ "\302\240", "\302\240" },
	{ "\303", "\\xc3" },
	{ "\303x\303\303\244", "\\xc3x\\xc3\303\244" },
	{ "\300\233", "\\xc0\\x9b" },			/* overlong */
	{ "\340\202\233", "\\xe0\\x82\\x9b" },
	{ "\360\200\202\233", "\\xf0\\x80\\x82\\x9b" },
	{ "\355\240\200", "\\xed\\xa0\\x80" },		/* a surrogate */
	{ "\364\220\200\200", "\\xf4\\x90\\x80\\x80" },
	{ "\342\200\256gpj.exe", "\\xe2\\x80\\xaegpj.exe" },
};

/* The text comes in pieces of `piece` bytes. */
static void
escape(const char *text, size_t piece, char *out)
{
	struct shown s = { .n = 0 };
	size_t len = strlen(text), at, n;

	for (at = 0; at < len; at += n) {
		n = len - at < piece ? len - at : piece;
		out += shown_escape(&s, text + at, n, out);
	}
	out += shown_end(&s, out);
	*out = '\0';
}

static void
no_byte_that_a_terminal_obeys(void **state)
{
	char out[200];
	size_t i, piece;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (piece = 1; piece < 6; piece++) {
			escape(cases[i].text, piece, out);
			assert_string_equal(out, cases[i].want);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_byte_that_a_terminal_obeys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
