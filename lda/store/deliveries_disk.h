/* SPDX-License-Identifier: ISC */
/*
 * deliveries_disk.h - a delivery log on the disk; for deliveries*.c alone
 *
 * Little-endian.  deliveries.h says what each part is for.
 */
#ifndef LDA_STORE_DELIVERIES_DISK_H
#define LDA_STORE_DELIVERIES_DISK_H

#include <endian.h>

#include "lda/store/deliveries_types.h"
#include "maps/base/crc.h"
#include "maps/base/err.h"

#define PAGE		4096
#define SECTOR		512
#define BUCKETS_MAX	(1u << 20)	/* 4 GiB: damage, not mail */
#define MAGIC		"mfdlog1\n"
#define MAGIC_LED	"mfdlog2\n"	/* of a log that has a led_next */
#define MAGIC_ANY	"mfdlog"	/* how every version begins */

#define LOG_DAMAGED	"%s is damaged: move it aside, a message that is " \
			"retried may then come twice"

struct disk_led {			/* where a side stopped leading */
	uint64_t until;
	uint32_t next;
	uint32_t crc;			/* of all before it, as each crc is */
} __attribute__((packed));

struct disk_head {			/* sector 0 */
	char	 magic[8];
	uint32_t buckets;
	uint32_t zero;
	uint64_t led;
	uint32_t crc;
	struct disk_led stop;		/* with MAGIC_LED only */
} __attribute__((packed));

struct disk_slot {			/* sectors 1 .. DELIVERIES_SLOTS */
	uint64_t seq;
	uint64_t at;
	unsigned char key[DELIVERIES_KEY];
	uint32_t uid;
	uint32_t outcome;
	char	 name[MAILDIR_NAME_MAX + 1];
	uint32_t crc;
} __attribute__((packed));

struct disk_entry {			/* PAGE / 48 of them in a page */
	unsigned char key[DELIVERIES_KEY];
	uint64_t at;
	uint64_t name;			/* hash of the base name */
	uint32_t uid;
	uint32_t outcome;
	uint32_t crc;
	uint32_t zero;
} __attribute__((packed));

#define ENTRIES (PAGE / sizeof(struct disk_entry))

_Static_assert(sizeof(struct disk_head) <= SECTOR, "a sector each");
_Static_assert(sizeof(struct disk_slot) <= SECTOR, "a sector each");
_Static_assert(sizeof(struct disk_entry) == 48, "85 to a page");
_Static_assert((1 + DELIVERIES_SLOTS) * SECTOR <= PAGE, "one page");

#define CRC_OF(p) htole32(crc32_of(0, (p), offsetof(__typeof__(*(p)), crc)))

/* Slot i out of the first page; one that is not whole stays empty. */
void		slot_load(struct deliveries *d, int i,
		    const unsigned char *page);
enum status	slot_store(struct deliveries *d, int i, struct err *err)
		    MUST_CHECK;

/* The slots of a base name that is undecided say this from now on. */
enum status	slots_say(struct deliveries *d, const char *name,
		    enum outcome outcome, struct err *err) MUST_CHECK;

/*
 * A new file for d under a name of its own: the header of d, all else zeros
 * that are written out, so that what is overwritten later needs no new blocks,
 * and its sync no journal.  d->fd is the file, or -1.
 */
enum status	log_tmp_make(struct deliveries *d, int ctlfd, mode_t mode,
		    gid_t gid, struct err *err) MUST_CHECK;

/* Synced, it becomes the log. */
enum status	log_tmp_commit(struct deliveries *d, int ctlfd,
		    struct err *err) MUST_CHECK;

/* Or it does not, and is closed. */
void		log_tmp_abort(struct deliveries *d, int ctlfd);

#endif
