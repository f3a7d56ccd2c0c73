/* SPDX-License-Identifier: ISC */
/*
 * regex.c - a regular expression of procmail as an automaton
 *
 * The text becomes a parse tree, and the tree Thompson's automaton.  The
 * automaton is built from the end to the beginning: each piece is given the
 * state that comes after it, so that `^^` can see whether it is the last one.
 * The states that take a byte or end the match are positions; a walk goes from
 * position to position.
 */
#include "lda/recipe/regex.h"

#include <stdint.h>
#include <string.h>

#include "lda/recipe/regex_prog.h"

#define DEPTH_MAX	250		/* groups in each other */
#define PIECES		64		/* made at a time */

enum kind { K_EMPTY, K_BYTE, K_ANY, K_SET, K_EDGE, K_SPLIT, K_CAT, K_ALT,
    K_STAR, K_PLUS, K_OPT };

struct piece {				/* of the parse tree */
	enum kind	 kind;
	unsigned char	 byte;
	unsigned	 set;		/* which of the sets */
	struct piece	*sub;		/* first of a list, linked by `next` */
	struct piece	*next;
};

struct parser {
	TALLOC_CTX	*ctx;
	struct regex	*re;		/* has the sets */
	struct piece	*made;		/* allocated, */
	unsigned	 left;		/* and so many of them unused */
	const unsigned char *p;
	bool		 fold;
	bool		 broken;
	int		 depth;
};

static struct piece *
piece(struct parser *ps, enum kind kind)
{
	struct piece *pc;

	if (ps->left == 0) {
		ps->made = must(talloc_zero_array(ps->ctx, struct piece,
		    PIECES));
		ps->left = PIECES;
	}
	pc = &ps->made[--ps->left];
	pc->kind = kind;
	return pc;
}

static void
set_put(struct set *set, unsigned c, bool on)
{
	if (on)
		set->bits[c / 64] |= (uint64_t)1 << c % 64;
	else
		set->bits[c / 64] &= ~((uint64_t)1 << c % 64);
}

static void
set_both_cases(const struct parser *ps, struct set *set, unsigned c, bool on)
{
	set_put(set, c, on);
	if (ps->fold && c >= 'A' && c <= 'Z')
		set_put(set, c + 'a' - 'A', on);
	else if (ps->fold && c >= 'a' && c <= 'z')
		set_put(set, c - ('a' - 'A'), on);
}

/* An empty set: the caller fills it before the next one is made. */
static struct piece *
set_piece(struct parser *ps, struct set **set)
{
	struct piece *pc = piece(ps, K_SET);
	struct regex *re = ps->re;

	if ((re->nset & (re->nset - 1)) == 0)	/* full: twice the room */
		re->set = must(talloc_realloc(re, re->set, struct set,
		    re->nset == 0 ? 1 : re->nset * 2));
	pc->set = re->nset++;
	*set = &re->set[pc->set];
	memset(*set, 0, sizeof(**set));
	return pc;
}

/* `[...]`: no backslash, no named class; a first `]` or `-` is literal. */
static struct piece *
parse_set(struct parser *ps)
{
	struct set *set;
	struct piece *pc = set_piece(ps, &set);
	bool in = *ps->p != '^';
	unsigned last = 0, c;

	if (!in) {
		ps->p++;
		memset(set->bits, 0xff, sizeof(set->bits));
		set_put(set, '\n', false);
	}
	if (*ps->p == ']' || *ps->p == '-') {
		last = *ps->p++;
		set_put(set, last, in);
	}
	for (; *ps->p != ']' && *ps->p != '\0'; ps->p++) {
		if (*ps->p == '-' && ps->p[1] != '\0' && ps->p[1] != ']') {
			ps->p++;
			for (c = last + 1; c < *ps->p; c++)
				set_both_cases(ps, set, c, in);
		}
		last = *ps->p;
		set_both_cases(ps, set, last, in);
	}
	if (*ps->p == ']')
		ps->p++;
	return pc;
}

/* `\<` and `\>`: one character that is in no word, or a newline. */
static struct piece *
no_word(struct parser *ps)
{
	struct set *set;
	struct piece *pc = set_piece(ps, &set);
	unsigned c;

	memset(set->bits, 0xff, sizeof(set->bits));
	for (c = 'a'; c <= 'z'; c++) {
		set_put(set, c, false);
		set_put(set, c - ('a' - 'A'), false);
	}
	for (c = '0'; c <= '9'; c++)
		set_put(set, c, false);
	set_put(set, '_', false);
	return pc;
}

static struct piece *
byte_piece(struct parser *ps, unsigned char c)
{
	struct piece *pc = piece(ps, K_BYTE);

	pc->byte = ps->fold && c >= 'A' && c <= 'Z' ?
	    (unsigned char)(c + 'a' - 'A') : c;
	return pc;
}

