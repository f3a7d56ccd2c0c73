/* SPDX-License-Identifier: ISC */
/*
 * map_ldap_test.c - the map in a directory: what it alone has, and deaths
 */
#include "tests/unit/backend.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef WITH_LDAP
#include "maps/base/clock.h"
#include "maps/ldap/change.h"
#include "maps/ldap/history.h"

static const char *no_address[] = { NULL };

static struct record
record(const char *user)
{
	return (struct record){ .user = user, .uid = 1001, .state = STATE_OLD,
	    .version = 1, .address = no_address, .by = "", .why = "",
	    .unknown = "" };
}

static enum status
add(struct map *map, const char *user, const char *address, time_t at,
    struct err *err)
{
	struct record rec = record(user);
	struct change_by by = { "tester", at, "because" };
	const char *addrs[] = { address, NULL };

	rec.address = addrs;
	return map_replace(map, NULL, &rec, &by, NULL, err);
}

static enum status
has(struct map *map, const char *user, struct err *err)
{
	struct record *rec = NULL;
	enum status st = map_get_stored(map, NULL, user, &rec, err);

	talloc_free(rec);
	return st;
}

/* Another version of the record, by the version it has. */
static enum status
touch(struct map *map, const char *user, time_t at, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct change_by by = { "tester", at, "again" };
	struct record *was, *is;
	enum status st;

	st = map_get_stored(map, ctx, user, &was, err);
	if (st == ST_OK) {
		is = record_copy(ctx, was);
		is->version++;
		st = map_replace(map, was, is, &by, NULL, err);
	}
	talloc_free(ctx);
	return st;
}

static enum status
count_change(const struct change *ch, void *arg, struct err *err)
{
	(void)ch;
	(void)err;
	++*(int *)arg;
	return ST_OK;
}

static int
changes(struct map *map, const char *user)
{
	struct err err;
	int n = 0;

	assert_int_equal(map_history(map, user, 1000, count_change, &n, &err),
	    ST_OK);
	return n;
}

static void
tick_all(struct map *map)
{
	struct ldapmap *lm = map->handle;
	struct err err;

	lm->pruned = lm->rolled = -1000000;
	while (map->ops->tick(map, &err) == ST_OK)
		continue;
}

static void
retention(void **state)
{
	struct map *map = backend_fresh();
	struct err err;
	int i;

	(void)state;
	assert_int_equal(add(map, "alice", NULL, 1000, &err), ST_OK);
	for (i = 0; i < 40; i++)
		assert_int_equal(touch(map, "alice", 1000 + i, &err), ST_OK);
	assert_int_equal(add(map, "bob", NULL, time(NULL), &err), ST_OK);
	assert_int_equal(changes(map, "alice"), 41);
	tick_all(map);
	assert_int_equal(changes(map, "bob"), 1);
	/* Its last change stays on the record: it is the record's. */
	assert_int_equal(changes(map, "alice"), 1);
	talloc_free(map);
}

/* After a death between change and copy the next change makes the copy. */
static void
a_history_that_is_missing(void **state)
{
	struct map *map = backend_fresh();
	struct ldapmap *lm = map->handle;
	char dn[200];
	struct err err;

	(void)state;
	assert_int_equal(add(map, "alice", NULL, time(NULL), &err), ST_OK);
	(void)snprintf(dn, sizeof(dn), "mailferrySequence=1,cn=history,%s",
	    lm->conf->map_entry);
	assert_int_equal(ldapm_delete(lm, dn, NULL, &err), ST_OK);
	assert_int_equal(changes(map, NULL), 0);
	assert_int_equal(touch(map, "alice", time(NULL), &err), ST_OK);
	assert_int_equal(changes(map, NULL), 2);
	(void)snprintf(dn, sizeof(dn), "mailferrySequence=2,cn=history,%s",
	    lm->conf->map_entry);
	assert_int_equal(ldapm_delete(lm, dn, NULL, &err), ST_OK);
	assert_int_equal(changes(map, "alice"), 2);
	talloc_free(map);
}

