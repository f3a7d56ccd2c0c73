/* SPDX-License-Identifier: ISC */
/*
 * address_test.c - addresses as senders write them, and whose they are
 */
#include "tests/unit/test.h"

#include "maps/address.h"

static struct conf *
configured(const char *text)
{
	struct conf *conf = NULL;
	struct err err;

	if (conf_parse(NULL, "test.conf", text, strlen(text), &conf, &err) !=
	    ST_OK)
		fail_msg("%s", err.text);
	return conf;
}

static const struct {
	const char	*text;
	size_t		 len;		/* 0: strlen */
	bool		 local;
	const char	*full, *plain, *user;	/* full NULL: no address */
} cases[] = {
	{ "alice@x.test", 0, false, "alice@x.test", NULL, "alice" },
	{ "ALICE@X.Test", 0, false, "alice@x.test", NULL, "alice" },
	{ "alice", 0, false, "alice", NULL, "alice" },
	{ "alice+lists@x.test", 0, false, "alice+lists@x.test", "alice@x.test",
	    "alice" },
	{ "a+b+c@x.test", 0, false, "a+b+c@x.test", "a@x.test", "a" },
	{ "alice+@x.test", 0, false, "alice+@x.test", "alice@x.test", "alice" },
	{ "+alice@x.test", 0, false, "+alice@x.test", NULL, "+alice" },
	{ "alice@other.test", 0, false, "alice@other.test", NULL, NULL },
	{ "alice@other.test", 0, true, "alice@other.test", NULL, "alice" },
	{ "alice@x.test.", 0, false, "alice@x.test.", NULL, NULL },
	{ "alice@sub.x.test", 0, false, "alice@sub.x.test", NULL, NULL },
	{ "\"alice\"@x.test", 0, false, "alice@x.test", NULL, "alice" },
	{ "\"a lice\"@x.test", 0, false, NULL, NULL, NULL },
	{ "\"alice@x.test\"@evil.test", 0, true, NULL, NULL, NULL },
	{ "\"alice\\\"\"@x.test", 0, false, NULL, NULL, NULL },
	{ "\"\"@x.test", 0, false, NULL, NULL, NULL },
	{ "\"@x.test", 0, false, NULL, NULL, NULL },
	{ "alice@x.test@other.test", 0, true, NULL, NULL, NULL },
	{ "@x.test", 0, false, NULL, NULL, NULL },
	{ "alice@", 0, false, NULL, NULL, NULL },
	{ "@", 0, false, NULL, NULL, NULL },
	{ "", 0, false, NULL, NULL, NULL },
	{ "alice\0@x.test", 13, false, NULL, NULL, NULL },
	{ "alice\n@x.test", 0, false, NULL, NULL, NULL },
	{ " alice@x.test", 0, false, NULL, NULL, NULL },
	{ "alice @x.test", 0, false, NULL, NULL, NULL },
	{ "alice\t@x.test", 0, false, NULL, NULL, NULL },
	{ "al\xe4ice@x.test", 0, false, NULL, NULL, NULL },
	{ "\xc3\x84lice@x.test", 0, false, "\xc3\x84lice@x.test", NULL,
	    "\xc3\x84lice" },
	{ "alice,bob@x.test", 0, false, NULL, NULL, NULL },
	{ "<alice@x.test>", 0, false, NULL, NULL, NULL },
};

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void
taken_apart(void **state)
{
	struct conf *conf = configured("domains = X.test, y.test\n");
	struct address addr;
	size_t i;
	bool ok;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ok = address_parse(conf, conf, cases[i].text,
		    cases[i].len == 0 ? strlen(cases[i].text) : cases[i].len,
		    cases[i].local, &addr);
		if (ok != (cases[i].full != NULL) || (ok &&
		    (!same(addr.full, cases[i].full) ||
		    !same(addr.plain, cases[i].plain) ||
		    !same(addr.user, cases[i].user))))
			fail_msg("%s: %s %s %s", cases[i].text, addr.full,
			    addr.plain, addr.user);
	}
	talloc_free(conf);
}

static void
delimiters(void **state)
{
	struct conf *conf = configured("recipient_delimiter = -+\n");
	struct address addr;

	(void)state;
	assert_true(address_parse(conf, conf, "a-b+c", 5, false, &addr));
	assert_string_equal(addr.user, "a");
	assert_true(address_parse(conf, conf, "a@x", 3, false, &addr));
	assert_null(addr.user);			/* no domain is ours */
	talloc_free(conf);
}

static void
long_ones(void **state)
{
	struct conf *conf = configured("");
	char *text = talloc_size(conf, 10001);
	struct address addr;

	(void)state;
	memset(text, 'a', 10000);
	text[10000] = '\0';
	assert_false(address_parse(conf, conf, text, 10000, true, &addr));
	assert_false(address_parse(conf, conf, text, ADDRESS_MAX + 1, true,
	    &addr));
	assert_true(address_parse(conf, conf, text, ADDRESS_MAX, true, &addr));
	talloc_free(conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken_apart),
		cmocka_unit_test(delimiters),
		cmocka_unit_test(long_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
