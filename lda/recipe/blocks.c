/* SPDX-License-Identifier: ISC */
/*
 * blocks.c - the blocks { ... } that a run is in, one within the other
 */
#include "lda/recipe/blocks.h"

#include "maps/base/err.h"

void
blocks_enter(struct blocks *b, TALLOC_CTX *ctx, struct block block)
{
	if (b->n == b->room) {
		b->room = b->room == 0 ? 16 : b->room * 2;
		b->block = must(talloc_realloc(ctx, b->block, struct block,
		    (unsigned)b->room));
	}
	b->block[b->n++] = block;
}

bool
blocks_close(struct blocks *b, size_t outer, struct block *block)
{
	if (b->n <= outer)
		return false;
	*block = b->block[--b->n];
	return true;
}

bool
blocks_leave(struct blocks *b, size_t outer)
{
	if (b->n <= outer)
		return false;
	b->n = outer;
	return true;
}
