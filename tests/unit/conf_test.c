/* SPDX-License-Identifier: ISC */
/*
 * conf_test.c - mailferry.conf: what it means, and what it refuses
 */
#include "tests/unit/test.h"

#include "maps/base/conf.h"

static struct conf *
good(const char *text)
{
	struct conf *conf = NULL;
	struct err err;

	if (conf_parse(NULL, "f", text, strlen(text), &conf, &err) != ST_OK)
		fail_msg("%s", err.text);
	return conf;
}

static void
defaults(void **state)
{
	struct conf *c = good("");

	(void)state;
	assert_string_equal(c->map, "none");
	assert_string_equal(c->map_socket, "/run/mailferry/map.sock");
	assert_int_equal(c->deadline, 240);
	assert_null(c->mail[OLD]);
	assert_null(c->trusted_users[0]);
	assert_int_equal(c->log_days, 5);
	talloc_free(c);
}

static void
as_main_cf(void **state)
{
	struct conf *c = good("# comment\n"
	    "socket_dir=/a\n"
	    "  # between\n"
	    "trusted_users = vmail,\n"
	    "\t1001\n"
	    "\n"
	    "  mail\n"
	    "deadline = 2m\n"
	    "deadline = 100\n"
	    "old_mail = /f1/%1u/%u/Maildir\n"
	    "new_mail = %h/Maildir\n"
	    "debug = yes");

	(void)state;
	assert_string_equal(c->dict_socket, "/a/dict.sock");
	assert_string_equal(c->trusted_users[0], "vmail");
	assert_string_equal(c->trusted_users[1], "1001");
	assert_string_equal(c->trusted_users[2], "mail");
	assert_null(c->trusted_users[3]);
	assert_int_equal(c->deadline, 100);
	assert_string_equal(c->mail[OLD], "/f1/%1u/%u/Maildir");
	assert_true(c->debug);
	talloc_free(c);
}

static void
refuses(void **state)
{
	static const struct { const char *text, *says; } c[] = {
		{ "\n\nold_mial = /x\n", "f, line 3: old_mial: unknown key; "
		    "did you mean \"old_mail\"?" },
		{ "map = mysql:x\n", "f, line 1: map: is tdb" },
		{ "map = tdb:relative\n", "is tdb" },
		{ "deadline = 1000\n", "from 1 to 900" },
		{ "deadline = 5x\n", "a time" },
		{ "log_days = 4\n", "from 5" },
		{ "log = file\n", "syslog, stderr" },
		{ "old_mail = Maildir\n", "absolute" },
		{ "old_mail = /a/%z\n", "%u" },
		{ "transport_new = lmtp:[%h]\n", "%u %n %d" },
		{ "transport_new = lmtp:[%\n", "%u %n %d" },
		{ "old_filer = /a/../b\n", "without .." },
		{ "deadline\n", "is not `key = value`" },
		{ " deadline = 5\n", "continues" },
		{ "debug = maybe\n", "yes or no" },
		{ "socket_dir = /1234567890123456789012345678901234567890"
		  "123456789012345678901234567890123456789012345678901234567890"
		  "1234567890\n",
		  "too long" },
	};
	struct conf *conf;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		assert_int_equal(conf_parse(NULL, "f", c[i].text,
		    strlen(c[i].text), &conf, &err), ST_NEVER);
		if (strstr(err.text, c[i].says) == NULL)
			fail_msg("%s: says %s", c[i].text, err.text);
	}
	assert_int_equal(conf_parse(NULL, "f", "a\0b", 3, &conf, &err),
	    ST_NEVER);
	assert_int_equal(conf_load(NULL, "/nonexistent/x", &conf, &err),
	    ST_NEVER);
}

/* A default that its own check refuses would make every file bad. */
static void
every_key_has_a_meaning(void **state)
{
	const char *dflt, *meaning;
	size_t i;

	(void)state;
	for (i = 0; conf_key(i, &dflt, &meaning) != NULL; i++) {
		assert_non_null(dflt);
		assert_true(strlen(meaning) > 10);
	}
	assert_true(i >= 26);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults), cmocka_unit_test(as_main_cf),
		cmocka_unit_test(refuses),
		cmocka_unit_test(every_key_has_a_meaning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