/* After a death between claim and record the claim is free in a minute. */
static void
a_claim_that_nobody_has(void **state)
{
	struct map *map = backend_fresh();
	struct ldapmap *lm = map->handle;
	struct ldapmods m = { .ctx = map };
	char dn[200], *owner = NULL;
	struct err err;

	(void)state;
	assert_int_equal(add(map, "bob", NULL, time(NULL), &err), ST_OK);
	assert_int_equal(ldapm_claim(lm, map, "a@x", "bob", &owner, &err),
	    ST_OK);
	assert_int_equal(add(map, "alice", "a@x", time(NULL), &err), ST_NEVER);
	ldapm_mod_number(&m, LDAP_MOD_REPLACE, "mailferryAt", 1000);
	(void)snprintf(dn, sizeof(dn), "mailferryClaim=a@x,cn=addresses,%s",
	    lm->conf->map_entry);
	assert_int_equal(ldapm_modify(lm, dn, &m, NULL, NULL, NULL, &err),
	    ST_OK);
	assert_int_equal(add(map, "alice", "a@x", time(NULL), &err), ST_OK);
	/* Of one that is used age says nothing. */
	assert_int_equal(ldapm_modify(lm, dn, &m, NULL, NULL, NULL, &err),
	    ST_OK);
	assert_int_equal(add(map, "carol", "a@x", time(NULL), &err), ST_NEVER);
	talloc_free(map);
}

static char *
import(struct map *map, int users, bool commit)
{
	struct change_by by = { "tester", time(NULL), "import" };
	uint64_t left;
	struct err err;
	char user[16], *id = NULL;
	int i;

	assert_int_equal(map_import_begin(map, map, &id, &err), ST_OK);
	for (i = 0; i < users; i++) {
		struct record rec = record(user);

		(void)snprintf(user, sizeof(user), "u%d", i);
		if (map_import_put(map, id, 0, &rec, &by, &err) != ST_OK)
			fail_msg("%s", err.text);
	}
	if (commit && (map_import_commit(map, id, &left, &err) != ST_OK ||
	    left != (uint64_t)users))
		fail_msg("not decided");
	return id;
}

/* On another host, with the map as it was left. */
static void
in_a_child_that_dies(int users, bool commit)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)import(backend_open(), users, commit);
		(void)kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void
an_import_whose_host_died_decided(void **state)
{
	struct map *map = backend_fresh();
	struct err err;

	(void)state;
	assert_int_equal(has(map, "u3", &err), ST_NONE);
	in_a_child_that_dies(100, true);
	assert_int_equal(has(map, "u3", &err), ST_OK);
	assert_int_equal(touch(map, "u3", time(NULL), &err), ST_OK);
	assert_int_equal(touch(map, "u4", time(NULL), &err), ST_OK);
	tick_all(map);
	assert_int_equal(has(map, "u99", &err), ST_OK);
	assert_int_equal(changes(map, "u99"), 1);
	assert_int_equal(changes(map, "u4"), 2);
	(void)import(map, 0, false);		/* there is room again */
	talloc_free(map);
}

static void
an_import_whose_host_died_undecided(void **state)
{
	struct map *map = backend_fresh();
	struct ldapmap *lm = map->handle;
	struct ldapmods m = { .ctx = map };
	static const char *const attrs[] = { "cn", NULL };
	LDAPMessage *res;
	char *base, *id = NULL, *dn;
	struct err err;

	(void)state;
	assert_int_equal(has(map, "u3", &err), ST_NONE);
	in_a_child_that_dies(20, false);
	assert_int_equal(has(map, "u3", &err), ST_NONE);
	assert_int_equal(map_import_begin(map, map, &id, &err), ST_AGAIN);
	base = ldapconf_below(map, lm->conf, NULL, "imports");
	assert_int_equal(ldapm_search(lm, base, LDAP_SCOPE_ONELEVEL,
	    "(mailferryState=open)", attrs, 0, &res, &err), ST_OK);
	dn = ldap_get_dn(lm->ld, ldap_first_entry(lm->ld, res));
	ldapm_mod_number(&m, LDAP_MOD_REPLACE, "mailferryAt", 1000);
	assert_int_equal(ldapm_modify(lm, dn, &m, NULL, NULL, NULL, &err),
	    ST_OK);
	ldap_memfree(dn);
	(void)ldap_msgfree(res);
	assert_int_equal(map_import_begin(map, map, &id, &err), ST_OK);
	assert_int_equal(ldapm_search(lm, lm->conf->base, LDAP_SCOPE_SUBTREE,
	    "(mailferryStaged=*)", attrs, 0, &res, &err), ST_OK);
	assert_int_equal(ldap_count_entries(lm->ld, res), 0);
	(void)ldap_msgfree(res);
	map_import_abort(map, id);
	assert_int_equal(add(map, "u3", NULL, time(NULL), &err), ST_OK);
	talloc_free(map);
}

