/* SPDX-License-Identifier: ISC */
/*
 * recipe_test.c - the language of rc files: words, statements, expressions
 */
#include "tests/unit/test.h"

#include <string.h>
#include <unistd.h>

#include "lda/recipe/blocks.h"
#include "lda/recipe/expression.h"
#include "lda/recipe/mail.h"
#include "lda/recipe/parser.h"
#include "lda/recipe/regex.h"
#include "lda/recipe/scoring.h"
#include "lda/recipe/variables.h"
#include "maps/base/err.h"
#include "maps/base/path.h"

#define NO	REGEX_NO_MATCH

/* What procmail 3.22 said to each of them. */
static const struct {
	const char	*expr, *text;
	ssize_t		 end;		/* of the first match; NO */
	const char	*match;		/* with a \/; NULL: none */
} searches[] = {
	{ "b+", "abbb", 2, NULL },
	{ "^b", "a\nb", 3, NULL },
	{ "a$", "ba", 3, NULL },
	{ "^^a", "ba", NO, NULL },
	{ "^^b", "ba", 1, NULL },
	{ "a^^", "ba", 2, NULL },
	{ "b^^", "ba", NO, NULL },
	{ "^^", "x", 0, NULL },
	{ "^^^^", "", 0, NULL },
	{ "", "x", -1, NULL },
	{ "a**", "aa*", 3, NULL },
	{ "[]x]y", "]y", 2, NULL },
	{ "[^a]", "a\na", NO, NULL },
	{ "[a-]+z", "a-z", 3, NULL },
	{ "\\<a\\>", "a", 2, NULL },
	{ "a\\>b", "a b", 3, NULL },
	{ "(a|b)*c", "ababc", 5, NULL },
	{ "(a*)*b", "aaab", 4, NULL },
	{ "x(a", "xa", 2, NULL },
	{ "x)a", "xb", 1, NULL },
	{ "^S: \\/.*", "S: one two", 3, "one two" },
	{ "^S:.*\\/[0-9]+", "S: a 4711 b", 6, "4711" },
	{ "<\\/[^@]+", "m <id@h>", 4, "id" },
	{ "a|\\/b", "a", 1, NULL },
	{ "^\\/b.*^c", "a\nbx\nc", 6, "bx\nc" },
};

static void
expressions(void **state)
{
	ssize_t from, to;
	bool broken, found;
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(searches) / sizeof(searches[0]); i++) {
		struct regex *re = regex_compile(NULL, searches[i].expr, false,
		    &broken);
		const char *text = searches[i].text;

		len = strlen(text);
		if (regex_search(re, text, len, 0) != searches[i].end)
			fail_msg("%s in %s: %zd", searches[i].expr, text,
			    regex_search(re, text, len, 0));
		if (regex_extracts(re)) {
			found = regex_extract(re, text, len, 0, &from, &to);
			assert_true(found);
			if (searches[i].match == NULL)
				assert_int_equal(from, -1);
			else {
				assert_int_equal(to - from,
				    strlen(searches[i].match));
				assert_memory_equal(text + from,
				    searches[i].match, (size_t)(to - from));
			}
		}
		talloc_free(re);
	}
}

static void
case_and_broken(void **state)
{
	bool broken;
	struct regex *re = regex_compile(NULL, "^sub[A-C]ect", true, &broken);

	(void)state;
	assert_false(broken);
	assert_int_equal(regex_search(re, "SUBBECT", 7, 0), 7);
	assert_int_equal(regex_search(re, "subcect", 7, 0), 7);
	talloc_free(re);
	re = regex_compile(NULL, "(a", false, &broken);
	assert_true(broken);
	talloc_free(re);
	re = regex_compile(NULL, "a)", false, &broken);
	assert_true(broken);
	talloc_free(re);
}

/* As many positions are alive as the expression is long: a step for each, and
 * memory for the expression alone. */
static void
many_places(void **state)
{
	enum { N = 8000 };
	char *expr = malloc(N + 1), *text = malloc(N);
	struct regex *re;
	bool broken;

	(void)state;
	memset(expr, 'a', N);
	expr[N] = '\0';
	memset(text, 'a', N);
	re = regex_compile(NULL, expr, false, &broken);
	assert_int_equal(regex_search(re, text, N - 1, 0), NO);
	assert_int_equal(regex_search(re, text, N, 0), N);
	assert_in_range(talloc_total_size(re), 1, 1024 * 1024);
	talloc_free(re);
	free(text);
	free(expr);
}

