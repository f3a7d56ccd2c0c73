/* SPDX-License-Identifier: ISC */
/*
 * regex_prog.h - a compiled expression; private to the regex files
 *
 * regex.c makes it from text, regex_search.c and regex_extract.c walk it.
 */
#ifndef LDA_RECIPE_REGEX_PROG_H
#define LDA_RECIPE_REGEX_PROG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct set {				/* of bytes */
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
	OP_END_OF_TEXT,		/* a match at the very end; or as the above */
	OP_FORK,		/* to x and y, without a byte */
	OP_EXTRACT,		/* `\/`: to x, without a byte */
};

struct state {
	unsigned char	 op;		/* enum op */
	unsigned char	 byte;		/* OP_BYTE */
	unsigned	 x;		/* the next state */
	unsigned	 y;		/* OP_SET: index of the set */
	unsigned	 pos;		/* its number among the positions */
};

struct dfa;

struct regex {
	/* regex.c: the program.  Positions are the states that take a byte or
	 * end the match. */
	struct state	*state;
	unsigned	 nstate, first;
	struct set	*set;
	unsigned	 nset;
	bool		 fold, extracts;
	unsigned	*pos;		/* position -> state */
	unsigned	 npos, words;	/* words: uint64_t in a set of them */
	/* Bytes that no position distinguishes are one class. */
	unsigned char	 class[256], of_class[256];
	unsigned	 nclass;
	/* regex_search.c: what a walk needs. */
	uint64_t	*init;		/* positions at the start */
	unsigned	*seen;		/* by state: round of the last visit */
	unsigned	 round;
	unsigned	*stack;		/* of states still to be visited */
	struct dfa	*dfa;
	size_t		 idle_at;	/* of the last search: no match began
					   before this offset */
};

/* Allocate what a walk needs, once positions are numbered. */
void		regex_prepare(struct regex *re);

/* Begin a round, in which a state is visited once.  It has two marks, round
 * and round + 1: regex_extract.c needs both. */
void		regex_new_round(struct regex *re);

/* Put a state on the stack of n, unless this round visited it. */
static inline void
regex_look_later(struct regex *re, unsigned state, unsigned *n)
{
	if (re->seen[state] >= re->round)
		return;
	re->seen[state] = re->round;
	re->stack[(*n)++] = state;
}

/* Does the state take the byte? */
static inline bool
regex_takes(const struct regex *re, const struct state *st, unsigned char c)
{
	switch ((enum op)st->op) {
	case OP_BYTE:
		return st->byte == c;
	case OP_ANY:
		return c != '\n';
	case OP_SET:
		return set_has(&re->set[st->y], c);
	case OP_MATCH: case OP_BEGIN_OF_TEXT: case OP_END_OF_TEXT:
	case OP_FORK: case OP_EXTRACT:
		break;
	}
	return false;
}

/* Is it `^^`?  At the beginning of the text even the last one of an
 * expression matches. */
static inline bool
regex_is_edge(const struct state *st)
{
	return st->op == OP_BEGIN_OF_TEXT || st->op == OP_END_OF_TEXT;
}

#endif
