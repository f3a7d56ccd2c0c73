/* SPDX-License-Identifier: ISC */
/*
 * deliveries_disk.h - the delivery log as it lies on the disk; for deliveries*.c alone
 *
 * Little-endian.  What each part is for says deliveries.h.
 */
#ifndef LDA_STORE_DELIVERIES_DISK_H
#define LDA_STORE_DELIVERIES_DISK_H

#include <endian.h>

#include "lda/store/deliveries.h"
#include "maps/base/crc.h"

#define PAGE		4096
#define SECTOR		512
#define MAGIC		"mfdlog1\n"
#define MAGIC_LED	"mfdlog2\n"	/* of a log that has a led_next */
#define MAGIC_ANY	"mfdlog"	/* how every version begins */

struct disk_led {			/* where a side stopped leading */
	uint64_t until;
	uint32_t next;
	uint32_t crc;			/* of all before it, as is every crc here */
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
void		slot_load(struct deliveries *d, int i, const unsigned char *page);
enum status	slot_store(struct deliveries *d, int i, struct err *err) MUST_CHECK;

/* What the slots of an undecided base name say from now on. */
enum status	slots_say(struct deliveries *d, const char *name,
		    enum outcome outcome, struct err *err) MUST_CHECK;

#endif