/* More states than are kept: a text of megabytes all the same. */
static void
many_states(void **state)
{
	const char *expr = "(a|b)*a(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)"
	    "(a|b)(a|b)(a|b)(a|b)(a|b)c";
	char *text = malloc(1000000);
	struct regex *re;
	unsigned n = 1;
	bool broken;
	size_t i;

	(void)state;
	for (i = 0; i < 1000000; i++) {
		n = n * 1103515245 + 12345;
		text[i] = (n >> 16 & 1) != 0 ? 'a' : 'b';
	}
	re = regex_compile(NULL, expr, false, &broken);
	assert_int_equal(regex_search(re, text, 1000000, 0), NO);
	memcpy(text + 999980, "abbbbbbbbbbbbbc", 15);
	assert_int_equal(regex_search(re, text, 1000000, 0), 999995);
	talloc_free(re);
	free(text);
}

static const char *
value(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "SET") == 0 ? "two words" :
	    strcmp(name, "EMPTY") == 0 ? "" :
	    strcmp(name, "MAGIC") == 0 ? "a.b" : NULL;
}

static const char *
special(void *arg, char which)
{
	(void)arg;
	return which == '#' ? "3" : "?";
}

static void
command(void *arg, const char *text, size_t most, struct words *to)
{
	(void)arg;
	words_put(to, text, strnlen(text, most));
}

static void
bad(void *arg, const char *name)
{
	(void)arg;
	(void)name;
}

/* `|` ends a word. */
static const struct {
	enum words_mode	 mode;
	const char	*text, *words, *rest;
} readings[] = {
	{ WORDS_SPLIT, "a  b # c\nd", "a|b|", "d" },
	{ WORDS_SPLIT, "$SET x\n", "two|words|x|", "" },
	{ WORDS_SPLIT, "\"$SET\"x 'y z'\n", "two wordsx|y z|", "" },
	{ WORDS_SPLIT, "$EMPTY\n", "|", "" },
	{ WORDS_SPLIT, "a $EMPTY\n", "a|", "" },
	{ WORDS_SPLIT, "a\\\n b\\ c\n", "a|b c|", "" },
	{ WORDS_SPLIT, "${NO:-d e}${SET:+f}${NO+g}\n", "d|ef|", "" },
	{ WORDS_SPLIT, "\"${NO:-\"x\"}\"\n", "\"x\"|", "" },
	{ WORDS_SPLIT, "$\\MAGIC\n", "()a\\.b|", "" },
	{ WORDS_SPLIT, "`one two`\n", "one|two|", "" },
	{ WORDS_SPLIT, "$# $1x $\n", "3|x|$|", "" },
	{ WORDS_VALUE, "a b\n", "a|", "b\n" },
	{ WORDS_VALUE, "\"a\nb\"c\nd", "a\nbc|", "d" },
	{ WORDS_VALUE, "$SET\n", "two words|", "" },
	{ WORDS_VALUE, "\n", "|", "" },
	{ WORDS_LINE, "> $SET   x", "> two words x|", "" },
	{ WORDS_LINE, "\"^a $SET \\$ \\x", "^a two words $ \\x|", "" },
};

static void
words(void **state)
{
	const struct expander x = { NULL, value, special, command, bad };
	struct words w, skipped;
	struct text in, other;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(readings) / sizeof(readings[0]); i++) {
		const char *text = readings[i].text;

		in = other = (struct text){ text, text + strlen(text) };
		words_begin(&w, NULL, 2048);
		words_begin(&skipped, NULL, 2048);
		assert_true(lexer_read(&w, &in, readings[i].mode, &x));
		(void)lexer_read(&skipped, &other, readings[i].mode, NULL);
		for (k = 0; k < w.len; k++)
			if (w.buf[k] == '\0')
				w.buf[k] = '|';
		if (strcmp(w.buf, readings[i].words) != 0)
			fail_msg("%s: %s", text, w.buf);
		assert_string_equal(in.p, readings[i].rest);
		assert_ptr_equal(in.p, other.p);
		talloc_free(w.buf);
		talloc_free(skipped.buf);
	}
}

static void
too_long(void **state)
{
	const struct expander x = { NULL, value, special, command, bad };
	const char *text = "$SET$SET$SET\nnext";
	struct text in = { text, text + strlen(text) };
	struct words w;

	(void)state;
	words_begin(&w, NULL, 20);
	assert_false(lexer_read(&w, &in, WORDS_VALUE, &x));
	assert_true(w.len <= 21);
	assert_string_equal(in.p, "next");
	talloc_free(w.buf);
}

