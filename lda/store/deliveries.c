/* SPDX-License-Identifier: ISC */
/*
 * deliveries.c - the delivery log: what was begun, what came of it
 */
#include "lda/store/deliveries_disk.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maps/base/file.h"

#define BUCKETS_FIRST	4		/* 20 KiB for a mailbox's first mail */
#define BUCKETS_MAX	(1u << 20)	/* 4 GiB: damage, not mail */
#define VOID_KEEP	3600		/* seconds: for a sleeper to wake up in; a
					   message that fails for days must not
					   fill its page with its attempts */

struct age {				/* entries from before these make room */
	int64_t	 oldest, oldest_void;
};

/* FNV-1a: the name is our own random one, nobody chooses it against us. */
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
has_magic(const struct disk_head *head, const char *magic)
{
	return memcmp(head->magic, magic, strlen(magic)) == 0;
}

static bool
head_whole(const struct disk_head *head)
{
	uint32_t buckets = le32toh(head->buckets);

	return (has_magic(head, MAGIC) || has_magic(head, MAGIC_LED)) &&
	    head->crc == CRC_OF(head) && buckets != 0 &&
	    buckets <= BUCKETS_MAX && (buckets & (buckets - 1)) == 0;
}

static void
head_load(struct deliveries *d, const struct disk_head *head)
{
	d->buckets = le32toh(head->buckets);
	d->led = le64toh(head->led);
	if (!has_magic(head, MAGIC_LED) || head->stop.crc != CRC_OF(&head->stop))
		return;			/* not known */
	d->led_next = le32toh(head->stop.next);
	d->led_until = le64toh(head->stop.until);
}

static enum status
refuse(const struct disk_head *head, struct err *err)
{
	if (has_magic(head, MAGIC_ANY) && head->magic[6] > MAGIC_LED[6] &&
	    head->magic[6] <= '9' && head->magic[7] == '\n')
		return err_set(err, ST_NEVER, "%s is of a later mailferry: "
		    "upgrade this host", DELIVERIES_NAME);
	return err_set(err, ST_NEVER, "%s is damaged: move it aside, a message "
	    "that is retried may then come twice", DELIVERIES_NAME);
}

