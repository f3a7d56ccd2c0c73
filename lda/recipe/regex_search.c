/* SPDX-License-Identifier: ISC */
/*
 * regex_search.c - where an expression matches first
 *
 * A deterministic automaton is made during the search: a state when it is first
 * needed.  When there are too many of them all are forgotten.  So each byte
 * costs at most a step of every position.
 */
#include "lda/recipe/regex_prog.h"

#include <limits.h>
#include <string.h>

#include "lda/recipe/regex.h"

#define DFA_BYTES	(256 * 1024)	/* of states before all are dropped */

/* Transitions that lead to no state. */
enum { T_UNKNOWN = -1, T_IDLE = -2, T_MATCH = -3, T_DEAD = -4 };

struct dfa {
	int32_t		*next;		/* [state * nclass + class] */
	uint64_t	*set;		/* [state * words]: positions alive */
	unsigned	 nstate, room, most;
	int32_t		*hash;
	unsigned	 nhash;
	int		 idle;		/* state with nothing alive; -1 */
};

static bool
has(const uint64_t *set, unsigned pos)
{
	return (set[pos / 64] >> pos % 64 & 1) != 0;
}

void
regex_new_round(struct regex *re)
{
	if (re->round > UINT_MAX - 4) {
		memset(re->seen, 0, re->nstate * sizeof(re->seen[0]));
		re->round = 0;
	}
	re->round += 2;
}

/* Add the positions reached from a state without taking a byte, except those
 * of this round.  An explicit stack: expressions nest. */
static void
reach(struct regex *re, unsigned from, uint64_t *set)
{
	const struct state *st;
	unsigned n = 0;

	regex_look_later(re, from, &n);
	while (n > 0) {
		st = &re->state[re->stack[--n]];
		if (st->op == OP_FORK || st->op == OP_EXTRACT)
			regex_look_later(re, st->x, &n);
		if (st->op == OP_FORK)
			regex_look_later(re, st->y, &n);
		if (st->op != OP_FORK && st->op != OP_EXTRACT)
			set[st->pos / 64] |= (uint64_t)1 << st->pos % 64;
	}
}

void
regex_prepare(struct regex *re)
{
	re->init = must(talloc_zero_array(re, uint64_t, re->words));
	re->seen = must(talloc_zero_array(re, unsigned, re->nstate));
	re->stack = must(talloc_array(re, unsigned, re->nstate));
	regex_new_round(re);
	reach(re, re->first, re->init);
}

/* Add to `to` what follows the positions of `from` that take c. */
static void
step(struct regex *re, const uint64_t *from, unsigned char c, bool at_begin,
    uint64_t *to)
{
	const struct state *st;
	uint64_t bits;
	unsigned w;

	regex_new_round(re);
	for (w = 0; w < re->words; w++)
		for (bits = from[w]; bits != 0; bits &= bits - 1) {
			st = &re->state[re->pos[w * 64 +
			    (unsigned)__builtin_ctzll(bits)]];
			if (regex_takes(re, st, c) ||
			    (at_begin && regex_is_edge(st)))
				reach(re, st->x, to);
		}
}

static void
forget(struct regex *re)
{
	struct dfa *d = re->dfa;

	d->nstate = 0;
	d->idle = -1;
	memset(d->hash, 0xff, d->nhash * sizeof(d->hash[0]));
}

static void
dfa_begin(struct regex *re)
{
	struct dfa *d;

	if (re->dfa != NULL)
		return;
	d = re->dfa = must(talloc_zero(re, struct dfa));
	d->most = DFA_BYTES / (re->nclass * (unsigned)sizeof(d->next[0]) +
	    re->words * 8);
	d->nhash = 64;
	d->hash = must(talloc_array(d, int32_t, d->nhash));
	forget(re);
}

static unsigned
hash_of(const uint64_t *set, unsigned words)
{
	uint64_t h = 0;
	unsigned i;

	for (i = 0; i < words; i++)
		h = (h ^ set[i]) * 0x9e3779b97f4a7c15u + (h >> 29);
	return (unsigned)(h >> 32);
}

static void
rehash(struct regex *re)
{
	struct dfa *d = re->dfa;
	unsigned s, h;

	d->nhash *= 4;
	d->hash = must(talloc_realloc(d, d->hash, int32_t, d->nhash));
	memset(d->hash, 0xff, d->nhash * sizeof(d->hash[0]));
	for (s = 0; s < d->nstate; s++) {
		h = hash_of(d->set + s * re->words, re->words);
		while (d->hash[h %= d->nhash] != -1)
			h++;
		d->hash[h] = (int32_t)s;
	}
}

static void
grow(struct regex *re)
{
	struct dfa *d = re->dfa;

	d->room = d->room == 0 ? 8 : d->room * 2;
	d->next = must(talloc_realloc(d, d->next, int32_t,
	    d->room * re->nclass));
	d->set = must(talloc_realloc(d, d->set, uint64_t, d->room * re->words));
}

/* The state of a set; a new one if it has none. */
static int32_t
state_of(struct regex *re, const uint64_t *set)
{
	struct dfa *d = re->dfa;
	unsigned h = hash_of(set, re->words), s, i;
	uint64_t any = 0;

	while (d->hash[h %= d->nhash] != -1) {
		s = (unsigned)d->hash[h++];
		if (memcmp(d->set + s * re->words, set, re->words * 8) == 0)
			return (int32_t)s;
	}
	if (d->nstate == d->room)
		grow(re);
	s = d->nstate++;
	d->hash[h] = (int32_t)s;
	for (i = 0; i < re->words; i++)
		any |= d->set[s * re->words + i] = set[i];
	memset(d->next + s * re->nclass, 0xff,
	    re->nclass * sizeof(d->next[0]));
	if (any == 0)
		d->idle = (int)s;
	if (d->nstate * 2 > d->nhash)
		rehash(re);
	return (int32_t)s;
}

