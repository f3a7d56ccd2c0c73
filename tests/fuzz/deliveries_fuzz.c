/* SPDX-License-Identifier: ISC */
/*
 * deliveries_fuzz.c - a delivery log of any content, and deliveries after it
 *
 * Input: a line for each thing that happens to a log that was just made.
 *
 *	head BUCKETS LED NEXT UNTIL	slot I SEQ UID OUTCOME NAME
 *	entry PAGE I KEY OUTCOME NAME	byte OFFSET VALUE	cut LENGTH
 *		damage, or another program's doing; CRCs are right
 *	intend KEY NAME		done KEY NAME	void KEY NAME
 *	lead N			stop VERSION NEXT
 *	merge			renew		reopen
 *		what is done to it; what was written stays known
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "lda/store/deliveries_file.c"
#include "lda/store/deliveries.c"

#define NOW	1700000000
#define KEEP	(5 * 86400)
#define MODEL	64

struct run {
	struct deliveries d;
	int		 dir, other;
	unsigned char	 done[MODEL][DELIVERIES_KEY];	/* known for ever */
	int		 ndone;
	uint64_t	 led, until;	/* of what was written last */
	uint32_t	 next;
	bool		 raw;		/* the file was changed behind us */
};

static unsigned long
number(char **line)
{
	return strtoul(fuzz_word(line), NULL, 10);
}

/* Keys are hashes. */
static void
key_of(const char *text, unsigned char *key)
{
	uint64_t h[2] = { name_hash(text), 0 };

	h[0] ^= h[0] >> 32;
	h[1] = h[0] * 1099511628211u;
	memcpy(key, h, DELIVERIES_KEY);
}

static void
name_of(const char *text, char *name)
{
	memset(name, 0, MAILDIR_NAME_MAX + 1);
	memcpy(name, text, strlen(text) > MAILDIR_NAME_MAX ? MAILDIR_NAME_MAX :
	    strlen(text));
}

static void
raw_write(struct run *r, const void *p, size_t len, unsigned long off)
{
	/* Damage does not make a file grow. */
	off_t end = lseek(r->d.fd, 0, SEEK_END);

	if ((off_t)(off + len) <= end)
		HOLDS(pwrite(r->d.fd, p, len, (off_t)off) == (ssize_t)len);
	r->raw = true;
}

static void
damage(struct run *r, const char *what, char *line)
{
	struct disk_slot ds = { .at = htole64(NOW) };
	struct disk_entry e = { .at = htole64(NOW) };
	struct deliveries d = { .fd = -1 };
	struct disk_head head;
	unsigned long i, page;
	char name[MAILDIR_NAME_MAX + 1];
	unsigned char byte;

	if (strcmp(what, "head") == 0) {
		d.buckets = (uint32_t)number(&line);
		d.led = number(&line);
		d.led_next = (uint32_t)number(&line);
		d.led_until = number(&line);
		head_fill(&head, &d);
		raw_write(r, &head, sizeof(head), 0);
	} else if (strcmp(what, "slot") == 0) {
		i = 1 + number(&line) % DELIVERIES_SLOTS;
		ds.seq = htole64(strtoull(fuzz_word(&line), NULL, 10));
		ds.uid = htole32((uint32_t)number(&line));
		ds.outcome = htole32((uint32_t)number(&line));
		name_of(fuzz_word(&line), ds.name);
		ds.crc = CRC_OF(&ds);
		raw_write(r, &ds, sizeof(ds), i * SECTOR);
	} else if (strcmp(what, "entry") == 0) {
		page = 1 + number(&line) % 64;
		i = number(&line) % ENTRIES;
		key_of(fuzz_word(&line), e.key);
		e.outcome = htole32((uint32_t)number(&line));
		name_of(fuzz_word(&line), name);
		e.name = htole64(name_hash(name));
		e.crc = CRC_OF(&e);
		raw_write(r, &e, sizeof(e), page * PAGE + i * sizeof(e));
	} else if (strcmp(what, "byte") == 0) {
		i = number(&line);
		byte = (unsigned char)number(&line);
		raw_write(r, &byte, 1, i);
	} else {
		r->raw = true;
		i = number(&line);
		if ((off_t)i < lseek(r->d.fd, 0, SEEK_END))
			HOLDS(ftruncate(r->d.fd, (off_t)i) == 0);
	}
}

