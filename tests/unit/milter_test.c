/* SPDX-License-Identifier: ISC */
/*
 * milter_test.c - the reply for a recipient, and what of it is remembered
 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <pthread.h>

#include "maps/base/clock.h"
#include "milter/recent.h"
#include "milter/verdict.h"
#include "milter/pool.h"
#include "milter/reply.h"
#include "milter/windows.h"

static struct record *
record(TALLOC_CTX *ctx, const char *state, const char *rest)
{
	char *text = talloc_asprintf(ctx, RECORD_HEAD "user alice\nstate %s\n"
	    "version 7\nold /o/a\nnew /n/a\n%s", state, rest);
	struct record *rec = NULL;
	struct err err;

	if (record_parse(ctx, "alice", text, strlen(text), &rec, &err) != ST_OK)
		fail_msg("%s", err.text);
	return rec;
}

static const struct {
	const char	*state, *rest;
	time_t		 now;
	bool		 defer;
	long		 retry;
	time_t		 until;		/* what reply_of() returns */
} cases[] = {
	/* window [1000, 2000) */
	{ "old", "", 1500, false, 0, 0 },
	{ "overlap", "", 1500, false, 0, 0 },
	{ "settle", "", 1500, false, 0, 0 },
	{ "new", "", 1500, false, 0, 0 },
	{ "overlap", "window 1000 2000\n", 999, false, 0, 1000 },
	{ "overlap", "window 1000 2000\n", 1000, true, 1000, 0 },
	{ "overlap", "window 1000 2000\n", 1999, true, 1, 0 },
	{ "overlap", "window 1000 2000\n", 2000, false, 0, 0 },
	{ "settle", "window 1000 2000\n", 1400, true, 600, 0 },
	{ "cutover", "entered overlap\nwindow 1000 2000\n", 1000, true, 1000,
	    0 },
	{ "cutover", "entered overlap\nwindow 1000 2000\n", 1999, true, 1, 0 },
	{ "cutover", "entered settle\nwindow 1000 2000\n", 900, true, 1100, 0 },
	/* The lease is over, but the write that says so is not done. */
	{ "cutover", "entered overlap\nwindow 1000 2000\n", 2000, true, 1, 0 },
};

static void
every_state(void **state)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct reply r;
	char want[20];
	time_t until;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		until = reply_of(record(ctx, cases[i].state, cases[i].rest),
		    cases[i].now, "%s", &r);
		if (r.defer != cases[i].defer || until != cases[i].until)
			fail_msg("case %zu: defer %d until %ld", i, r.defer,
			    (long)until);
		if (!r.defer)
			continue;
		(void)snprintf(want, sizeof(want), "%ld", cases[i].retry);
		assert_int_equal(r.retry, cases[i].retry);
		assert_string_equal(r.text, want);
		assert_string_equal(state_name(r.state), cases[i].state);
	}
	assert_int_equal(reply_of(NULL, 1500, "%s", &r), 0);
	assert_false(r.defer);
	talloc_free(ctx);
}

static void
texts(void **state)
{
	static const struct { const char *text, *want; } t[] = {
		{ "come in %s s", "come in 500 s" },
		{ "no hint", "no hint" },
		{ "%s%s", "500500" },
		{ "100% sure, %d, %%s, %", "100%% sure, %%d, %%500, %%" },
		{ "5.7.1 %n", "5.7.1 %%n" },
		{ "", "" },
	};
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct record *rec = record(ctx, "cutover",
	    "entered overlap\nwindow 1000 2000\n");
	char *many = talloc_array(ctx, char, 2 * REPLY_TEXT_MAX + 1);
	struct reply r;
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		(void)reply_of(rec, 1500, t[i].text, &r);
		assert_string_equal(r.text, t[i].want);
	}
	/* Cut, but never in the middle of a doubled percent sign. */
	for (n = 0; n < 2; n++) {
		memset(many, '%', 2 * REPLY_TEXT_MAX);
		many[2 * REPLY_TEXT_MAX] = '\0';
		memset(many, 'x', n);
		(void)reply_of(rec, 1500, many, &r);
		assert_int_equal(strlen(r.text), REPLY_TEXT_MAX - n);
		assert_int_equal(strspn(r.text + n, "%") % 2, 0);
	}
	talloc_free(ctx);
}

