/* SPDX-License-Identifier: ISC */
/*
 * deliveries_slots.c - the intents of the delivery log
 */
#include "lda/store/deliveries_slots.h"

#include <endian.h>
#include <string.h>

#include "lda/store/deliveries_disk.h"
#include "maps/base/file.h"

void
slot_load(struct deliveries *d, int i, const unsigned char *page)
{
	struct intent *in = &d->slot[i];
	struct disk_slot ds;

	memcpy(&ds, page + (1 + i) * SECTOR, sizeof(ds));
	d->slot_seq[i] = 0;
	in->outcome = OUTCOME_UNKNOWN;
	if (ds.seq == 0 || ds.crc != CRC_OF(&ds))
		return;			/* never written, or never whole */
	if (le64toh(ds.seq) == UINT64_MAX)
		return;			/* it would have no successor */
	d->slot_seq[i] = le64toh(ds.seq);
	memcpy(in->key, ds.key, sizeof(in->key));
	in->uid = le32toh(ds.uid);
	in->at = (int64_t)le64toh(ds.at);
	in->outcome = (enum outcome)le32toh(ds.outcome);
	memcpy(in->name, ds.name, sizeof(in->name));
	in->name[sizeof(in->name) - 1] = '\0';
	if (strchr(in->name, '/') != NULL)	/* it becomes part of a path */
		in->outcome = OUTCOME_UNKNOWN;
	if (d->slot_seq[i] > d->seq)
		d->seq = d->slot_seq[i];
}

enum status
slot_store(struct deliveries *d, int i, struct err *err)
{
	const struct intent *in = &d->slot[i];
	struct disk_slot ds;

	memset(&ds, 0, sizeof(ds));
	ds.seq = htole64(d->slot_seq[i]);
	ds.at = htole64((uint64_t)in->at);
	memcpy(ds.key, in->key, sizeof(ds.key));
	ds.uid = htole32(in->uid);
	ds.outcome = htole32((uint32_t)in->outcome);
	memcpy(ds.name, in->name, strlen(in->name));
	ds.crc = CRC_OF(&ds);
	if (file_pwrite(d->fd, &ds, sizeof(ds), (off_t)(1 + i) * SECTOR) == -1)
		return err_sys(err, "write %s", DELIVERIES_NAME);
	return ST_OK;
}

static bool
is_taken(const struct intent *in)
{
	return in->outcome == OUTCOME_INTENT || in->outcome == OUTCOME_LANDED;
}

int
deliveries_room(const struct deliveries *d)
{
	int i, n = 0;

	for (i = 0; i < DELIVERIES_SLOTS; i++)
		n += !is_taken(&d->slot[i]);
	return n;
}

enum status
deliveries_intend(struct deliveries *d, struct intent *in, struct err *err)
{
	int i, best = -1;

	for (i = 0; i < DELIVERIES_SLOTS; i++)
		if (!is_taken(&d->slot[i]) &&
		    (best == -1 || d->slot_seq[i] < d->slot_seq[best]))
			best = i;
	/* slot_load() would not take the number of the next one. */
	if (d->seq >= UINT64_MAX - 1)
		return err_set(err, ST_NEVER, LOG_DAMAGED, DELIVERIES_NAME);
	if (best == -1)
		return err_set(err, ST_AGAIN,
		    "%s: too many deliveries are undecided", DELIVERIES_NAME);
	in->outcome = OUTCOME_INTENT;
	d->slot[best] = *in;
	d->slot_seq[best] = ++d->seq;
	return slot_store(d, best, err);
}

enum status
slots_say(struct deliveries *d, const char *name, enum outcome outcome,
    struct err *err)
{
	enum status st = ST_OK;
	int i;

	for (i = 0; i < DELIVERIES_SLOTS && st == ST_OK; i++)
		if (is_taken(&d->slot[i]) &&
		    strcmp(d->slot[i].name, name) == 0) {
			d->slot[i].outcome = outcome;
			st = slot_store(d, i, err);
		}
	return st;
}

enum status
deliveries_landed(struct deliveries *d, const struct intent *in,
    struct err *err)
{
	return d->fd == -1 ? ST_OK :
	    slots_say(d, in->name, OUTCOME_LANDED, err);
}