static struct piece *parse_alternatives(struct parser *ps);

static struct piece *
parse_group(struct parser *ps)
{
	struct piece *pc;

	if (++ps->depth > DEPTH_MAX) {
		ps->broken = true;
		ps->p += strlen((const char *)ps->p);
		return piece(ps, K_EMPTY);
	}
	pc = parse_alternatives(ps);
	ps->depth--;
	if (*ps->p == ')')
		ps->p++;
	else
		ps->broken = true;
	return pc;
}

static struct piece *
parse_escape(struct parser *ps)
{
	unsigned char c = *ps->p;

	if (c == '\0')			/* nothing to quote: a backslash */
		return byte_piece(ps, '\\');
	ps->p++;
	if (c == '/')
		return piece(ps, K_SPLIT);
	if (c == '<' || c == '>')
		return no_word(ps);
	return byte_piece(ps, c);
}

/* One piece, without the character that may repeat it. */
static struct piece *
parse_simple(struct parser *ps)
{
	unsigned char c = *ps->p++;

	switch (c) {
	case '(':
		return parse_group(ps);
	case '[':
		return parse_set(ps);
	case '.':
		return piece(ps, K_ANY);
	case '^':
		if (*ps->p != '^')
			return byte_piece(ps, '\n');
		ps->p++;
		return piece(ps, K_EDGE);
	case '$':
		return byte_piece(ps, '\n');
	case '\\':
		return parse_escape(ps);
	default:
		return byte_piece(ps, c);
	}
}

/* At most one repetition: a `*` after another is a literal star. */
static struct piece *
parse_repeated(struct parser *ps)
{
	struct piece *sub = parse_simple(ps), *pc;

	if (*ps->p != '*' && *ps->p != '+' && *ps->p != '?')
		return sub;
	pc = piece(ps, *ps->p == '*' ? K_STAR : *ps->p == '+' ? K_PLUS : K_OPT);
	pc->sub = sub;
	ps->p++;
	return pc;
}

static struct piece *
parse_sequence(struct parser *ps)
{
	struct piece *cat = piece(ps, K_CAT), **tail = &cat->sub;

	while (*ps->p != '\0' && *ps->p != '|' && *ps->p != ')') {
		*tail = parse_repeated(ps);
		tail = &(*tail)->next;
	}
	return cat;
}

static struct piece *
parse_alternatives(struct parser *ps)
{
	struct piece *alt = piece(ps, K_ALT), **tail = &alt->sub;

	for (;;) {
		*tail = parse_sequence(ps);
		tail = &(*tail)->next;
		if (*ps->p != '|')
			return alt;
		ps->p++;
	}
}

/* From tree to states. */

struct builder {
	struct regex	*re;
	size_t		 room;
};

static unsigned
new_state(struct builder *b, enum op op, unsigned x, unsigned y)
{
	struct regex *re = b->re;

	if (re->nstate == b->room) {
		b->room *= 2;
		re->state = must(talloc_realloc(re, re->state, struct state,
		    (unsigned)b->room));
	}
	re->state[re->nstate] = (struct state){ .op = (unsigned char)op,
	    .x = x, .y = y };
	return re->nstate++;
}

static unsigned build(struct builder *b, const struct piece *pc, unsigned next);

/* A list from its last piece to its first: lists are too long to recurse. */
static unsigned
build_sequence(struct builder *b, const struct piece *cat, unsigned next)
{
	const struct piece **list, *pc;
	size_t n = 0, i;

	for (pc = cat->sub; pc != NULL; pc = pc->next)
		n++;
	list = must(talloc_array(b->re, const struct piece *, (unsigned)n + 1));
	for (i = 0, pc = cat->sub; pc != NULL; pc = pc->next)
		list[i++] = pc;
	if (n == 0)			/* no `^^` sees the end past a `()` */
		next = new_state(b, OP_FORK, next, next);
	while (i-- > 0)
		next = build(b, list[i], next);
	talloc_free(list);
	return next;
}

static unsigned
build_alternatives(struct builder *b, const struct piece *alt, unsigned next)
{
	const struct piece *pc = alt->sub;
	unsigned first = build(b, pc, next), other;

	for (pc = pc->next; pc != NULL; pc = pc->next) {
		other = build(b, pc, next);
		first = new_state(b, OP_FORK, first, other);
	}
	return first;
}

static unsigned
build_loop(struct builder *b, const struct piece *pc, unsigned next)
{
	unsigned fork = new_state(b, OP_FORK, 0, next);
	unsigned sub = build(b, pc->sub, fork);

	b->re->state[fork].x = sub;
	return pc->kind == K_STAR ? fork : sub;
}