static void
arguments_of_rcpt(void **state)
{
	static const struct { const char *arg, *want; } t[] = {
		{ "<a@b.test>", "a@b.test" }, { "a@b.test", "a@b.test" },
		{ "<>", "" }, { "<", "<" }, { ">", ">" }, { "", "" },
		{ "<<a>>", "<a>" }, { "<a", "<a" },
		{ "<@r.test:a@b.test>", "@r.test:a@b.test" },
	};
	size_t i, len;
	const char *p;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		p = reply_address(t[i].arg, &len);
		assert_int_equal(len, strlen(t[i].want));
		assert_memory_equal(p, t[i].want, len);
	}
}

static void
remembered(void **state)
{
	char key[100];
	struct recent *c = recent_new(NULL);
	int i, kept = 0;

	(void)state;
	assert_false(recent_has(c, "a@x", 3, false, 0));
	recent_put(c, "a@x", 3, false, 100);
	assert_true(recent_has(c, "a@x", 3, false, 99));
	assert_false(recent_has(c, "a@x", 3, false, 100));
	assert_false(recent_has(c, "a@x", 3, true, 99));
	assert_false(recent_has(c, "a@", 2, false, 99));
	assert_false(recent_has(c, "a@x\0", 4, false, 99));
	memset(key, 'k', sizeof(key));
	recent_put(c, key, sizeof(key), false, 100);
	assert_false(recent_has(c, key, sizeof(key), false, 99));
	recent_put(c, "", 0, false, 100);
	assert_true(recent_has(c, "", 0, false, 99));
	/* Nobody else's answer, however full it is. */
	for (i = 0; i < 200000; i++) {
		int len = snprintf(key, sizeof(key), "u%d@x.test", i);

		assert_false(recent_has(c, key, (size_t)len, false, 99));
		recent_put(c, key, (size_t)len, false, 100);
		kept += recent_has(c, key, (size_t)len, false, 99);
	}
	assert_int_equal(kept, 200000);
	talloc_free(c);
}

/* A map that says what the test wants, to each question on any connection. */
struct fake {
	char		 path[60];
	int		 fd;
	pthread_t	 thread;
	char		 body[600];	/* "" : never answers */
	int		 asked;
};

struct talk { struct fake *f; int fd; };

static void *
talk(void *arg)
{
	struct talk *t = arg;
	char buf[2048];

	while (recv(t->fd, buf, sizeof(buf), 0) > 0) {
		__atomic_add_fetch(&t->f->asked, 1, __ATOMIC_SEQ_CST);
		if (t->f->body[0] != '\0')
			(void)!write(t->fd, t->f->body, strlen(t->f->body));
	}
	(void)close(t->fd);
	free(t);
	return NULL;
}

static void *
listening(void *arg)
{
	struct fake *f = arg;
	struct talk *t;
	pthread_t id;
	int fd;

	while ((fd = accept(f->fd, NULL, NULL)) != -1) {
		t = malloc(sizeof(*t));
		*t = (struct talk){ f, fd };
		assert_int_equal(pthread_create(&id, NULL, talk, t), 0);
		(void)pthread_detach(id);
	}
	return NULL;
}

static void
say(struct fake *f, const char *body)
{
	if (*body == '\0')
		f->body[0] = '\0';
	else
		(void)snprintf(f->body, sizeof(f->body), "%zu:%s,",
		    strlen(body), body);
}

static struct setup *
fake_map(struct fake *f, const char *body)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char text[300];
	struct conf *conf = NULL;
	struct err err;

	*f = (struct fake){ .asked = 0 };
	say(f, body);
	(void)snprintf(f->path, sizeof(f->path), "/tmp/milter_test.%d",
	    (int)getpid());
	(void)unlink(f->path);
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->path);
	f->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(
	    bind(f->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(f->fd, 200), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, listening, f), 0);
	(void)snprintf(text, sizeof(text), "map = tdb:/x\nmap_socket = %s\n",
	    f->path);
	assert_int_equal(conf_parse(NULL, "f", text, strlen(text), &conf, &err),
	    ST_OK);
	return setup_new(conf, NULL);
}

static void
end_fake(struct fake *f, struct setup *s)
{
	setup_give(s);
	(void)shutdown(f->fd, SHUT_RDWR);
	(void)pthread_join(f->thread, NULL);
	(void)close(f->fd);
	(void)unlink(f->path);
}

