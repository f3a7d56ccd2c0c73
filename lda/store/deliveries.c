/* SPDX-License-Identifier: ISC */
/*
 * deliveries.c - the delivery log: what came of each message
 */
#include "lda/store/deliveries.h"

#include <endian.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lda/store/deliveries_disk.h"
#include "maps/base/file.h"

/* Seconds: a process that sleeps wakes up within them.  A message that fails
 * for days must not fill its page with its attempts. */
#define VOID_KEEP	3600

struct age {				/* older entries make room */
	int64_t	 oldest, oldest_void;
};

/* FNV-1a: the name is random, and ours: no sender chooses it. */
static uint64_t
name_hash(const char *name)
{
	uint64_t h = 14695981039346656037u;

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * 1099511628211u;
	return h;
}

static off_t
page_of(const struct deliveries *d, const unsigned char *key)
{
	uint32_t h;

	memcpy(&h, key, sizeof(h));	/* the key is a hash already */
	return (off_t)(1 + (le32toh(h) & (d->buckets - 1))) * PAGE;
}

static bool
entry_whole(const struct disk_entry *e)
{
	return e->outcome != 0 && e->crc == CRC_OF(e);
}

enum status
deliveries_lookup(const struct deliveries *d, const unsigned char *key,
    const char *name, enum outcome *outcome, struct err *err)
{
	struct disk_entry page[ENTRIES];
	uint64_t hash = name == NULL ? 0 : name_hash(name);
	size_t i;

	*outcome = OUTCOME_UNKNOWN;
	if (d->fd == -1)
		return ST_OK;
	if (file_pread(d->fd, page, sizeof(page), page_of(d, key)) == -1)
		return err_sys(err, "read %s", DELIVERIES_NAME);
	for (i = 0; i < ENTRIES; i++) {
		if (memcmp(page[i].key, key, DELIVERIES_KEY) != 0 ||
		    !entry_whole(&page[i]))
			continue;
		if (le32toh(page[i].outcome) == OUTCOME_DONE) {
			*outcome = OUTCOME_DONE;
			return ST_OK;
		}
		if (name == NULL || le64toh(page[i].name) == hash)
			*outcome = (enum outcome)le32toh(page[i].outcome);
	}
	return ST_OK;
}

static bool
same_key(const struct disk_entry *a, const struct disk_entry *b)
{
	return memcmp(a->key, b->key, DELIVERIES_KEY) == 0;
}

static bool
expired(const struct disk_entry *e, const struct age *age)
{
	return (int64_t)le64toh(e->at) <
	    (le32toh(e->outcome) == OUTCOME_VOID ? age->oldest_void :
	    age->oldest);
}

/*
 * Where an entry may go in its page: its own place, a free one, one too old, at
 * last that of another void attempt of the same message; -1: none.
 */
static int
place(const struct disk_entry *page, const struct disk_entry *e,
    const struct age *age)
{
	int i, best = -1, sibling = -1;

	for (i = 0; i < (int)ENTRIES; i++) {
		if (!entry_whole(&page[i]) || expired(&page[i], age)) {
			if (best == -1)
				best = i;
		} else if (same_key(&page[i], e)) {
			if (page[i].name == e->name)
				return i;
			if (le32toh(page[i].outcome) == OUTCOME_VOID)
				sibling = i;
		}
	}
	return best != -1 ? best : sibling;
}

/* ST_NONE: its page is full. */
static enum status
entry_store(const struct deliveries *d, const struct disk_entry *e,
    const struct age *age, struct err *err)
{
	struct disk_entry page[ENTRIES];
	off_t off = page_of(d, e->key);
	int i;

	if (file_pread(d->fd, page, sizeof(page), off) == -1)
		return err_sys(err, "read %s", DELIVERIES_NAME);
	i = place(page, e, age);
	if (i == -1)
		return ST_NONE;
	/* DONE is for ever: no later VOID of the same attempt undoes it. */
	if (entry_whole(&page[i]) && page[i].name == e->name &&
	    same_key(&page[i], e) && le32toh(page[i].outcome) == OUTCOME_DONE)
		return ST_OK;
	if (file_pwrite(d->fd, e, sizeof(*e),
	    off + (off_t)i * (off_t)sizeof(*e)) == -1)
		return err_sys(err, "write %s", DELIVERIES_NAME);
	return ST_OK;
}

static enum status	grow(struct deliveries *, int, uint32_t,
			    const struct age *, struct err *);