static unsigned
build(struct builder *b, const struct piece *pc, unsigned next)
{
	unsigned s;

	switch (pc->kind) {
	case K_EMPTY:
		return next;
	case K_BYTE:
		s = new_state(b, OP_BYTE, next, 0);
		b->re->state[s].byte = pc->byte;
		return s;
	case K_ANY:
		return new_state(b, OP_ANY, next, 0);
	case K_SET:
		return new_state(b, OP_SET, next, pc->set);
	case K_EDGE:			/* state 0 is the end of the match */
		return new_state(b, next == 0 ? OP_END_OF_TEXT :
		    OP_BEGIN_OF_TEXT, next, 0);
	case K_SPLIT:
		b->re->extracts = true;
		return new_state(b, OP_EXTRACT, next, 0);
	case K_CAT:
		return build_sequence(b, pc, next);
	case K_ALT:
		return build_alternatives(b, pc, next);
	case K_STAR:
	case K_PLUS:
		return build_loop(b, pc, next);
	case K_OPT:
		s = build(b, pc->sub, next);
		return new_state(b, OP_FORK, s, next);
	}
	return next;
}

/* Positions are the states other than forks and `\/`. */
static void
number_positions(struct regex *re)
{
	unsigned i;

	re->npos = 0;
	re->pos = must(talloc_array(re, unsigned, re->nstate));
	for (i = 0; i < re->nstate; i++)
		if (re->state[i].op != OP_FORK &&
		    re->state[i].op != OP_EXTRACT) {
			re->state[i].pos = re->npos;
			re->pos[re->npos++] = i;
		}
	re->words = (re->npos + 63) / 64;
}

/* Split each class of which a set has some bytes only.  false: too many. */
static bool
cut_classes(struct regex *re, const struct set *set, unsigned *next)
{
	int part[256][2];
	unsigned c, n = *next;
	bool cut = false;

	memset(part, 0xff, sizeof(part));
	for (c = 0; c < 256; c++) {
		int *mine = part[re->class[c]], in = set_has(set, c);

		if (mine[in] != -1)
			continue;
		if (mine[!in] == -1)
			mine[in] = re->class[c];
		else if (n < 255) {
			mine[in] = (int)n++;
			cut = true;
		} else
			return false;
	}
	for (c = 0; c < 256 && cut; c++)
		re->class[c] = (unsigned char)
		    part[re->class[c]][set_has(set, c)];
	*next = n;
	return true;
}

/*
 * Bytes that no position distinguishes are one class.  First come the bytes
 * that stand alone, then the sets.
 */
static void
make_classes(struct regex *re)
{
	unsigned char alone[256] = { 0 };
	unsigned i, c, next = 1;
	bool full = false;

	alone['\n'] = 1;
	for (i = 0; i < re->npos; i++)
		if (re->state[re->pos[i]].op == OP_BYTE)
			alone[re->state[re->pos[i]].byte] = 1;
	for (c = 0; c < 256; c++)
		re->class[c] = alone[c] ? (unsigned char)next++ : 0;
	for (i = 0; i < re->nset && !full; i++)
		full = !cut_classes(re, &re->set[i], &next);
	for (c = 0; c < 256 && full; c++)	/* each byte is a class */
		re->class[c] = (unsigned char)c;
	if (full)
		next = 256;
	re->nclass = next;
	/* Upper case is read as lower case. */
	for (c = 'A'; re->fold && c <= 'Z'; c++)
		re->class[c] = re->class[c + 'a' - 'A'];
	for (c = 256; c-- > 0;)
		re->of_class[re->class[c]] = (unsigned char)(re->fold &&
		    c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
}

struct regex *
regex_compile(TALLOC_CTX *ctx, const char *expr, bool fold, bool *broken)
{
	struct regex *re = must(talloc_zero(ctx, struct regex));
	struct parser ps = { .re = re, .fold = fold,
	    .p = (const unsigned char *)expr };
	struct builder b = { .re = re, .room = 64 };
	struct piece *tree;

	ps.ctx = must(talloc_new(ctx));
	tree = parse_alternatives(&ps);
	if (*ps.p != '\0')
		ps.broken = true;
	re->fold = fold;
	re->state = must(talloc_array(re, struct state, (unsigned)b.room));
	(void)new_state(&b, OP_MATCH, 0, 0);
	re->first = build(&b, tree, 0);
	talloc_free(ps.ctx);
	number_positions(re);
	make_classes(re);
	regex_prepare(re);
	*broken = ps.broken;
	return re;
}

bool
regex_extracts(const struct regex *re)
{
	return re->extracts;
}
