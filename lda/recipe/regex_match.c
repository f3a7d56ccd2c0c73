/* SPDX-License-Identifier: ISC */
/*
 * regex_match.c - procmail's regular expressions: walking a text
 *
 * regex_search() makes a deterministic automaton as it goes, a state when it is
 * first needed, and forgets all of them where they become too many: each byte
 * then costs at most a step of every position.  regex_extract() keeps for every
 * position where its extract began (Pike's way).
 */
#include "lda/recipe/regex_prog.h"

#include <limits.h>
#include <string.h>

#define DFA_BYTES	(256 * 1024)	/* of transitions before all are forgotten */

/* Transitions that are no state. */
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
takes(const struct regex *re, const struct state *st, unsigned char c)
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

/* `^^`: even the last of an expression is content with the beginning. */
static bool
is_edge(const struct state *st)
{
	return st->op == OP_BEGIN_OF_TEXT || st->op == OP_END_OF_TEXT;
}

static bool
has(const uint64_t *set, unsigned pos)
{
	return (set[pos / 64] >> pos % 64 & 1) != 0;
}

/* A state is looked at once in a round. */
static void
new_round(struct regex *re)
{
	if (re->round > UINT_MAX - 4) {
		memset(re->seen, 0, re->nstate * sizeof(re->seen[0]));
		re->round = 0;
	}
	re->round += 2;			/* two marks of it: Pike's way needs both */
}

static void
look_later(struct regex *re, unsigned state, unsigned *n)
{
	if (re->seen[state] >= re->round)
		return;
	re->seen[state] = re->round;
	re->stack[(*n)++] = state;
}

/* Add the positions reached from a state without taking a byte, but for those of
 * this round.  An explicit stack: expressions nest. */