/* Store, and grow for as long as its page is full. */
static enum status
entry_add(struct deliveries *d, int ctlfd, const struct disk_entry *e,
    const struct age *age, struct err *err)
{
	enum status st;

	while ((st = entry_store(d, e, age, err)) == ST_NONE) {
		if (d->buckets == BUCKETS_MAX)
			return err_set(err, ST_AGAIN, "%s is full",
			    DELIVERIES_NAME);
		st = grow(d, ctlfd, d->buckets * 2, age, err);
		if (st != ST_OK)
			return st;
	}
	return st;
}

static enum status
copy_entries(struct deliveries *to, int ctlfd, const struct deliveries *from,
    const struct age *age, struct err *err)
{
	struct disk_entry page[ENTRIES];
	enum status st;
	uint32_t b;
	size_t i;

	for (b = 0; b < from->buckets; b++) {
		if (file_pread(from->fd, page, sizeof(page),
		    (off_t)(1 + b) * PAGE) == -1)
			return err_sys(err, "read %s", DELIVERIES_NAME);
		for (i = 0; i < ENTRIES; i++) {
			if (!entry_whole(&page[i]) || expired(&page[i], age))
				continue;
			/* In a foreign page it is never found: damage. */
			if (page_of(from, page[i].key) != (off_t)(1 + b) * PAGE)
				continue;
			/* Twice the pages never overflow; a merge may. */
			st = ctlfd == -1 ? entry_store(to, &page[i], age, err)
			    : entry_add(to, ctlfd, &page[i], age, err);
			if (st != ST_OK)
				return st;
		}
	}
	return ST_OK;
}

/* The same log in a file of as many pages, or of twice as many: seldom, and
 * paid for by what came since the last time. */
static enum status
grow(struct deliveries *d, int ctlfd, uint32_t buckets, const struct age *age,
    struct err *err)
{
	struct deliveries big = *d;
	struct stat sb;
	enum status st;
	int i;

	if (fstat(d->fd, &sb) == -1)
		return err_sys(err, "stat %s", DELIVERIES_NAME);
	big.buckets = buckets;
	st = log_tmp_make(&big, ctlfd, sb.st_mode & 0777, sb.st_gid, err);
	if (st != ST_OK)
		goto fail;
	for (i = 0; i < DELIVERIES_SLOTS && st == ST_OK; i++)
		if (big.slot_seq[i] != 0)
			st = slot_store(&big, i, err);
	if (st == ST_OK)
		st = copy_entries(&big, -1, d, age, err);
	if (st == ST_OK)
		st = log_tmp_commit(&big, ctlfd, err);
	if (st != ST_OK)
		goto fail;
	(void)close(d->fd);
	*d = big;
	return ST_OK;
fail:
	log_tmp_abort(&big, ctlfd);
	return st;
}

static void
entry_fill(struct disk_entry *e, const struct intent *in, enum outcome outcome)
{
	memset(e, 0, sizeof(*e));
	memcpy(e->key, in->key, sizeof(e->key));
	e->at = htole64((uint64_t)in->at);
	e->name = htole64(name_hash(in->name));
	e->uid = htole32(in->uid);
	e->outcome = htole32((uint32_t)outcome);
	e->crc = CRC_OF(e);
}

enum status
deliveries_decide(struct deliveries *d, int ctlfd, const struct intent *in,
    enum outcome outcome, int64_t now, int64_t keep, struct err *err)
{
	struct age age = { now - keep, now - VOID_KEEP };
	struct disk_entry e;
	enum status st;

	if (d->fd == -1)
		return ST_OK;
	entry_fill(&e, in, outcome);
	st = entry_add(d, ctlfd, &e, &age, err);
	return st == ST_OK ? slots_say(d, in->name, outcome, err) : st;
}

enum status
deliveries_renew(struct deliveries *d, int ctlfd, struct err *err)
{
	struct age age = { INT64_MIN, INT64_MIN };

	return d->fd == -1 ? ST_OK : grow(d, ctlfd, d->buckets, &age, err);
}

enum status
deliveries_merge(struct deliveries *to, int to_ctlfd,
    const struct deliveries *from, int64_t now, int64_t keep, struct err *err)
{
	struct age age = { now - keep, now - VOID_KEEP };
	enum status st;

	if (to->fd == -1 || from->fd == -1)
		return ST_OK;
	st = copy_entries(to, to_ctlfd, from, &age, err);
	if (st == ST_OK)
		st = deliveries_sync(to, err);
	return st;
}
