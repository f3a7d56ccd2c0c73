/* SPDX-License-Identifier: ISC */
/*
 * deliveries_file.c - the file of a delivery log: opened, made, synced; its
 * header
 */
#include "lda/store/deliveries_file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lda/store/deliveries_disk.h"
#include "maps/base/file.h"

#define BUCKETS_FIRST	4		/* 20 KiB for a mailbox's first mail */

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
	if (!has_magic(head, MAGIC_LED) ||
	    head->stop.crc != CRC_OF(&head->stop))
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
	return err_set(err, ST_NEVER, LOG_DAMAGED, DELIVERIES_NAME);
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

enum status
log_tmp_make(struct deliveries *d, int ctlfd, mode_t mode, gid_t gid,
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

enum status
log_tmp_commit(struct deliveries *d, int ctlfd, struct err *err)
{
	if (fsync(d->fd) == -1)
		return err_sys(err, "fsync %s.tmp", DELIVERIES_NAME);
	if (renameat(ctlfd, DELIVERIES_NAME ".tmp", ctlfd,
	    DELIVERIES_NAME) == -1)
		return err_sys(err, "rename %s.tmp", DELIVERIES_NAME);
	if (fsync(ctlfd) == -1)
		return err_sys(err, "fsync the directory of %s",
		    DELIVERIES_NAME);
	return ST_OK;
}

void
log_tmp_abort(struct deliveries *d, int ctlfd)
{
	deliveries_close(d);
	(void)unlinkat(ctlfd, DELIVERIES_NAME ".tmp", 0);
}

enum status
deliveries_make(struct deliveries *d, int ctlfd, mode_t mode, gid_t gid,
    struct err *err)
{
	enum status st;

	memset(d, 0, sizeof(*d));
	d->buckets = BUCKETS_FIRST;
	st = log_tmp_make(d, ctlfd, mode, gid, err);
	if (st == ST_OK)
		st = log_tmp_commit(d, ctlfd, err);
	if (st != ST_OK)
		log_tmp_abort(d, ctlfd);
	return st;
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
	if (led_next == 0 && d->led_next == 0)
		return deliveries_lead(d, version, err);
	if (is.led < version)
		is.led = version;
	is.led_until = led_next == 0 ? 0 : version;
	is.led_next = led_next;
	return head_store(d, &is, err);
}

uint32_t
deliveries_led_next(const struct deliveries *d, uint64_t led)
{
	return d->fd != -1 && d->led_until == led ? d->led_next : 0;
}
