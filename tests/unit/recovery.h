/* SPDX-License-Identifier: ISC */
/*
 * recovery.h - what a delivery left that ended half-way, and the next one
 *
 * For tests of one program each: everything is static.  The states that a
 * crash, a lost log or a change of state leaves behind are made by hand: what
 * is in tmp/, the uidlists and the logs of each side.
 */
#ifndef TESTS_UNIT_RECOVERY_H
#define TESTS_UNIT_RECOVERY_H

#include "tests/unit/sides.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lda/store/pair.h"
#include "lda/store/handover.h"
#include "lda/store/visit.h"
#include "lda/transaction.h"
#include "maps/base/clock.h"
#include "maps/transition.h"

static struct record *
record_of(struct map *map)
{
	struct record *rec = NULL;
	struct err err;

	if (map_get(map, conf, "u", NULL, time(NULL), &rec, &err) != ST_OK)
		fail_msg("%s", err.text);
	return rec;
}

static struct record *
record(void)
{
	struct map *map = open_map();
	struct record *rec = record_of(map);

	talloc_free(map);
	return rec;
}

/* A step, and its barrier, as the command does it. */
static inline void
step(enum state to)
{
	struct record *was = record(), *is = NULL;
	struct map *map;
	struct err err;

	if (transition_step(conf, was, to, 0, 0, 0, &is, &err) != ST_OK)
		fail_msg("%s", err.text);
	map = open_map();
	if (map_replace(map, was, is, &by, NULL, &err) != ST_OK)
		fail_msg("%s", err.text);
	talloc_free(map);
	if (visit_barrier(record(), conf, &err) != ST_OK)
		fail_msg("%s", err.text);
}

/* The part of a step that makes `next` ready, as the command does it; `ask`:
 * the map as well. */
static inline enum status
hand_to(const struct record *rec, enum side next, bool ask, struct err *err)
{
	struct handover ho = { .rec = rec, .conf = conf, .next = next,
	    .force = true, .ask = ask, .map_flags = MAP_OWNER };

	return handover(&ho, err);
}

/* A step to the other leader, as the command does it: by a cutover. */
static inline void
hand_over(enum state to)
{
	struct record *was = record(), *is = NULL;
	time_t now = time(NULL);
	struct map *map;
	struct err err;

	if (transition_step(conf, was, STATE_CUTOVER, now, now + 600, now, &is,
	    &err) != ST_OK)
		fail_msg("%s", err.text);
	map = open_map();
	if (map_replace(map, was, is, &by, NULL, &err) != ST_OK)
		fail_msg("%s", err.text);
	talloc_free(map);
	was = record();
	if (hand_to(was, to == STATE_SETTLE ? NEW : OLD, false, &err) != ST_OK)
		fail_msg("%s", err.text);
	map = open_map();
	if (transition_step(conf, was, to, 0, 0, now, &is, &err) != ST_OK ||
	    map_replace(map, was, is, &by, NULL, &err) != ST_OK)
		fail_msg("%s", err.text);
	talloc_free(map);
}

static char *
mail(int n)
{
	return talloc_asprintf(conf, "Received: by mx.x.test (Postfix)\n"
	    "\tid 4XYZ%06d; Mon\nSubject: %d\n\nbody %d\n", n, n, n);
}

static struct message *
message(TALLOC_CTX *ctx, int n)
{
	struct envelope env = { .sender = "s@x.test" };
	struct message *msg = NULL;
	FILE *in = tmpfile();
	struct err err;

	assert_non_null(in);
	(void)fputs(mail(n), in);
	(void)fflush(in);
	(void)lseek(fileno(in), 0, SEEK_SET);
	if (message_begin(ctx, &env, fileno(in), &msg, &err) != ST_OK)
		fail_msg("%s", err.text);
	(void)fclose(in);		/* it is whole */
	return msg;
}

