/* SPDX-License-Identifier: ISC */
/*
 * lookups_test.c - what Postfix and Dovecot are answered from a real map
 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "maps/backend.h"
#include "maps/mapd/dict.h"
#include "maps/mapd/socketmap.h"
#include "maps/mapd/wire_answer.h"
#include "maps/transition.h"

static char dir[] = "/tmp/mflook.XXXXXX";
static char *path;
static struct map *map;
static const struct wire_peer root = { .uid = 0, .admin = true };
static const struct change_by me = { "tester", 1000, "because" };

static struct map *
opened(const char *extra)
{
	struct conf *conf = NULL;
	struct map *m = NULL;
	struct err err;
	char *text;

	text = talloc_asprintf(NULL, "map = tdb:%s\n"
	    "old_mail = /f1/%%1u/%%u\nnew_mail = /f2/%%u\nnew_index = /x/%%u\n"
	    "domains = X.test y.test\ntransport_old = local:\n"
	    "transport_settle = lmtp:[%%n.test]:24\n"
	    "transport_new = lmtp:inet:new-backend:24\n%s", path, extra);
	if (conf_parse(NULL, "t", text, strlen(text), &conf, &err) != ST_OK ||
	    map_open(NULL, conf, MAP_OWNER | MAP_CREATE, &m, &err) != ST_OK)
		fail_msg("%s", err.text);
	talloc_steal(m, conf);
	talloc_free(text);
	return m;
}

static void
add(const char *user, enum state state, const char *address, const char *old,
    long uid)
{
	const char *addresses[] = { address, NULL };
	struct record rec = { .user = user, .uid = uid, .state = state,
	    .version = 1, .address = addresses, .by = "", .why = "",
	    .unknown = "", .led = state >= STATE_SETTLE };
	struct err err;

	rec.side[OLD].mail = old;
	if (map_replace(map, NULL, &rec, &me, NULL, &err) != ST_OK)
		fail_msg("%s", err.text);
}

/* A window [now, now + seconds) of somebody in overlap. */
static void
open_window(const char *user, int seconds)
{
	struct record *was, *is;
	time_t now = time(NULL);
	struct err err;

	if (map_get_stored(map, map, user, &was, &err) != ST_OK ||
	    transition_step(map, was, STATE_CUTOVER, now, now + seconds, now,
	    &is, &err) != ST_OK || map_replace(map, was, is, &me, NULL,
	    &err) != ST_OK)
		fail_msg("%s", err.text);
}

static int
set_up(void **state)
{
	(void)state;
	(void)unlink(path);
	map = opened("");
	add("alice", STATE_OLD, "sales@shop.test", NULL, 1001);
	add("bob", STATE_SETTLE, NULL, "/o/b:b/\"q\" %u", -1);
	add("carol", STATE_NEW, NULL, NULL, -1);
	add("dave", STATE_OVERLAP, "d@shop.test", NULL, -1);
	add("joe@v.test", STATE_NEW, NULL, NULL, -1);
	add("web", STATE_NEW, NULL, NULL, -1);
	open_window("dave", 600);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	TALLOC_FREE(map);
	return 0;
}

static char *
ask(const struct protocol *pr, const struct wire_peer *peer, const char *req,
    size_t len, struct answer *out)
{
	*out = (struct answer){ .st = ST_OK };
	pr->answer(map, map, peer, req, len, out);
	return out->len == 0 ? NULL : out->data;
}

static void
answers(const char *req, size_t len, const char *want)
{
	struct answer out;
	char *got = ask(&protocol_socketmap, &root, req, len, &out);

	if (got == NULL || strcmp(got, want) != 0 || strlen(got) != out.len)
		fail_msg("%s: %s, want %s", req, got, want);
}