static void
a_server_that_lags_behind(void **state)
{
	struct map *map = backend_fresh();
	struct ldapmap *lm = map->handle;
	struct err err;

	(void)state;
	assert_int_equal(add(map, "alice", NULL, time(NULL), &err), ST_OK);
	assert_int_equal(atomic_load(&lm->shared->seen), 1);
	atomic_store(&lm->shared->seen, 2);
	ldapm_disconnect(lm);
	assert_int_equal(has(map, "alice", &err), ST_AGAIN);
	assert_non_null(strstr(err.text, "lags behind"));
	/* While none is good nobody waits. */
	assert_int_equal(has(map, "alice", &err), ST_AGAIN);
	assert_non_null(strstr(err.text, "no LDAP server"));
	atomic_store(&lm->shared->seen, 1);
	(void)usleep(1100000);
	assert_int_equal(has(map, "alice", &err), ST_OK);
	talloc_free(map);
}

/* A reader has acted on it, too; but one edited entry is not the map. */
static void
what_others_changed_was_seen(void **state)
{
	struct map *map = backend_fresh(), *reads = backend_open();
	struct ldapmap *lm = map->handle, *there = reads->handle;
	struct ldapmods m = { .ctx = map };
	char dn[200];
	struct err err;

	(void)state;
	assert_int_equal(has(reads, "alice", &err), ST_NONE);
	assert_int_equal(add(map, "alice", NULL, time(NULL), &err), ST_OK);
	assert_int_equal(touch(map, "alice", time(NULL), &err), ST_OK);
	assert_int_equal(has(reads, "alice", &err), ST_OK);
	assert_int_equal(atomic_load(&there->shared->seen), 2);
	(void)snprintf(dn, sizeof(dn), "mailferryUser=alice,cn=records,%s",
	    lm->conf->map_entry);
	ldapm_mod(&m, LDAP_MOD_REPLACE, "mailferrySequence", "4711");
	assert_int_equal(ldapm_modify(lm, dn, &m, NULL, NULL, NULL, &err),
	    ST_OK);
	assert_int_equal(has(reads, "alice", &err), ST_OK);
	assert_int_equal(atomic_load(&there->shared->seen), 2);
	talloc_free(reads);
	talloc_free(map);
}

static enum status
heard_enough(enum follow_event ev, const struct followed *rec, void *arg)
{
	(void)ev;
	(void)rec;
	(void)arg;
	return ST_AGAIN;
}

/* Milliseconds until the followers of five hosts, in turn, begin to read. */
static long long
five_begin(struct map *map, long long refresh)
{
	struct ldapmap *lm = map->handle;
	long long began = clock_ms();
	struct err err;
	int i;

	for (i = 0; i < 5; i++) {
		lm->refresh = refresh;
		assert_int_equal(map->ops->follow(map, heard_enough, NULL,
		    &err), ST_AGAIN);
	}
	return clock_ms() - began;
}

/*
 * The longer that takes the less together; but the lease must not end over it.
 */
static void
all_hosts_do_not_read_all_at_once(void **state)
{
	struct map *map = backend_fresh();
	struct ldapmap *lm = map->handle;
	long long at_once, spread;
	struct err err;

	(void)state;
	assert_int_equal(has(map, "alice", &err), ST_NONE);
	lm->conf->lease = 10;
	at_once = five_begin(map, 0);
	spread = five_begin(map, 3600 * 1000);
	assert_true(spread > at_once + 100);
	assert_true(spread < 5 * 1000 + 1000);
	talloc_free(map);
}