enum status
deliveries_open(struct deliveries *d, int ctlfd, struct err *err)
{
	unsigned char page[PAGE];
	struct disk_head head;
	struct statx sx;
	int i;

	memset(d, 0, sizeof(*d));
	d->fd = openat(ctlfd, DELIVERIES_NAME, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (d->fd == -1)
		return errno == ENOENT ? ST_NONE :
		    err_sys(err, "open %s", DELIVERIES_NAME);
	memset(page, 0, sizeof(page));	/* of a file that was cut */
	if (file_ask(d->fd, &sx) == -1 ||
	    pread(d->fd, page, sizeof(page), 0) == -1) {
		enum status st = err_sys(err, "read %s", DELIVERIES_NAME);

		deliveries_close(d);
		return st;
	}
	memcpy(&head, page, sizeof(head));
	if (!head_whole(&head) || (off_t)sx.stx_size <
	    (off_t)(1 + le32toh(head.buckets)) * PAGE) {
		deliveries_close(d);
		return refuse(&head, err);
	}
	head_load(d, &head);
	d->whole = sx.stx_blocks * 512 >= sx.stx_size;
	for (i = 0; i < DELIVERIES_SLOTS; i++)
		slot_load(d, i, page);
	return ST_OK;
}

void
deliveries_close(struct deliveries *d)
{
	if (d->fd != -1)
		(void)close(d->fd);
	d->fd = -1;
}

static void
head_fill(struct disk_head *head, const struct deliveries *d)
{
	bool known = d->led_next != 0;

	memset(head, 0, sizeof(*head));
	memcpy(head->magic, known ? MAGIC_LED : MAGIC, sizeof(head->magic));
	head->buckets = htole32(d->buckets);
	head->led = htole64(d->led);
	head->crc = CRC_OF(head);
	if (!known)
		return;
	head->stop.until = htole64(d->led_until);
	head->stop.next = htole32(d->led_next);
	head->stop.crc = CRC_OF(&head->stop);
}

/*
 * A new file for d under a name of its own, with the header of d, all else zeros
 * that are written out: what is overwritten later needs no new blocks, and its
 * sync no journal.  d->fd is the file, or -1.
 */
static enum status
tmp_make(struct deliveries *d, int ctlfd, mode_t mode, gid_t gid,
    struct err *err)
{
	unsigned char page[PAGE] = { 0 };
	struct disk_head head;
	uint32_t i;

	(void)unlinkat(ctlfd, DELIVERIES_NAME ".tmp", 0);
	d->fd = openat(ctlfd, DELIVERIES_NAME ".tmp",
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (d->fd == -1)
		return err_sys(err, "create %s.tmp", DELIVERIES_NAME);
	if (file_permit(d->fd, mode, gid) == -1)
		return err_sys(err, "chmod %s.tmp", DELIVERIES_NAME);
	head_fill(&head, d);
	memcpy(page, &head, sizeof(head));
	for (i = 0; i <= d->buckets; i++) {
		if (file_write(d->fd, page, sizeof(page)) == -1)
			return err_sys(err, "write %s.tmp", DELIVERIES_NAME);
		memset(page, 0, sizeof(head));
	}
	return ST_OK;
}

static enum status
tmp_commit(int ctlfd, int fd, struct err *err)
{
	if (fsync(fd) == -1)
		return err_sys(err, "fsync %s.tmp", DELIVERIES_NAME);
	if (renameat(ctlfd, DELIVERIES_NAME ".tmp", ctlfd, DELIVERIES_NAME) == -1)
		return err_sys(err, "rename %s.tmp", DELIVERIES_NAME);
	if (fsync(ctlfd) == -1)
		return err_sys(err, "fsync the directory of %s",
		    DELIVERIES_NAME);
	return ST_OK;
}

enum status
deliveries_make(struct deliveries *d, int ctlfd, mode_t mode, gid_t gid,
    struct err *err)
{
	enum status st;

	memset(d, 0, sizeof(*d));
	d->buckets = BUCKETS_FIRST;
	st = tmp_make(d, ctlfd, mode, gid, err);
	if (st == ST_OK)
		st = tmp_commit(ctlfd, d->fd, err);
	if (st != ST_OK) {
		deliveries_close(d);
		(void)unlinkat(ctlfd, DELIVERIES_NAME ".tmp", 0);
	}
	return st;
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

enum status
deliveries_sync(struct deliveries *d, struct err *err)
{
	if (d->fd != -1 && fdatasync(d->fd) == -1)
		return err_sys(err, "sync %s", DELIVERIES_NAME);
	return ST_OK;
}

/* Source of what is enough: sync_file_range(2), WARNING. */
enum status
deliveries_write_out(struct deliveries *d, bool in_place, bool *done,
    struct err *err)
{
	bool enough = in_place && d->whole;
	unsigned how = enough ? SYNC_FILE_RANGE_WAIT_BEFORE |
	    SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER :
	    SYNC_FILE_RANGE_WRITE;
	int rc = d->fd == -1 ? 0 : sync_file_range(d->fd, 0, 0, how);

	*done = rc == 0 && (enough || d->fd == -1);
	return rc == -1 && enough ? err_sys(err, "sync %s",
	    DELIVERIES_NAME) : ST_OK;
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
			/* Nobody could find it here, and no room is due to it. */
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

/* The same log in a file of as many pages, or of twice as many: seldom, and paid for
 * by what came since the last time. */
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
	st = tmp_make(&big, ctlfd, sb.st_mode & 0777, sb.st_gid, err);
	if (st != ST_OK)
		goto fail;
	for (i = 0; i < DELIVERIES_SLOTS && st == ST_OK; i++)
		if (big.slot_seq[i] != 0)
			st = slot_store(&big, i, err);
	if (st == ST_OK)
		st = copy_entries(&big, -1, d, age, err);
	if (st == ST_OK)
		st = tmp_commit(ctlfd, big.fd, err);
	if (st != ST_OK)
		goto fail;
	(void)close(d->fd);
	*d = big;
	return ST_OK;
fail:
	deliveries_close(&big);
	(void)unlinkat(ctlfd, DELIVERIES_NAME ".tmp", 0);
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

/* By one write within the first sector; d becomes `is` where it succeeds. */
static enum status
head_store(struct deliveries *d, const struct deliveries *is, struct err *err)
{
	struct disk_head head;
	enum status st;

	head_fill(&head, is);
	if (file_pwrite(d->fd, &head, sizeof(head), 0) == -1)
		return err_sys(err, "write %s", DELIVERIES_NAME);
	st = deliveries_sync(d, err);
	if (st == ST_OK)
		*d = *is;
	return st;
}

enum status
deliveries_lead(struct deliveries *d, uint64_t version, struct err *err)
{
	struct deliveries is = *d;

	if (d->fd == -1 || d->led >= version)
		return ST_OK;
	is.led = version;
	return head_store(d, &is, err);
}

enum status
deliveries_stop_leading(struct deliveries *d, uint64_t version,
    uint32_t led_next, struct err *err)
{
	struct deliveries is = *d;

	if (d->fd == -1 || version < d->led_until ||
	    (version == d->led_until && led_next == d->led_next))
		return ST_OK;
	if (is.led < version)
		is.led = version;
	is.led_until = version;
	is.led_next = led_next;
	return head_store(d, &is, err);
}

uint32_t
deliveries_led_next(const struct deliveries *d, uint64_t led)
{
	return d->fd != -1 && d->led_until == led ? d->led_next : 0;
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