static void
transports(void **state)
{
	static const struct { const char *req, *want; } c[] = {
		{ "transport alice@x.test", "OK local:" },
		{ "transport alice", "OK local:" },
		{ "transport ALICE@X.Test", "OK local:" },
		{ "transport alice+lists@y.test", "OK local:" },
		{ "transport alice+a+b@y.test", "OK local:" },
		{ "transport \"alice\"@x.test", "OK local:" },
		{ "transport Sales@Shop.test", "OK local:" },
		{ "transport sales+2026@shop.test", "OK local:" },
		{ "transport bob@x.test", "OK lmtp:[bob.test]:24" },
		{ "transport carol@x.test", "OK lmtp:inet:new-backend:24" },
		{ "transport joe@v.test", "OK lmtp:inet:new-backend:24" },
		{ "transport dave@x.test", "OK local:" },  /* LDA defers */
		{ "transport nobody@x.test", "NOTFOUND " },
		{ "transport alice@elsewhere.test", "NOTFOUND " },
		{ "transport joe@x.test", "NOTFOUND " },
		{ "transport sales@x.test", "NOTFOUND " },
		{ "transport *", "NOTFOUND " },
		{ "transport x.test", "NOTFOUND " },
		{ "transport @x.test", "NOTFOUND " },
		{ "transport alice@", "NOTFOUND " },
		{ "transport <>", "NOTFOUND " },
		{ "transport ", "NOTFOUND " },
		{ "transport  alice@x.test", "NOTFOUND " },
		{ "transport alice @x.test", "NOTFOUND " },
		{ "transport \"alice@x.test\"@evil.test", "NOTFOUND " },
		{ "transport \"a lice\"@x.test", "NOTFOUND " },
		{ "transport alice@x.test@evil.test", "NOTFOUND " },
		{ "transport al\xedice@x.test", "NOTFOUND " },
		{ "transport alice\n@x.test", "NOTFOUND " },
		{ "transport", "PERM a request is MAP ADDRESS" },
		{ "", "PERM a request is MAP ADDRESS" },
		{ "alice@x.test", "PERM a request is MAP ADDRESS" },
		{ "virtual alice@x.test",
		    "PERM no such map: there are transport and access" },
		{ "transports alice@x.test",
		    "PERM no such map: there are transport and access" },
		{ " alice@x.test",
		    "PERM no such map: there are transport and access" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++)
		answers(c[i].req, strlen(c[i].req), c[i].want);
	answers("transport alice\0@x.test", 23, "NOTFOUND ");
	answers("transport alice@x.test\0", 23, "NOTFOUND ");
}

static void
long_addresses(void **state)
{
	char *req = talloc_size(map, 100001);

	(void)state;
	memset(req, 'a', 100000);
	req[100000] = '\0';
	memcpy(req, "transport alice+", 16);
	answers(req, 10000, "NOTFOUND ");
	answers(req, 100000, "NOTFOUND ");
	memset(req, 'a', 100000);
	answers(req, 100000, "PERM a request is MAP ADDRESS");
	assert_true(protocol_socketmap.request_max >= 100000);
}

static void
accesses(void **state)
{
	static const char *const pass[] = { "access alice@x.test",
		"access bob@x.test", "access nobody@x.test",
		"access dave@else.test",
		"access *", "access x.test", "access dave@", "access " };
	struct answer out;
	char *got;
	size_t i;
	int left;

	(void)state;
	for (i = 0; i < sizeof(pass) / sizeof(pass[0]); i++)
		answers(pass[i], strlen(pass[i]), "NOTFOUND ");
	got = ask(&protocol_socketmap, &root, "access Dave+x@X.test", 20, &out);
	assert_int_equal(sscanf(got, "OK 450 4.2.1 mailbox is being moved, "
	    "try again in %d seconds", &left), 1);
	assert_in_range(left, 590, 600);
	assert_true(out.window);
	TALLOC_FREE(map);
	map = opened("window_text = moving\n");
	answers("access d@shop.test", 18, "OK 450 4.2.1 moving");
}

/*
 * A window that is over: the record is written before anybody gets the answer.
 */
static void
window_over(void **state)
{
	struct answer out;
	struct record *rec;
	struct err err;

	(void)state;
	add("eve", STATE_OVERLAP, NULL, NULL, -1);
	open_window("eve", 1);
	assert_string_equal(ask(&protocol_dict, &root,
	    "Lshared/passdb/eve\teve", 22, &out),
	    "Fmailbox is being moved, try again in 1 seconds\n");
	sleep(2);
	answers("access eve@x.test", 17, "NOTFOUND ");
	assert_int_equal(map_get_stored(map, map, "eve", &rec, &err), ST_OK);
	assert_int_equal(rec->state, STATE_OVERLAP);
}

static void
nothing_to_say(void **state)
{
	(void)state;
	TALLOC_FREE(map);
	map = opened("transport_old =\ntransport_settle =\ntransport_new =\n");
	answers("transport alice@x.test", 22, "NOTFOUND ");
	answers("transport bob@x.test", 20, "NOTFOUND ");
	answers("transport carol@x.test", 22, "NOTFOUND ");
	TALLOC_FREE(map);
	map = opened("transport_settle =\n");		/* as in old */
	answers("transport bob@x.test", 20, "OK local:");
}

/* A map that cannot answer says so, of everybody. */
static void
damaged(void **state)
{
	struct answer out;
	size_t i;
	static const char *const q[] = { "transport alice@x.test",
		"transport nobody@elsewhere.test", "access alice@x.test" };

	(void)state;
	answers("transport alice@x.test", 22, "OK local:");
	assert_int_equal(truncate(path, 8192), 0);
	for (i = 0; i < sizeof(q) / sizeof(q[0]); i++) {
		assert_int_equal(strncmp(ask(&protocol_socketmap, &root, q[i],
		    strlen(q[i]), &out), "TEMP ", 5), 0);
		assert_int_equal(out.st, ST_AGAIN);
	}
	assert_int_equal(ask(&protocol_dict, &root,
	    "Lshared/userdb/alice\talice", 26, &out)[0], 'F');
	assert_int_equal(ask(&protocol_dict, &root, "Lshared/passdb/nobody\tx",
	    23, &out)[0], 'F');
}

static void
says(const char *req, const char *want)
{
	struct answer out;
	char *got = ask(&protocol_dict, &root, req, strlen(req), &out);

	if (want == NULL ? got != NULL : got == NULL || strcmp(got, want) != 0)
		fail_msg("%s: %s, want %s", req, got, want);
}

static void
userdb(void **state)
{
	static const struct { const char *req, *want; } c[] = {
		{ "Lshared/userdb/alice\talice",
		    "O{\"mail\":\"maildir:/f1/a/alice\",\"uid\":1001}\n" },
		{ "Lshared/userdb/alice",
		    "O{\"mail\":\"maildir:/f1/a/alice\",\"uid\":1001}\n" },
		{ "Lshared/userdb/alice@X.TEST\t",
		    "O{\"mail\":\"maildir:/f1/a/alice\",\"uid\":1001}\n" },
		{ "Lshared/userdb/bob\tbob",
		    "O{\"mail\":\"maildir:/f2/bob:INDEX=/x/bob\"}\n" },
		{ "Lshared/userdb/joe@v.test\t",
		    "O{\"mail\":\"maildir:/f2/joe@v.test"
		    ":INDEX=/x/joe@v.test\"}\n" },
		/* Without a record: the map's default. */
		{ "Lshared/userdb/zoe\tzoe",
		    "O{\"mail\":\"maildir:/f1/z/zoe\"}\n" },
		{ "Lshared/userdb/zoe@y.test\t",
		    "O{\"mail\":\"maildir:/f1/z/zoe\"}\n" },
		{ "Lshared/userdb/zoe@v.test\t",
		    "O{\"mail\":\"maildir:/f1/z/zoe@v.test\"}\n" },
		/* No mailbox of another user. */
		{ "Lshared/userdb/sales@shop.test\t",
		    "O{\"mail\":\"maildir:/f1/s/sales@shop.test\"}\n" },
		{ "Lshared/userdb/web+master\t",
		    "O{\"mail\":\"maildir:/f1/w/web+master\"}\n" },
		{ "Lshared/userdb/ALICE\t",
		    "O{\"mail\":\"maildir:/f1/A/ALICE\"}\n" },
		/* Names that nobody has. */
		{ "Lshared/userdb/\t", "N\n" },
		{ "Lshared/userdb/*\t", "N\n" },
		{ "Lshared/userdb/../bob\t", "N\n" },
		{ "Lshared/userdb/a b\t", "N\n" },
		{ "Lshared/userdb/alice\0010\t", "N\n" },
		{ "Lshared/userdb/a\001tb\t", "N\n" },
		/* Keys that nobody has. */
		{ "Lshared/quota/alice\talice", "N\n" },
		{ "Lpriv/userdb/alice\talice", "N\n" },
		{ "Lshared/userdb", "N\n" },
		{ "L", "N\n" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++)
		says(c[i].req, c[i].want);
}

static void
locations_with_everything_in_them(void **state)
{
	static const char *no_address[] = { NULL };
	struct record rec = { .user = "full", .uid = 7, .state = STATE_OLD,
	    .version = 1, .address = no_address, .by = "", .why = "",
	    .unknown = "", .side[OLD] = { "/o/a:b/\"q\\ %u", "/c/\xc3\xa4",
	    "/i" } };
	struct err err;

	(void)state;
	assert_int_equal(map_replace(map, NULL, &rec, &me, NULL, &err), ST_OK);
	says("Lshared/userdb/full\tfull", "O{\"mail\":\"maildir:/o/a::b/\\\"q"
	    "\\\\ %u:CONTROL=/c/\xc3\xa4:INDEX=/i\",\"uid\":7}\n");
	TALLOC_FREE(map);
	map = opened("new_mail = %h/new\n");		/* Dovecot knows it */
	says("Lshared/userdb/carol\t",
	    "O{\"mail\":\"maildir:~/new:INDEX=/x/carol\"}\n");
	TALLOC_FREE(map);
	map = opened("new_mail = /x/%u%h\n");
	says("Lshared/userdb/carol\t", "Flocation /x/%u%h for carol: %h is "
	    "needed and the home directory is not known\n");
	TALLOC_FREE(map);
	map = opened("new_mail =\n");
	says("Lshared/userdb/carol\t", "Fcarol: the record has no new "
	    "location, and new_mail is not set\n");
}

static void
passdb(void **state)
{
	struct answer out;
	char *got;

	(void)state;
	says("Lshared/passdb/alice\talice", "O{\"leader\":\"old\"}\n");
	says("Lshared/passdb/carol@x.test\t", "O{\"leader\":\"new\"}\n");
	says("Lshared/passdb/nobody\t", "O{\"leader\":\"old\"}\n");
	got = ask(&protocol_dict, &root, "Lshared/passdb/dave\tdave", 24, &out);
	assert_int_equal(strncmp(got, "Fmailbox is being moved, try again in ",
	    38), 0);
	assert_true(out.window);
	assert_int_equal(ask(&protocol_dict, &root, "Lshared/userdb/dave\tdave",
	    24, &out)[0], 'F');
	assert_int_equal(ask(&protocol_dict, &root,
	    "Lshared/userdb/dave@x.test\t", 27, &out)[0], 'F');
}

static void
who_asks(void **state)
{
	const struct wire_peer self = { .uid = 1001 },
	    other = { .uid = 1002 }, trusted = { .uid = 1002, .trusted = true },
	    dovecot = { .uid = 1002, .dict = true };
	static const char q[] = "Lshared/userdb/alice\talice";
	struct answer out;

	(void)state;
	assert_int_equal(ask(&protocol_dict, &self, q, strlen(q), &out)[0],
	    'O');
	assert_int_equal(ask(&protocol_dict, &trusted, q, strlen(q), &out)[0],
	    'O');
	assert_int_equal(ask(&protocol_dict, &dovecot, q, strlen(q), &out)[0],
	    'O');
	assert_string_equal(ask(&protocol_map, &dovecot, "get alice", 9, &out),
	    "NEVER not permitted");
	assert_string_equal(ask(&protocol_dict, &other, q, strlen(q), &out),
	    "Fuid 1002 may not ask for alice: see trusted_users in "
	    "mailferry.conf(5)\n");
	assert_int_equal(ask(&protocol_dict, &other, "Lshared/userdb/zoe\tzoe",
	    22, &out)[0], 'O');
	assert_int_equal(ask(&protocol_dict, &other,
	    "Lshared/passdb/alice\talice", 26, &out)[0], 'O');
}

static void
other_commands(void **state)
{
	static const char *const silent[] = { "H3\t2\t0\t\tname", "H3\t0",
		"B1\tu", "S1\tshared/x\ty", "U1\tx", "A1\tx\t1", "T1\t2\t3",
		"R1" };
	static const char *const wrong[] = { "H2\t2\t0\t\tname",
	    "H4\t0\t0\t\tname",
		"H", "Hx", "H-3", "X", "", "GET / HTTP/1.1\r" };
	struct answer out;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
		assert_null(ask(&protocol_dict, &root, silent[i],
		    strlen(silent[i]), &out));
		assert_false(out.close);
	}
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_null(ask(&protocol_dict, &root, wrong[i],
		    strlen(wrong[i]), &out));
		assert_true(out.close && out.why != NULL);
	}
	assert_null(ask(&protocol_dict, &root, "L\0x", 3, &out));
	assert_true(out.close && out.why != NULL);
	says("I0\t0\tshared/userdb/\t", "Fusers are not listed here: set "
	    "iterate_disable = yes\n");
	says("C1", "F1\tnothing is written here: see mailferry(8)\n");
	says("D7\tx", "F7\tnothing is written here: see mailferry(8)\n");
}