static void
two_entries_with_one_record(void **state)
{
	struct map *map = backend_fresh();
	struct ldapmap *lm = map->handle;
	struct ldapmods m = { .ctx = map };
	char dn[200];
	struct err err;

	(void)state;
	assert_int_equal(add(map, "alice", NULL, time(NULL), &err), ST_OK);
	ldapm_mod_list(&m, LDAP_MOD_ADD, "objectClass", (const char *const[]){
	    "organizationalUnit", "mailferryRecord", NULL });
	ldapm_mod(&m, LDAP_MOD_ADD, "ou", "x");
	ldapm_mod(&m, LDAP_MOD_ADD, "mailferryUser", "alice");
	ldapm_mod(&m, LDAP_MOD_ADD, "mailferryVersion", "1");
	ldapm_mod(&m, LDAP_MOD_ADD, "mailferryShelf", "1");
	(void)snprintf(dn, sizeof(dn), "ou=x,%s", backend_base());
	assert_int_equal(ldapm_add(lm, dn, &m, &err), ST_OK);
	assert_int_equal(has(map, "alice", &err), ST_NEVER);
	assert_non_null(strstr(err.text, "two entries"));
	talloc_free(map);
}

/*
 * Another is just making the map, or died doing it: whoever comes next goes on.
 */
static void
a_map_that_is_half_made(void **state)
{
	struct map *map = backend_fresh(), *next;
	struct ldapmap *lm = map->handle;
	struct ldapmods m = { .ctx = map };
	struct err err;

	(void)state;
	assert_int_equal(has(map, "alice", &err), ST_NONE);
	assert_int_equal(ldapm_delete(lm, ldapconf_below(map, lm->conf, NULL,
	    "records"), NULL, &err), ST_OK);
	ldapm_mod_list(&m, LDAP_MOD_DELETE, "mailferryConnects",
	    (const char *const[]){ NULL });
	assert_int_equal(ldapm_modify(lm, lm->conf->map_entry, &m, NULL, NULL,
	    NULL, &err), ST_OK);
	next = backend_open();
	assert_int_equal(add(next, "alice", NULL, 1000, &err), ST_OK);
	talloc_free(next);
	talloc_free(map);
}

/* A part of the tree that is elsewhere may have what is not found here. */
static void
a_tree_that_is_not_whole(void **state)
{
	struct map *map = backend_fresh();
	struct ldapmap *lm = map->handle;
	struct ldapmods m = { .ctx = map };
	char dn[200];
	struct err err;

	(void)state;
	assert_int_equal(has(map, "alice", &err), ST_NONE);
	ldapm_mod_list(&m, LDAP_MOD_ADD, "objectClass", (const char *const[]){
	    "referral", "extensibleObject", NULL });
	ldapm_mod(&m, LDAP_MOD_ADD, "ou", "away");
	ldapm_mod(&m, LDAP_MOD_ADD, "ref", "ldap://127.0.0.1:1/ou=away,dc=t");
	(void)snprintf(dn, sizeof(dn), "ou=away,%s", backend_base());
	assert_int_equal(ldapm_add(lm, dn, &m, &err), ST_OK);
	assert_int_equal(has(map, "alice", &err), ST_AGAIN);
	talloc_free(map);
}

/* It is stopped when the last of its threads is. */
static void
stop_slapd(void)
{
	int status;

	assert_int_equal(kill(backend_slapd(), SIGSTOP), 0);
	assert_int_equal(waitpid(backend_slapd(), &status, WUNTRACED),
	    backend_slapd());
	assert_true(WIFSTOPPED(status));
}

/* The answer to a write does not come: it may be done, or be done yet. */
static void
a_write_without_an_answer(void **state)
{
	struct map *map = backend_fresh();
	struct ldapmap *lm = map->handle;
	struct record *was = NULL, *is;
	struct change_by by = { "tester", time(NULL), "stopped" };
	uint64_t version;
	enum status st;
	struct err err;

	(void)state;
	lm->conf->timeout = 1;
	assert_int_equal(add(map, "alice", NULL, time(NULL), &err), ST_OK);
	assert_int_equal(map_get_stored(map, map, "alice", &was, &err), ST_OK);
	is = record_copy(map, was);
	is->version++;
	stop_slapd();
	st = map->ops->replace(map, was, is, &by, &version, &err);
	assert_int_equal(kill(backend_slapd(), SIGCONT), 0);
	assert_int_equal(st, ST_AGAIN);
	(void)usleep(1200000);
	assert_int_equal(touch(map, "alice", time(NULL), &err), ST_OK);
	assert_int_equal(map_get_stored(map, map, "alice", &was, &err), ST_OK);
	assert_int_equal(changes(map, "alice"), was->version);
	talloc_free(map);
}