/* What a search needs beside the automaton. */
struct search {
	struct regex	*re;
	const uint64_t	*init;		/* a match may begin at each byte */
	bool		 dead;		/* no match can begin any more */
	uint64_t	*from, *to;	/* scratch */
	int		 only;		/* a byte that begins all matches; -1 */
};

static bool
is_match(const uint64_t *set)
{
	return (set[0] & 1) != 0;	/* position 0 is OP_MATCH */
}

/* Do all matches begin with one byte? */
static void
look_at_beginning(struct search *s)
{
	const struct regex *re = s->re;
	unsigned pos, n = 0;

	s->only = -1;
	s->dead = true;
	for (pos = 0; pos < re->npos; pos++) {
		const struct state *st = &re->state[re->pos[pos]];

		if (!has(s->init, pos) || st->op == OP_BEGIN_OF_TEXT ||
		    st->op == OP_END_OF_TEXT)
			continue;
		s->dead = false;
		if (st->op == OP_BYTE && (n == 0 || s->only == st->byte) &&
		    !(re->fold && st->byte >= 'a' && st->byte <= 'z'))
			s->only = st->byte;
		else
			n = 2;
		n += n == 0;
	}
	if (n != 1)
		s->only = -1;
}

/* Compute and keep the transition of a state by a class. */
static int32_t
work_out(struct search *s, int32_t state, unsigned class)
{
	struct regex *re = s->re;
	struct dfa *d = re->dfa;
	const uint64_t *alive = d->set + (unsigned)state * re->words;
	int32_t next;
	unsigned i;

	for (i = 0; i < re->words; i++) {
		s->from[i] = alive[i] | s->init[i];
		s->to[i] = 0;
	}
	step(re, s->from, re->of_class[class], false, s->to);
	if (is_match(s->to))
		return d->next[(unsigned)state * re->nclass + class] = T_MATCH;
	if (d->nstate >= d->most) {
		forget(re);
		return state_of(re, s->to);
	}
	next = state_of(re, s->to);
	if (next == d->idle)
		next = s->dead ? T_DEAD : T_IDLE;
	d->next[(unsigned)state * re->nclass + class] = next;
	return next;
}

/* After the text come its end and an imagined newline. */
static ssize_t
behind_the_text(struct search *s, int32_t state, size_t len)
{
	struct regex *re = s->re;
	const uint64_t *alive = re->dfa->set + (unsigned)state * re->words;
	unsigned pos;

	for (pos = 0; pos < re->npos; pos++)
		if (has(alive, pos) &&
		    re->state[re->pos[pos]].op == OP_END_OF_TEXT)
			return (ssize_t)len;
	memset(s->to, 0, re->words * 8);
	step(re, alive, '\n', false, s->to);
	return is_match(s->to) ? (ssize_t)len + 1 : REGEX_NO_MATCH;
}

/* Walk text[at .. len) from a state. */
static ssize_t
walk(struct search *s, int32_t state, const char *text, size_t len, size_t at)
{
	const unsigned char *p = (const unsigned char *)text + at, *lf;
	const unsigned char *end = (const unsigned char *)text + len;
	struct regex *re = s->re;
	struct dfa *d = re->dfa;
	int32_t next;

	while (p < end) {
		if (state == d->idle) {
			if (s->dead)
				return REGEX_NO_MATCH;
			lf = s->only == -1 ? p : memchr(p, s->only,
			    (size_t)(end - p));
			if (lf == NULL)
				break;
			p = lf;
			re->idle_at = (size_t)(p - (const unsigned char *)text);
		}
		next = d->next[(unsigned)state * re->nclass + re->class[*p]];
		if (next == T_UNKNOWN)
			next = work_out(s, state, re->class[*p]);
		p++;
		if (next >= 0)
			state = next;
		else if (next == T_IDLE)
			state = d->idle;
		else
			return next == T_MATCH ?
			    p - (const unsigned char *)text : REGEX_NO_MATCH;
		/* The common case, without any other check. */
		while (p < end && state != d->idle &&
		    (next = d->next[(unsigned)state * re->nclass +
		    re->class[*p]]) >= 0) {
			state = next;
			p++;
		}
	}
	return behind_the_text(s, state, len);
}

ssize_t
regex_search(struct regex *re, const char *text, size_t len, size_t from)
{
	struct search s = { .re = re };
	ssize_t end = REGEX_NO_MATCH;
	uint64_t *scratch;

	scratch = must(talloc_zero_array(re, uint64_t, 2 * re->words));
	s.init = re->init;
	s.from = scratch;
	s.to = scratch + re->words;
	dfa_begin(re);
	re->idle_at = from;
	if (from == 0 || text[from - 1] == '\n') {
		if (is_match(s.init)) {
			end = (ssize_t)from - 1;
			goto out;
		}
		step(re, s.init, '\n', from == 0, s.to);
		if (is_match(s.to)) {
			end = (ssize_t)from;
			goto out;
		}
	} else if (is_match(s.init)) {
		end = (ssize_t)from;
		goto out;
	}
	look_at_beginning(&s);
	if (re->dfa->nstate + 1 >= re->dfa->most)
		forget(re);
	(void)state_of(re, s.from);	/* makes the idle state known */
	end = walk(&s, state_of(re, s.to), text, len, from);
out:
	talloc_free(scratch);
	return end;
}
