/* SPDX-License-Identifier: ISC */
/*
 * bytes.c - bytes that grow
 */
#include "lda/recipe/bytes.h"

#include <string.h>
#include <sys/mman.h>

#include "maps/base/err.h"

#define PAGE		((size_t)4096)

static void
resize(struct bytes *b, size_t room)
{
	void *p;

	room = (room + PAGE) & ~(PAGE - 1);	/* and a byte for the NUL */
	if (room == b->room)
		return;
	if (b->p == NULL)
		p = mmap(NULL, room, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	else
		p = mremap(b->p, b->room, room, MREMAP_MAYMOVE);
	b->p = must(p == MAP_FAILED ? NULL : p);
	b->room = room;
}

void
bytes_need(struct bytes *b, size_t more)
{
	size_t room;

	if (b->p != NULL && b->len + more < b->room)
		return;
	/* A quarter in reserve; pages that are not touched cost nothing. */
	room = b->len + more + b->len / 4;
	resize(b, room);
}

void
bytes_put(struct bytes *b, const char *data, size_t len)
{
	bytes_need(b, len);
	memcpy(b->p + b->len, data, len);
	b->len += len;
}

void
bytes_trim(struct bytes *b)
{
	bytes_need(b, 0);
	resize(b, b->len);
	b->p[b->len] = '\0';
}

void
bytes_free(struct bytes *b)
{
	if (b->p != NULL)
		(void)munmap(b->p, b->room);
	*b = (struct bytes){ NULL, 0, 0 };
}