static void
check_slots(const struct deliveries *d)
{
	int i;

	HOLDS(d->buckets > 0 && d->buckets <= BUCKETS_MAX);
	for (i = 0; i < DELIVERIES_SLOTS; i++) {
		HOLDS(memchr(d->slot[i].name, '\0',
		    sizeof(d->slot[i].name)) != NULL);
		if (d->slot[i].outcome == OUTCOME_INTENT)
			HOLDS(strchr(d->slot[i].name, '/') == NULL &&
			    d->slot_seq[i] != 0);
	}
}

/*
 * False where the log was refused: then it says what to do, and is as it was.
 */
static bool
reopen(struct run *r)
{
	enum status st;
	struct err err;

	deliveries_close(&r->d);
	st = deliveries_open(&r->d, r->dir, &err);
	HOLDS(st == ST_OK || (r->raw && st == ST_NEVER));
	if (st == ST_OK) {
		check_slots(&r->d);
		return true;
	}
	fuzz_err(&err);
	HOLDS(r->d.fd == -1 && (strstr(err.text, "move it aside") != NULL ||
	    strstr(err.text, "upgrade this host") != NULL));
	return false;
}

static enum outcome
lookup(const struct deliveries *d, const unsigned char *key, const char *name)
{
	enum outcome outcome;
	struct err err;

	HOLDS(deliveries_lookup(d, key, name, &outcome, &err) == ST_OK);
	HOLDS(outcome == OUTCOME_UNKNOWN || outcome == OUTCOME_DONE ||
	    outcome == OUTCOME_VOID);
	return outcome;
}

static void
check_model(const struct run *r)
{
	int i;

	for (i = 0; i < r->ndone; i++)
		HOLDS(lookup(&r->d, r->done[i], NULL) == OUTCOME_DONE);
}

static const struct intent *
slot_of(const struct deliveries *d, const char *name)
{
	int i;

	for (i = 0; i < DELIVERIES_SLOTS; i++)
		if (d->slot[i].outcome == OUTCOME_INTENT &&
		    strcmp(d->slot[i].name, name) == 0)
			return &d->slot[i];
	return NULL;
}

static void
intend(struct run *r, const char *key, const char *name)
{
	struct intent in = { .uid = 7, .at = NOW };
	struct err err;

	key_of(key, in.key);
	name_of(name, in.name);
	if (strchr(in.name, '/') != NULL || in.name[0] == '\0')
		return;			/* no name that we make */
	if (deliveries_intend(&r->d, &in, &err) != ST_OK) {
		fuzz_err(&err);
		return;
	}
	if (reopen(r))
		HOLDS(slot_of(&r->d, in.name) != NULL);
}

static void
decide(struct run *r, const char *key, const char *name, enum outcome outcome)
{
	struct intent in = { .uid = 7, .at = NOW };
	enum outcome said;
	struct err err;

	key_of(key, in.key);
	name_of(name, in.name);
	if (outcome == OUTCOME_DONE && lookup(&r->d, in.key, NULL) ==
	    OUTCOME_DONE)
		return; /* what is known is not delivered again */
	HOLDS(deliveries_decide(&r->d, r->dir, &in, outcome, NOW, KEEP, &err) ==
	    ST_OK);
	HOLDS(slot_of(&r->d, in.name) == NULL);
	said = lookup(&r->d, in.key, in.name);
	HOLDS(said == OUTCOME_DONE || said == outcome);
	if (outcome == OUTCOME_DONE && r->ndone < MODEL)
		memcpy(r->done[r->ndone++], in.key, DELIVERIES_KEY);
}