static const char in_window[] = "OK\n" RECORD_HEAD "user alice\nstate cutover\n"
    "entered overlap\nwindow 1000 4000000000\nversion 7\nold /o/a\nnew /n/a\n";
static const char settled[] = "OK\n" RECORD_HEAD "user alice\nstate settle\n"
    "version 8\nold /o/a\nnew /n/a\n";

static void
decided(void **state)
{
	struct decision d;
	struct fake f;
	struct setup *s = fake_map(&f, in_window);
	long long begin;
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {	/* a refusal is never remembered */
		decide(s, "Alice@x.test", 12, true, &d);
		assert_int_equal(d.verdict, VERDICT_TEMPFAIL);
		assert_string_equal(d.user, "alice");
	}
	assert_int_equal(f.asked, 3);
	say(&f, settled);
	for (i = 0; i < 3; i++) {
		decide(s, "alice@x.test", 12, true, &d);
		assert_int_equal(d.verdict, VERDICT_ACCEPT);
	}
	assert_int_equal(f.asked, 4);
	/* A window that opens meanwhile is seen within a second. */
	say(&f, in_window);
	begin = clock_ms();
	do {
		(void)usleep(20000);
		decide(s, "alice@x.test", 12, true, &d);
	} while (d.verdict == VERDICT_ACCEPT && clock_ms() - begin < 3000);
	assert_int_equal(d.verdict, VERDICT_TEMPFAIL);
	assert_in_range(clock_ms() - begin, 0, 1000);
	say(&f, "NONE");
	decide(s, "bob@x.test", 10, true, &d);
	assert_int_equal(d.verdict, VERDICT_ACCEPT);
	say(&f, "NEVER map: not permitted");
	decide(s, "carol@x.test", 12, true, &d);
	assert_int_equal(d.verdict, VERDICT_UNASKED);
	say(&f, "garbage");
	decide(s, "dave@x.test", 11, true, &d);
	assert_int_equal(d.verdict, VERDICT_UNASKED);
	/* What is no address is nobody's; the map does not hear of it. */
	i = f.asked;
	decide(s, "a\nb@x.test", 10, true, &d);
	assert_int_equal(d.verdict, VERDICT_ACCEPT);
	assert_int_equal(f.asked, i);
	end_fake(&f, s);
}

/* A window that is planned, and begins a second from now, is met in time. */
static void
planned(void **state)
{
	struct decision d;
	struct fake f;
	struct setup *s = fake_map(&f, "");
	char body[300];
	time_t begin = time(NULL) + 2;

	(void)state;
	(void)snprintf(body, sizeof(body), "OK\n" RECORD_HEAD "user alice\n"
	    "state overlap\nwindow %ld %ld\nversion 7\nold /o/a\nnew /n/a\n",
	    (long)begin, (long)begin + 100);
	say(&f, body);
	do {
		decide(s, "alice@x.test", 12, true, &d);
		if (d.verdict != VERDICT_ACCEPT)
			break;
		(void)usleep(5000);
	} while (time(NULL) < begin + 3);
	assert_int_equal(d.verdict, VERDICT_TEMPFAIL);
	assert_int_equal(time(NULL), begin);
	assert_string_equal(state_name(d.reply.state), "overlap");
	end_fake(&f, s);
}

static void
silence(void **state)
{
	struct decision d;
	struct fake f;
	struct setup *s = fake_map(&f, "");
	long long begin = clock_ms();

	(void)state;
	decide(s, "alice@x.test", 12, true, &d);
	assert_int_equal(d.verdict, VERDICT_UNASKED);
	assert_in_range(clock_ms() - begin, POOL_PATIENCE, 1000);
	begin = clock_ms();		/* the same once more: at once */
	decide(s, "alice@x.test", 12, true, &d);
	assert_int_equal(d.verdict, VERDICT_UNASKED);
	decide(s, "bob@x.test", 10, true, &d);
	decide(s, "carol@x.test", 12, true, &d);
	assert_in_range(clock_ms() - begin, 2 * POOL_PATIENCE,
	    2 * POOL_PATIENCE + 300);
	begin = clock_ms();		/* three of three: mapd is away */
	decide(s, "dave@x.test", 11, true, &d);
	assert_int_equal(d.verdict, VERDICT_UNASKED);
	assert_in_range(clock_ms() - begin, 0, 50);
	say(&f, settled);
	(void)usleep(POOL_AWAY * 1000);
	decide(s, "dave@x.test", 11, true, &d);
	assert_int_equal(d.verdict, VERDICT_ACCEPT);
	end_fake(&f, s);
}