static void
statements(void **state)
{
	static const char text[] = "# c\nA=1 B = 2\nC\n:0 Bc: l\n* one\n"
	    " # no\n* two \\\n  more\n| cat \\\n  x\n:0\n{ :0\n  box }\n"
	    ":2\na\nb\nX=| y\n}\n:0\n";
	struct rcfile *rc = rcfile_parse(NULL, "t", text, sizeof(text) - 1);
	const struct statement *s = rc->statement;

	(void)state;
	assert_int_equal(rc->n, 9);
	assert_string_equal(s[0].name, "A");
	assert_int_equal(s[1].kind, S_ASSIGN);
	assert_int_equal(s[1].column, 5);
	assert_int_equal(s[2].kind, S_UNSET);
	assert_int_equal(s[3].fixed_head.flags, FLAG_B | FLAG_c);
	assert_string_equal(s[3].fixed_head.lockfile, "l");
	assert_string_equal(s[3].condition[1], "two \\\n  more");
	assert_null(s[3].condition[2]);
	assert_string_equal(s[3].command, " cat \\\n  x");
	assert_int_equal(s[4].action, ACTION_BLOCK);
	assert_int_equal(s[4].past, 8);		/* `box }` is two folders */
	assert_true(s[4].has_recipe);
	assert_int_equal(s[6].kind, S_RECIPE);
	assert_string_equal(s[6].condition[1], "b");
	assert_string_equal(s[6].capture, "X");
	assert_int_equal(s[7].kind, S_CLOSE);
	assert_false(s[7].stray);
	assert_int_equal(s[8].action, ACTION_NONE);
	talloc_free(rc);
}

/* procmailsc(5): each match counts x times the one before. */
static const struct {
	struct weight	 weight;
	int		 matches;	/* of some bytes each */
	bool		 empty;		/* then one of no byte */
	double		 points;
	bool		 goes_on;	/* a further match would count */
} series[] = {
	{ { 1, 1 }, 3, false, 3, true },
	{ { 1, 0 }, 1, false, 1, false },
	{ { 8, .5 }, 3, false, 14, true },
	{ { 1, .5 }, 1, false, 1, true },
	{ { 1, .5 }, 2, false, 1.5, false },	/* 1/4 is too little */
	{ { 2, 2 }, 3, false, 14, true },
	{ { -1, 1 }, 2, false, -2, true },
	{ { 0, 1 }, 0, false, 0, false },
	{ { 4, .5 }, 0, true, 8, false },	/* 4 + 2 + 1 + ... */
	{ { 1, 1 }, 0, true, 1 + SCORE_MAX, false },
	{ { -1, 1 }, 0, true, -1 - SCORE_MAX, false },
	{ { 3, 0 }, 0, true, 3, false },
};

static void
points_of_matches(void **state)
{
	struct series s;
	double score;
	bool goes_on;
	size_t i;
	int n;

	(void)state;
	for (i = 0; i < sizeof(series) / sizeof(series[0]); i++) {
		score = 0;
		s = scoring_series(series[i].weight, &score);
		goes_on = scoring_goes_on(&s);
		for (n = 0; n < series[i].matches; n++)
			goes_on = scoring_match(&s, false) &&
			    scoring_goes_on(&s);
		if (series[i].empty)
			goes_on = scoring_match(&s, true);
		if (score != series[i].points || goes_on != series[i].goes_on)
			fail_msg("%zu: %g, %d", i, score, goes_on);
	}
	score = SCORE_MAX;
	s = scoring_series((struct weight){ 1, 1 }, &score);
	assert_false(scoring_goes_on(&s));
}

static void
points_of_others(void **state)
{
	const struct weight w = { 2, 3 };
	struct weight read = { 0, 0 };
	double score = 0;

	(void)state;
	assert_string_equal(scoring_weight("-2.5 ^ .5  x", &read), "x");
	assert_true(read.w == -2.5 && read.x == .5);
	assert_null(scoring_weight("2 x", &read));
	assert_null(scoring_weight("2^x", &read));
	assert_null(scoring_weight("", &read));
	assert_null(scoring_weight("^1", &read));
	scoring_program(w, 0, false, &score);
	assert_true(score == 2);
	scoring_program(w, 1, false, &score);
	assert_true(score == 5);
	scoring_program(w, 2, true, &score);		/* 2 + 2 * 3 */
	assert_true(score == 13);
	assert_true(scoring_size(w, 100, 200, true, &score));
	assert_true(score == 29);
	assert_true(scoring_size(w, 200, 100, false, &score));
	assert_true(score == 45);
	assert_true(scoring_size(w, 1, 0, false, &score));
	assert_true(score == SCORE_MAX);
	assert_false(scoring_size(w, 0, 0, true, &score));
	assert_false(scoring_limit(&score));
	score = 2 * SCORE_MAX;
	assert_true(scoring_limit(&score));
	assert_true(score == SCORE_MAX);
	/* NaN is no limit: procmail goes on to the next condition. */
	score = 0;
	assert_true(scoring_size((struct weight){ 1, .5 }, 10, -5, false,
	    &score));
	assert_true(score != score);
	assert_true(scoring_limit(&score));
}

