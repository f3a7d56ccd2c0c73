/* SPDX-License-Identifier: ISC */
/*
 * memo.c - records that were parsed a moment ago
 */
#include "maps/tdb/memo.h"

#include <string.h>

#include "maps/base/crc.h"

#define SLOTS		2048
#define DATA_MAX	1024		/* bytes; few records are longer */

struct slot {				/* empty: rec is NULL */
	struct record	*rec;
	void		*data;		/* talloc child of rec */
	size_t		 len;
};

struct memo {
	struct slot	 slot[SLOTS];
};

struct memo *
memo_new(TALLOC_CTX *ctx)
{
	return must(talloc_zero(ctx, struct memo));
}

static unsigned
slot_of(const char *user)
{
	return crc32_of(0, user, strlen(user)) % SLOTS;
}

struct record *
memo_find(const struct memo *memo, TALLOC_CTX *ctx, const char *user,
    const void *data, size_t len)
{
	const struct slot *s = &memo->slot[slot_of(user)];

	if (s->rec == NULL || s->len != len ||
	    memcmp(s->data, data, len) != 0 ||
	    strcmp(s->rec->user, user) != 0)
		return NULL;
	return record_copy(ctx, s->rec);
}

void
memo_keep(struct memo *memo, const char *user, const void *data, size_t len,
    const struct record *rec)
{
	struct slot *s = &memo->slot[slot_of(user)];

	talloc_free(s->rec);
	s->rec = NULL;
	if (len > DATA_MAX)
		return;
	s->rec = record_copy(memo, rec);
	s->data = must(talloc_memdup(s->rec, data, len));
	s->len = len;
}