static void
reach(struct regex *re, unsigned from, uint64_t *set)
{
	const struct state *st;
	unsigned n = 0;

	look_later(re, from, &n);
	while (n > 0) {
		st = &re->state[re->stack[--n]];
		if (st->op == OP_FORK || st->op == OP_EXTRACT)
			look_later(re, st->x, &n);
		if (st->op == OP_FORK)
			look_later(re, st->y, &n);
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
	new_round(re);
	reach(re, re->first, re->init);
}

/* to |= what follows the positions of `from` that take c. */
static void
step(struct regex *re, const uint64_t *from, unsigned char c, bool at_begin,
    uint64_t *to)
{
	const struct state *st;
	uint64_t bits;
	unsigned w;

	new_round(re);
	for (w = 0; w < re->words; w++)
		for (bits = from[w]; bits != 0; bits &= bits - 1) {
			st = &re->state[re->pos[w * 64 +
			    (unsigned)__builtin_ctzll(bits)]];
			if (takes(re, st, c) || (at_begin && is_edge(st)))
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

/* The state of a set; a new one where none is. */
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

/* What a search goes by, beside the automaton. */
struct search {
	struct regex	*re;
	const uint64_t	*init;		/* may begin anew at each byte */
	bool		 dead;		/* nothing can begin any more */
	uint64_t	*from, *to;	/* scratch */
	int		 only;		/* the one byte that a match begins with; -1 */
};

static bool
is_match(const uint64_t *set)
{
	return (set[0] & 1) != 0;	/* position 0 is OP_MATCH */
}

/* Can nothing but one byte begin a match? */
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

/* The transition of a state by a class, worked out and kept. */
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

/* The two rounds behind the text: a newline that is imagined, and its end. */
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
		/* The common case, without a look at anything else. */
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
	(void)state_of(re, s.from);	/* of nothing alive: that it is known */
	end = walk(&s, state_of(re, s.to), text, len, from);
out:
	talloc_free(scratch);
	return end;
}

/* Pike's way. */

#define NOWHERE		((ssize_t)1 << 62)	/* no extract begun */

struct thread {				/* a position alive */
	unsigned	 pos;
	ssize_t		 start;		/* of its extract, or NOWHERE */
};

enum { LATER = 2 };

struct pike {
	struct regex	*re;
	struct thread	*list[3];	/* now, then, and LATER; earlier starts first */
	unsigned	 n[3];
	int		 now;
	unsigned	*cut, ncut;	/* states behind a `\/` that this byte crossed */
	bool		 found;
	bool		 plain;		/* by an alternative without an extract */
	ssize_t		 begin, end;	/* of the extract */
};

/* Those who began later than the extract that was found are out of the race. */
static void
drop_later(struct pike *pk)
{
	while (pk->n[pk->now] > 0 &&
	    pk->list[pk->now][pk->n[pk->now] - 1].start > pk->begin)
		pk->n[pk->now]--;
}

/* Is there a match at `at`?  true: it is over, as one without an extract is. */
static bool
look(struct pike *pk, ssize_t at, bool at_end)
{
	const struct thread *t = pk->list[pk->now], *end = t + pk->n[pk->now];
	unsigned op;

	for (; t < end; t++) {
		op = pk->re->state[pk->re->pos[t->pos]].op;
		if (op == OP_MATCH || (op == OP_END_OF_TEXT && at_end))
			break;
	}
	if (t == end)
		return false;
	if (t->start == NOWHERE) {
		pk->plain = !pk->found;
		pk->found = true;
		return true;
	}
	pk->found = true;
	pk->begin = t->start;
	pk->end = at;
	drop_later(pk);
	return false;
}

/* A thread of that start goes from a state to all it reaches without a byte where
 * no other one of the round was.  Past a `\/` a new extract begins, unless one was
 * found: that is for later. */
static void
spread(struct pike *pk, unsigned from, ssize_t start, int list)
{
	struct regex *re = pk->re;
	const struct state *st;
	unsigned n = 0;

	look_later(re, from, &n);
	while (n > 0) {
		st = &re->state[re->stack[--n]];
		switch ((enum op)st->op) {
		case OP_EXTRACT:
			if (pk->found)
				look_later(re, st->x, &n);
			else
				pk->cut[pk->ncut++] = st->x;
			break;
		case OP_FORK:
			look_later(re, st->x, &n);
			look_later(re, st->y, &n);
			break;
		case OP_MATCH: case OP_BYTE: case OP_ANY: case OP_SET:
		case OP_BEGIN_OF_TEXT: case OP_END_OF_TEXT:
			pk->list[list][pk->n[list]++] = (struct thread){
			    .pos = st->pos, .start = start };
			break;
		}
	}
}

/* Where a thread goes with a byte at `at` (-1: the newline before the text). */
static void
go_on(struct pike *pk, const struct thread *t, unsigned char c, ssize_t at,
    int list)
{
	struct regex *re = pk->re;
	const struct state *st = &re->state[re->pos[t->pos]];

	if (takes(re, st, c) || (at == -1 && is_edge(st)))
		spread(pk, st->x, t->start, list);
}

/*
 * Take a byte; anew: a match may begin after it.  Where several threads come to one
 * state the earliest start is the one that counts, so they go on in that order:
 * extracts begun before, those that begin here, and last who has none.  But these
 * cross most of the `\/`, and run before, with a lesser mark, which keeps nobody away.
 */
static void
advance(struct pike *pk, unsigned char c, ssize_t at, bool anew)
{
	struct regex *re = pk->re;
	const struct thread *t = pk->list[pk->now], *end = t + pk->n[pk->now];
	int then = !pk->now;
	unsigned i;

	new_round(re);
	pk->n[then] = pk->n[LATER] = pk->ncut = 0;
	re->round++;
	for (; t < end && t->start != NOWHERE; t++)
		go_on(pk, t, c, at, then);
	re->round--;
	for (; t < end; t++)
		go_on(pk, t, c, at, LATER);
	if (anew)
		spread(pk, re->first, NOWHERE, LATER);
	re->round++;
	for (i = 0; i < pk->ncut; i++)
		spread(pk, pk->cut[i], at + 1, then);
	for (i = 0, t = pk->list[LATER]; i < pk->n[LATER]; i++, t++)
		if (re->seen[re->pos[t->pos]] < re->round)
			pk->list[then][pk->n[then]++] = *t;
	pk->now = then;
}

/* A match may begin at `at`: nothing is alive yet. */
static void
begin(struct pike *pk, ssize_t at)
{
	pk->n[pk->now] = 0;
	advance(pk, '\0', at - 1, true);
}

/* skip: nothing that matters began before that byte; where that is `from` itself,
 * the newline before it may count. */
static bool
run_pike(struct pike *pk, const char *text, size_t len, size_t from,
    size_t skip)
{
	ssize_t before = (ssize_t)from - 1;
	unsigned char c;
	size_t i;

	if (skip == from && (from == 0 || text[from - 1] == '\n')) {
		begin(pk, before);
		if (look(pk, before, false))
			return true;
		advance(pk, '\n', before, skip < len && !pk->found);
	} else if (skip < len)
		begin(pk, (ssize_t)skip);
	for (i = skip; i < len; i++) {
		if (look(pk, (ssize_t)i, false) || pk->n[pk->now] == 0)
			return pk->found;
		c = (unsigned char)text[i];
		if (pk->re->fold && c >= 'A' && c <= 'Z')
			c = (unsigned char)(c + 'a' - 'A');
		advance(pk, c, (ssize_t)i, i + 1 < len && !pk->found);
	}
	if (look(pk, (ssize_t)len, true))
		return true;
	advance(pk, '\n', (ssize_t)len, false);
	(void)look(pk, (ssize_t)len + 1, false);
	return pk->found;
}

bool
regex_extract(struct regex *re, const char *text, size_t len, size_t from,
    ssize_t *start, ssize_t *end)
{
	struct pike pk = { .re = re };
	TALLOC_CTX *ctx;
	bool found;
	int i;

	/* The automaton says for little whether it is worth the trouble. */
	if (regex_search(re, text, len, from) == REGEX_NO_MATCH)
		return false;
	ctx = must(talloc_new(NULL));
	for (i = 0; i < 3; i++)
		pk.list[i] = must(talloc_array(ctx, struct thread, re->npos));
	pk.cut = must(talloc_array(ctx, unsigned, 2 * re->nstate));
	found = run_pike(&pk, text, len, from, re->idle_at);
	talloc_free(ctx);
	if (!found)
		return false;
	*start = pk.plain ? -1 : pk.begin < 0 ? 0 : pk.begin;
	*end = pk.end;
	/* The newline behind the text is only imagined. */
	if (*start > (ssize_t)len)
		*start = (ssize_t)len;
	if (*end > (ssize_t)len)
		*end = (ssize_t)len;
	if (*end < *start || pk.plain)
		*end = *start;
	return true;
}