static void
merge(struct run *r)
{
	struct deliveries to;
	struct err err;
	int i;

	fuzz_clear(r->other);
	HOLDS(deliveries_make(&to, r->other, 0600, (gid_t)-1, &err) == ST_OK);
	HOLDS(deliveries_merge(&to, r->other, &r->d, NOW, KEEP, &err) == ST_OK);
	for (i = 0; i < r->ndone; i++)
		HOLDS(lookup(&to, r->done[i], NULL) == OUTCOME_DONE);
	HOLDS(fuzz_count(r->other) == 1);
	deliveries_close(&to);
}

/* Nobody but a hand-over changes what is said of one. */
static void
check_led(const struct run *r)
{
	HOLDS(r->d.led == r->led && r->d.led_until == r->until &&
	    r->d.led_next == r->next);
	HOLDS(deliveries_led_next(&r->d, r->until) == r->next);
	HOLDS(deliveries_led_next(&r->d, r->until + 1) == 0);
}

static void
stop_leading(struct run *r, uint64_t version, uint32_t next)
{
	struct err err;

	HOLDS(deliveries_stop_leading(&r->d, version, next, &err) == ST_OK);
	if (version >= r->until) {
		r->until = next == 0 ? 0 : version;
		r->next = next;
		r->led = version > r->led ? version : r->led;
	}
}

static void
lead(struct run *r, uint64_t version)
{
	struct err err;

	HOLDS(deliveries_lead(&r->d, version, &err) == ST_OK);
	r->led = version > r->led ? version : r->led;
}

/* The head as damage left it, where it still is one. */
static bool
read_damaged(struct run *r)
{
	bool on = reopen(r);

	r->ndone = 0;
	r->led = r->d.led;
	r->until = r->d.led_until;
	r->next = r->d.led_next;
	return on;
}

static bool
happen(struct run *r, char *line)
{
	const char *what = fuzz_word(&line), *key;
	uint64_t version;
	struct err err;

	if (strcmp(what, "head") == 0 || strcmp(what, "slot") == 0 ||
	    strcmp(what, "entry") == 0 || strcmp(what, "byte") == 0 ||
	    strcmp(what, "cut") == 0) {
		damage(r, what, line);
		return read_damaged(r);
	}
	if (strcmp(what, "reopen") == 0)
		return reopen(r);
	if (strcmp(what, "merge") == 0)
		merge(r);
	else if (strcmp(what, "lead") == 0)
		lead(r, number(&line));
	else if (strcmp(what, "stop") == 0) {
		version = number(&line);
		stop_leading(r, version, (uint32_t)number(&line));
	} else if (strcmp(what, "renew") == 0)
		HOLDS(deliveries_renew(&r->d, r->dir, &err) == ST_OK);
	else {
		key = fuzz_word(&line);
		if (strcmp(what, "intend") == 0)
			intend(r, key, fuzz_word(&line));
		else if (strcmp(what, "done") == 0)
			decide(r, key, fuzz_word(&line), OUTCOME_DONE);
		else if (strcmp(what, "void") == 0)
			decide(r, key, fuzz_word(&line), OUTCOME_VOID);
	}
	return r->d.fd != -1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = fuzz_input(data, size);
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct run r = { .ndone = 0 };
	struct err err;
	bool on = true;
	int i;

	fuzz_clear(fuzz_dir());
	r.dir = fuzz_subdir(fuzz_dir(), "a");
	r.other = fuzz_subdir(fuzz_dir(), "b");
	HOLDS(deliveries_make(&r.d, r.dir, 0600, (gid_t)-1, &err) == ST_OK);
	for (i = 0; i < 500 && on && in.p < in.end; i++) {
		on = happen(&r, fuzz_line(ctx, &in));
		HOLDS(fuzz_count(r.dir) == 1);
		if (on)
			check_led(&r);
	}
	if (on)
		check_model(&r);
	deliveries_close(&r.d);
	(void)close(r.dir);
	(void)close(r.other);
	talloc_free(ctx);
	return 0;
}