/* Deliver message n; true: it was known. */
static inline bool
send_to(const char *folder, int n)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct record *rec = record();
	struct delivery dv = { .ctx = ctx, .map = open_map(), .conf = conf,
	    .user = "u", .recipient = "u@x.test", .folder = folder,
	    .uids = true, .until = clock_ms() + 100000 };
	struct err err;
	bool known;

	if (deliver(&dv, rec, message(ctx, n), &err) != ST_OK)
		fail_msg("%s", err.text);
	(void)alarm(0);
	known = dv.known;
	talloc_free(dv.map);
	talloc_free(ctx);
	return known;
}

/* A delivery that is deferred; its line. */
static inline const char *
deferred(const char *folder, int n)
{
	static struct err err;
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct record *rec = record();
	struct delivery dv = { .ctx = ctx, .map = open_map(), .conf = conf,
	    .user = "u", .recipient = "u@x.test", .folder = folder,
	    .uids = true, .until = clock_ms() + 100000 };

	assert_int_equal(deliver(&dv, rec, message(ctx, n), &err), ST_AGAIN);
	(void)alarm(0);
	talloc_free(dv.map);
	talloc_free(ctx);
	return err.text;
}

enum left { LINE = 1, INTENT = 2, LANDED = 4 };

/*
 * What is left of a delivery of message n to BOX ("old/u"): its line, its
 * intent, `seconds` old, its file in `where` ("tmp", "new" or NULL: nowhere).
 */
static inline void
leave(const char *box, int n, uint32_t uid, const char *where, int left,
    long seconds)
{
	size_t size = strlen(mail(n));
	struct intent in = { .uid = uid, .at = time(NULL) - seconds };
	const char *folder = strstr(box, "/.");
	struct deliveries log;
	struct err err;
	char path[200], tmp[64];
	int fd;

	(void)snprintf(tmp, sizeof(tmp), "1700000000.M1P1Q%dR0badcafe.host", n);
	(void)snprintf(in.name, sizeof(in.name), "%s,S=%zu,W=%zu", tmp, size,
	    size + 5);
	message_key(message(conf, n), "u@x.test", folder == NULL ? "INBOX" :
	    folder + 2, 0, in.key);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, box);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_not_equal(fd, -1);
	if (left & INTENT) {
		assert_int_equal(deliveries_open(&log, fd, &err), ST_OK);
		assert_int_equal(deliveries_intend(&log, &in, &err), ST_OK);
		if (left & LANDED)
			assert_int_equal(
			    deliveries_landed(&log, &in, &err), ST_OK);
		deliveries_close(&log);
	}
	(void)close(fd);
	if (left & LINE)
		shell("echo '%u :%s' >>%s/dovecot-uidlist", uid, in.name, box);
	if (where != NULL)
		shell("printf '%%s' '%s' >'%s/%s/%s'", mail(n), box, where,
		    strcmp(where, "tmp") == 0 ? tmp : in.name);
}

/* The Subjects of a mailbox, by UID: "1=1 2=7 ", `-` where there is no line. */
static bool
has(const char *box, const char *want)
{
	return holds("top=$PWD; cd %s && for f in new/* cur/*; do "
	    "[ -f \"$f\" ] || continue; b=${f#*/}; b=${b%%%%:*}; "
	    "u=$(grep -F \" :$b\" dovecot-uidlist | cut -d' ' -f1 | "
	    "tail -n 1); echo \"${u:--}=$(sed -n 's/Subject: //p; "
	    "s/^appended/a/p' \"$f\" | head -n 1)\"; done | sort -n | "
	    "tr '\\n' ' ' >$top/got; [ \"$(cat $top/got)\" = '%s' ] || "
	    "{ echo \"# %s: $(cat $top/got)\" >&2; exit 1; }",
	    box, want, box);
}

static inline void
both(const char *want)
{
	bool old = has("old/u", want), new = has("new/u", want);

	assert_true(old && new);
}

#endif