/* The same, but the server goes on while we ask what became of it. */
static void
a_write_whose_answer_was_lost(void **state)
{
	struct map *map = backend_fresh();
	struct ldapmap *lm = map->handle;
	struct change_by by = { "tester", time(NULL), "lost" };
	struct record rec = record("alice");
	struct ldapentry ent;
	struct change ch;
	uint64_t seq;
	enum status st;
	struct err err;
	pid_t pid;

	(void)state;
	lm->conf->timeout = 1;
	assert_int_equal(ldapm_sequence(lm, 1, &seq, &err), ST_OK);
	assert_int_equal(ldapm_entry(lm, map, "alice", true, &ent, &err),
	    ST_OK);
	stop_slapd();
	pid = fork();
	if (pid == 0) {
		(void)usleep(1500000);
		_exit(kill(backend_slapd(), SIGCONT));
	}
	st = ldapm_change(lm, map, &ent, "alice", &rec, &by, seq, false, &ch,
	    &err);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	if (st != ST_OK)
		fail_msg("%s", err.text);
	assert_int_equal(touch(map, "alice", time(NULL), &err), ST_OK);
	assert_int_equal(changes(map, "alice"), 2);
	talloc_free(map);
}

static const struct {
	const char *text, *error;
} files[] = {
	{ "uri = ldapi:///\nbase = x\n", NULL },
	{ "uri = ldap://a, ldaps://b\nbase = dc=x, dc=y\nbind_dn = cn=m, dc=x\n"
	    "password_file = /p\n", NULL },
	{ "uri = ldap://a\nbase = x\ntls_cert = /c\ntls_key = /k\n", NULL },
	{ "uri = ldap://a\nbase = x\n", "without bind_dn" },
	{ "uri = ldapi:///\n", "base is not set" },
	{ "base = x\n", "uri is not set" },
	{ "uri = ldapi:///\nbase = x\ntls_cert = /c\n", "go together" },
	{ "uri = ldapi:///\nbase = x\nbind_dn = y\n", "needs a password_file" },
	{ "uri = ldapi:///\nbase = x\ntimeout = 9\n", "longer than patience" },
	{ "uri = ldapi:///\nbase = x\nworkers = 0\n", "line 3: workers" },
	{ "uri = ldapi:///\nbase = x\n\ntls_cafile = /x\n",
	    "line 4: tls_cafile: unknown key; did you mean \"tls_ca\"?" },
	{ "uri = http://a\nbase = x\nbind_dn = y\npassword_file = /p\n",
	    "is ldap://" },
};

static void
the_file(void **state)
{
	struct ldapconf *conf;
	struct err err;
	char *text;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		text = talloc_strdup(NULL, files[i].text);
		if (files[i].error == NULL) {
			if (ldapconf_parse(NULL, "f", text, &conf,
			    &err) != ST_OK)
				fail_msg("%s", err.text);
			assert_true(conf->starttls && conf->tls_require);
			talloc_free(conf);
		} else {
			assert_int_equal(ldapconf_parse(NULL, "f", text, &conf,
			    &err), ST_NEVER);
			if (strstr(err.text, files[i].error) == NULL)
				fail_msg("%s", err.text);
		}
		talloc_free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_file), cmocka_unit_test(retention),
		cmocka_unit_test(a_history_that_is_missing),
		cmocka_unit_test(a_claim_that_nobody_has),
		cmocka_unit_test(an_import_whose_host_died_decided),
		cmocka_unit_test(an_import_whose_host_died_undecided),
		cmocka_unit_test(a_server_that_lags_behind),
		cmocka_unit_test(what_others_changed_was_seen),
		cmocka_unit_test(all_hosts_do_not_read_all_at_once),
		cmocka_unit_test(two_entries_with_one_record),
		cmocka_unit_test(a_map_that_is_half_made),
		cmocka_unit_test(a_tree_that_is_not_whole),
		cmocka_unit_test(a_write_without_an_answer),
		cmocka_unit_test(a_write_whose_answer_was_lost),
	};
	int rc;

	if (backend_begin(LDAP_) == -1)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	backend_end();
	return rc;
}
#else
static void
built_without_ldap(void **state)
{
	(void)state;
	assert_string_equal(map_owners[0]->scheme, "tdb");
	assert_null(map_owners[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(built_without_ldap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
