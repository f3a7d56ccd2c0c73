/* SPDX-License-Identifier: ISC */
/*
 * blocks.h - the blocks { ... } that a run is in, one within the other
 *
 * What the flags A, a, E and e ask about is, after a block, what it was before.
 *
 * Source: procmailrc(5), Flags; procmail 3.22 src/procmail.c.
 */
#ifndef LDA_RECIPE_BLOCKS_H
#define LDA_RECIPE_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <talloc.h>

struct block {				/* to be restored when it closes */
	bool		 last, prev;	/* struct tried: last_cond, prev_cond */
};

/* Begin with all zero. */
struct blocks {
	struct block	*block;		/* the innermost is the last; talloc */
	size_t		 n, room;
};

/* Go into a block.  The list is a child of ctx, the same for every call. */
void		blocks_enter(struct blocks *b, TALLOC_CTX *ctx,
		    struct block block);

/*
 * Close the innermost block, but none of the first `outer`.  Returns false if
 * there is no other; else *block is what was given to blocks_enter().
 */
bool		blocks_close(struct blocks *b, size_t outer,
		    struct block *block);

/* Leave all blocks but the first `outer`.  Returns whether there was one. */
bool		blocks_leave(struct blocks *b, size_t outer);

#endif