static void
lines(void **state)
{
	const char *req;
	size_t len, used;
	char *big = talloc_zero_size(map, DICT_REQUEST_MAX + 2);

	(void)state;
	assert_int_equal(protocol_dict.parse("H3\t2\nLx\n", 8, &req, &len,
	    &used), ST_OK);
	assert_int_equal(len, 4);
	assert_int_equal(used, 5);
	assert_int_equal(protocol_dict.parse("\n", 1, &req, &len, &used),
	    ST_OK);
	assert_int_equal(len, 0);
	assert_int_equal(protocol_dict.parse("Lx", 2, &req, &len, &used),
	    ST_AGAIN);
	assert_int_equal(protocol_dict.parse(big, DICT_REQUEST_MAX, &req, &len,
	    &used), ST_AGAIN);
	assert_int_equal(protocol_dict.parse(big, DICT_REQUEST_MAX + 1, &req,
	    &len, &used), ST_NEVER);
	big[DICT_REQUEST_MAX + 1] = '\n';
	assert_int_equal(protocol_dict.parse(big, DICT_REQUEST_MAX + 2, &req,
	    &len, &used), ST_NEVER);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(transports), EACH(long_addresses), EACH(accesses),
		EACH(window_over), EACH(nothing_to_say), EACH(damaged),
		EACH(userdb), EACH(locations_with_everything_in_them),
		EACH(passdb), EACH(who_asks), EACH(other_commands), EACH(lines),
	};
	int rc;

	if (mkdtemp(dir) == NULL)
		return 2;
	path = talloc_asprintf(NULL, "%s/map.tdb", dir);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(path);
	(void)unlink(talloc_asprintf(path, "%s.lock", path));
	(void)rmdir(dir);
	return rc;
}
