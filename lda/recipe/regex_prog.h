/* SPDX-License-Identifier: ISC */
/*
 * regex_prog.h - a compiled expression; private to regex.c and regex_match.c
 */
#ifndef LDA_RECIPE_REGEX_PROG_H
#define LDA_RECIPE_REGEX_PROG_H

#include <stdint.h>

#include "lda/recipe/regex.h"

struct set {
	uint64_t	 bits[4];
};

static inline bool
set_has(const struct set *set, unsigned c)
{
	return (set->bits[c / 64] >> c % 64 & 1) != 0;
}

enum op {
	OP_MATCH,		/* the expression has matched; always state 0 */
	OP_BYTE, OP_ANY, OP_SET,
	OP_BEGIN_OF_TEXT,	/* takes the newline imagined before the text */
	OP_END_OF_TEXT,		/* a match, at the very end; or as the one above */
	OP_FORK,		/* x and y, without a byte */
	OP_EXTRACT,		/* `\/`: x, without a byte */
};

struct state {
	unsigned char	 op;
	unsigned char	 byte;
	unsigned	 x;
	unsigned	 y;		/* OP_SET: which of the sets */
	unsigned	 pos;
};

struct dfa;

struct regex {
	struct state	*state;
	unsigned	 nstate, first;
	struct set	*set;
	unsigned	 nset;
	bool		 fold, extracts;
	unsigned	*pos;		/* position -> state */
	unsigned	 npos, words;	/* words: of a set of positions */
	unsigned char	 class[256], of_class[256];
	unsigned	 nclass;
	uint64_t	*init;		/* positions at the start */
	unsigned	*seen;		/* by state: the round that looked at it last */
	unsigned	 round;
	unsigned	*stack;		/* of states still to be looked at */
	struct dfa	*dfa;
	size_t		 idle_at;	/* of the last search: nothing was alive here */
};

/* What a walk needs, once positions are numbered. */
void		regex_prepare(struct regex *re);

#endif