static void *
one_question(void *arg)
{
	struct decision d;
	char who[30];
	int len = snprintf(who, sizeof(who), "t%lu@x.test",
	    (unsigned long)pthread_self());
	long long begin = clock_ms();

	decide(arg, who, (size_t)len, true, &d);
	assert_int_equal(d.verdict, VERDICT_UNASKED);
	return (void *)(intptr_t)(clock_ms() - begin);
}

/* More at once than there are connections: nobody waits for two. */
static void
too_many(void **state)
{
	pthread_t id[POOL_MAX + 40];
	struct fake f;
	struct setup *s = fake_map(&f, "");
	size_t i, n = sizeof(id) / sizeof(id[0]);
	void *ms;

	(void)state;
	for (i = 0; i < n; i++)
		assert_int_equal(
		    pthread_create(&id[i], NULL, one_question, s), 0);
	for (i = 0; i < n; i++) {
		(void)pthread_join(id[i], &ms);
		assert_in_range((intptr_t)ms, 0, 1300);
	}
	assert_in_range(f.asked, 1, POOL_MAX);
	end_fake(&f, s);
}

static bool
none(struct windows *w, const char *address, bool local)
{
	static struct conf *conf;
	static const char text[] = "map = tdb:/x\ndomains = x.test\n";
	struct err err;

	if (conf == NULL)
		assert_int_equal(
		    conf_parse(NULL, "f", text, strlen(text), &conf, &err),
		    ST_OK);
	return windows_none(w, conf, address, strlen(address), local);
}

/* Whoever map_recipient() could find by an address has to be in the table. */
static void
followed(void **state)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct windows *w = windows_new(ctx);
	struct record *open, *ahead, *past, *plain;
	time_t now = time(NULL);
	char win[60];
	int i;

	(void)state;
	open = record(ctx, "cutover", "entered overlap\nwindow 1000 2000\n"
	    "address Al@a.test\naddress info+list@a.test\n");
	(void)snprintf(win, sizeof(win), "window %ld %ld\n", (long)now + 900,
	    (long)now + 960);
	ahead = record(ctx, "overlap", win);
	past = record(ctx, "overlap", "window 1000 2000\n");
	plain = record(ctx, "overlap", "address al@a.test\n");
	windows_put(w, open, now);
	assert_false(none(w, "bob@x.test", true));	/* not all is read */
	windows_complete(w, true);
	assert_true(none(w, "bob@x.test", true));
	for (i = 0; i < 3; i++) {
		assert_false(none(w, "alice@x.test", false));
		assert_false(none(w, "Alice+ext@X.Test", false));
		assert_false(none(w, "\"alice\"@other.test", true));
		assert_true(none(w, "alice@other.test", false));
		assert_false(none(w, "AL@a.test", false));
		assert_false(none(w, "al+x+y@a.test", false));
		assert_false(none(w, "info+list@a.test", false));
		assert_true(none(w, "info@a.test", false));
		assert_true(none(w, "alic@x.test", true));
		assert_true(none(w, "no\naddress", true));
		windows_put(w, open, now);		/* again: once in it */
	}
	windows_put(w, ahead, now);
	assert_false(none(w, "alice@x.test", false));
	assert_true(none(w, "al@a.test", false));
	windows_put(w, past, now);
	assert_true(none(w, "alice@x.test", false));
	windows_put(w, open, now);
	windows_put(w, plain, now);
	assert_true(none(w, "al@a.test", false));
	windows_put(w, open, now);
	windows_drop(w, "nobody");
	windows_drop(w, "alice");
	assert_true(none(w, "al@a.test", false));
	windows_put(w, open, now);
	windows_complete(w, false);
	assert_false(none(w, "bob@x.test", false));
	windows_complete(w, true);			/* and it was emptied */
	assert_true(none(w, "alice@x.test", false));
	talloc_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state),
		cmocka_unit_test(texts),
		cmocka_unit_test(arguments_of_rcpt),
		cmocka_unit_test(remembered),
		cmocka_unit_test(followed),
		cmocka_unit_test(decided),
		cmocka_unit_test(planned),
		cmocka_unit_test(silence),
		cmocka_unit_test(too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