static void
expression_of_a_condition(void **state)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	bool no_case = false;
	char *expr;

	(void)state;
	assert_string_equal(expression_joined(ctx, "a\\\n \tb\n c"), "ab\nc");
	assert_string_equal(expression_text(ctx, "^Subject: x", false,
	    &no_case), "^Subject: x");
	expr = expression_text(ctx, "^TO_a", false, &no_case);
	assert_memory_equal(expr, "(^((Original-)?", 15);
	assert_string_equal(expr + strlen(expr) - 19, "[^-a-zA-Z0-9_.])?)a");
	assert_string_equal(expression_text(ctx, "^TOa", true, &no_case),
	    "^TOa");
	assert_string_equal(expression_text(ctx, "x\\^TO_a", false, &no_case),
	    "x\\^TO_a");
	assert_false(no_case);
	(void)expression_text(ctx, "^FROM_DAEMON", false, &no_case);
	assert_true(no_case);
	talloc_free(ctx);
}

static void
numbers(void **state)
{
	(void)state;
	assert_int_equal(vars_number(7, " 12x"), 12);
	assert_int_equal(vars_number(7, "-3"), -3);
	assert_int_equal(vars_number(7, "yes"), 1);
	assert_int_equal(vars_number(7, "True"), 1);
	assert_int_equal(vars_number(7, "on"), 1);
	assert_int_equal(vars_number(7, "off"), 0);
	assert_int_equal(vars_number(7, "No"), 0);
	assert_int_equal(vars_number(7, "all"), 2);
	assert_int_equal(vars_number(7, "what"), 7);
	assert_int_equal(vars_number(7, ""), 7);
}

static void
blocks(void **state)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct blocks b = { NULL, 0, 0 };
	struct block block;
	size_t i;

	(void)state;
	for (i = 0; i < 40; i++)
		blocks_enter(&b, ctx, (struct block){ i % 2 == 0, i == 39 });
	assert_true(blocks_close(&b, 1, &block));
	assert_false(block.last);
	assert_true(block.prev);
	assert_true(blocks_close(&b, 1, &block));
	assert_true(block.last);
	assert_true(blocks_leave(&b, 1));
	assert_false(blocks_leave(&b, 1));
	assert_false(blocks_close(&b, 1, &block));
	assert_true(blocks_close(&b, 0, &block));
	assert_true(block.last);
	talloc_free(ctx);
}

/* A part that begins with the message has no From_ line in a Maildir. */
static void
from_lines(void **state)
{
	char text[] = "From a\n>From b\n>\nS: x\n\nFrom c\n";
	struct mail m = { .b = { text, sizeof(text) - 1, 0 } };
	struct part all = { text, sizeof(text) - 1, true }, p;

	(void)state;
	p = mail_without_from(&m, &all);
	assert_string_equal(p.data, "S: x\n\nFrom c\n");
	assert_int_equal(p.len, strlen(p.data));
	assert_true(p.raw);
	all.data += 7;
	all.len -= 7;
	p = mail_without_from(&m, &all);
	assert_ptr_equal(p.data, text + 7);
}

static void
paths(void **state)
{
	char dir[] = "/tmp/mailferry.XXXXXX", *link, *got;
	TALLOC_CTX *ctx = talloc_new(NULL);

	(void)state;
	assert_non_null(mkdtemp(dir));
	link = talloc_asprintf(ctx, "%s/link", dir);
	assert_int_equal(symlink("/filer/that/is/not/there", link), 0);
	got = path_resolve(ctx, dir, "link/../x//./y/");
	assert_string_equal(got, "/filer/that/is/not/x/y");
	got = path_resolve(ctx, "/a", "b/../../..");
	assert_string_equal(got, "/");
	assert_string_equal(path_below("/r/a/b", "/r/a"), "b");
	assert_string_equal(path_below("/r/a", "/r/a"), "");
	assert_null(path_below("/r/ab", "/r/a"));
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("link", link), 0);
	assert_null(path_resolve(ctx, dir, "link"));
	assert_int_equal(unlink(link), 0);
	assert_int_equal(rmdir(dir), 0);
	talloc_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions),
		cmocka_unit_test(case_and_broken),
		cmocka_unit_test(many_places),
		cmocka_unit_test(many_states),
		cmocka_unit_test(words),
		cmocka_unit_test(too_long),
		cmocka_unit_test(statements),
		cmocka_unit_test(points_of_matches),
		cmocka_unit_test(points_of_others),
		cmocka_unit_test(expression_of_a_condition),
		cmocka_unit_test(numbers),
		cmocka_unit_test(blocks),
		cmocka_unit_test(from_lines),
		cmocka_unit_test(paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
