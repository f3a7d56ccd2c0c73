/* SPDX-License-Identifier: ISC */
/*
 * options_test.c - the command's line: options by tables, and the operands
 */
#include "tests/unit/test.h"

#include <talloc.h>

#include "admin/options.h"

static const struct option common[] = {
	{ "why", "TEXT", "", 0 },
	{ "json", NULL, "", 0 },
	{ "help", NULL, "", 'h' },
	{ NULL, NULL, NULL, 0 },
};
static const struct option own[] = {
	{ "for", "SECONDS", "", 0 },
	{ "window", "BEGIN END", "", 0 },
	{ NULL, NULL, NULL, 0 },
};
static const struct option *const tables[] = { common, own, NULL };

#define MAX 8

static int
cut(char *text, char *argv[MAX])
{
	int n = 0;
	char *word, *save = NULL;

	for (word = strtok_r(text, " ", &save); word != NULL;
	    word = strtok_r(NULL, " ", &save))
		argv[n++] = word;
	return n;
}

/* `-`: not given. */
static const struct {
	const char	*line, *operands, *why, *seconds, *begin, *end;
	bool		 json;
} good[] = {
	{ "", "", "-", "-", "-", "-", false },
	{ "a b", "a b ", "-", "-", "-", "-", false },
	{ "a --why x b", "a b ", "x", "-", "-", "-", false },
	{ "a --why=x b", "a b ", "x", "-", "-", "-", false },
	{ "--why= a", "a ", "", "-", "-", "-", false },
	{ "--why=a=b", "", "a=b", "-", "-", "-", false },
	{ "--why --json", "", "--json", "-", "-", "-", false },
	{ "--for 5 --for 6", "", "-", "6", "-", "-", false },
	{ "--window 1 2 x", "x ", "-", "-", "1", "2", false },
	{ "--window=1 2 x", "x ", "-", "-", "1", "2", false },
	{ "x --json", "x ", "-", "-", "-", "-", true },
	{ "x -- --json -y", "x --json -y ", "-", "-", "-", "-", false },
	{ "- --", "- ", "-", "-", "-", "-", false },
};

static const char *
shown(const char *value)
{
	return value == NULL ? "-" : value;
}

static void
what_a_line_says(void **state)
{
	char text[100], all[100], *argv[MAX];
	struct cmdline line;
	struct err err;
	size_t i;
	int n;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		(void)snprintf(text, sizeof(text), "%s", good[i].line);
		n = cut(text, argv);
		assert_int_equal(cmdline_parse(NULL, n, argv, tables, &line,
		    &err), ST_OK);
		all[0] = '\0';
		for (n = 0; n < line.argc; n++) {
			(void)strcat(all, line.argv[n]);
			(void)strcat(all, " ");
		}
		assert_null(line.argv[line.argc]);
		assert_string_equal(all, good[i].operands);
		assert_string_equal(shown(cmdline_value(&line, "why", 0)),
		    good[i].why);
		assert_string_equal(shown(cmdline_value(&line, "for", 0)),
		    good[i].seconds);
		assert_string_equal(shown(cmdline_value(&line, "window", 0)),
		    good[i].begin);
		assert_string_equal(shown(cmdline_value(&line, "window", 1)),
		    good[i].end);
		assert_int_equal(cmdline_has(&line, "json"), good[i].json);
		talloc_free(line.argv);
	}
}

static const struct {
	const char	*line, *error;
} bad[] = {
	{ "--nosuch", "unknown option --nosuch" },
	{ "--nosuch=x", "unknown option --nosuch" },
	{ "--wh x", "unknown option --wh" },
	{ "--whyx x", "unknown option --whyx" },
	{ "-x", "unknown option -x" },
	{ "-hx", "unknown option -hx" },
	{ "--json=yes", "--json takes no value" },
	{ "a --for", "--for needs SECONDS" },
	{ "--window 1", "--window needs BEGIN END" },
	{ "--window=1", "--window needs BEGIN END" },
};

static void
what_is_refused(void **state)
{
	char text[100], *argv[MAX];
	struct cmdline line;
	struct err err;
	size_t i;
	int n;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), "%s", bad[i].line);
		n = cut(text, argv);
		assert_int_equal(cmdline_parse(NULL, n, argv, tables, &line,
		    &err), ST_NEVER);
		assert_string_equal(err.text, bad[i].error);
		talloc_free(line.argv);
	}
}

static void
each_time(void **state)
{
	char text[] = "--for 1 x --why y --for=2", *argv[MAX];
	struct cmdline line;
	struct err err;
	unsigned at = 0;
	int n = cut(text, argv);

	(void)state;
	assert_int_equal(cmdline_parse(NULL, n, argv, tables, &line, &err),
	    ST_OK);
	assert_string_equal(cmdline_next(&line, "for", &at), "1");
	assert_string_equal(cmdline_next(&line, "for", &at), "2");
	assert_null(cmdline_next(&line, "for", &at));
	talloc_free(line.argv);
}

static const struct {
	const char	*line;
	int		 verb;
} verbs[] = {
	{ "", 0 }, { "show a", 0 }, { "--json show", 1 }, { "--why x show", 2 },
	{ "--why=x show", 1 }, { "--json", 1 }, { "--why show", 2 },
	{ "-h show", 1 }, { "-- show", 1 }, { "--nosuch show", 1 },
};

static void
which_word_is_the_verb(void **state)
{
	char text[100], *argv[MAX];
	size_t i;
	int n;

	(void)state;
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		(void)snprintf(text, sizeof(text), "%s", verbs[i].line);
		n = cut(text, argv);
		assert_int_equal(cmdline_first(n, argv, common), verbs[i].verb);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_line_says),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(each_time),
		cmocka_unit_test(which_word_is_the_verb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
