/*
 * regex_match.c - procmail's regular expressions: walking a text
 *
 * regex_search() makes a deterministic automaton as it goes, a state when it is
 * first needed, and forgets all of them where they become too many: each byte
 * then costs at most a step of every position.  regex_extract() keeps for every
 * position where its extract began (Pike's way).
 */
#include "lda/recipe/regex_prog.h"

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
takes(const struct state *st, unsigned char c)
{
	switch (st->op) {
	case OP_BYTE:
		return st->byte == c;
	case OP_ANY:
		return c != '\n';
	case OP_SET:
		return set_has(&st->set, c);
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

/* Positions reached from a state without taking a byte.  An explicit stack:
 * expressions nest. */
static void
close_over(const struct regex *re, unsigned from, uint64_t *plain,
    uint64_t *cut)
{
	unsigned char *seen = must(talloc_zero_size(NULL, re->nstate));
	unsigned *stack = must(talloc_array(seen, unsigned, 4 * re->nstate + 4));
	unsigned n = 0, s, i, bit;

	stack[n++] = from << 1;
	while (n > 0) {
		s = stack[--n];
		bit = 1 + (s & 1);
		i = s >> 1;
		if ((seen[i] & bit) != 0)
			continue;
		seen[i] |= (unsigned char)bit;
		if (re->state[i].op == OP_FORK) {
			stack[n++] = re->state[i].x << 1 | (s & 1);
			stack[n++] = re->state[i].y << 1 | (s & 1);
		} else if (re->state[i].op == OP_EXTRACT)
			stack[n++] = re->state[i].x << 1 | 1;
		else {
			uint64_t *set = (s & 1) != 0 ? cut : plain;
			unsigned pos = re->state[i].pos;

			set[pos / 64] |= (uint64_t)1 << pos % 64;
		}
	}
	talloc_free(seen);
}

static uint64_t *
empty_set(struct regex *re)
{
	return must(talloc_zero_array(re, uint64_t, re->words));
}

void
regex_prepare(struct regex *re)
{
	re->init = empty_set(re);
	re->init_cut = empty_set(re);
	re->follow = must(talloc_zero_array(re, uint64_t *, re->npos));
	re->follow_cut = must(talloc_zero_array(re, uint64_t *, re->npos));
	close_over(re, re->first, re->init, re->init_cut);
}

static void
need_follow(struct regex *re, unsigned pos)
{
	if (re->follow[pos] != NULL)
		return;
	re->follow[pos] = empty_set(re);
	re->follow_cut[pos] = empty_set(re);
	close_over(re, re->state[re->pos[pos]].x, re->follow[pos],
	    re->follow_cut[pos]);
}

/* to |= what follows the positions of `from` that take c. */
static void
step(struct regex *re, const uint64_t *from, unsigned char c, bool at_begin,
    uint64_t *to)
{
	unsigned w, pos, i;
	uint64_t bits;

	for (w = 0; w < re->words; w++)
		for (bits = from[w]; bits != 0; bits &= bits - 1) {
			pos = w * 64 + (unsigned)__builtin_ctzll(bits);
			if (!takes(&re->state[re->pos[pos]], c) && !(at_begin &&
			    is_edge(&re->state[re->pos[pos]])))
				continue;
			need_follow(re, pos);
			for (i = 0; i < re->words; i++)
				to[i] |= re->follow[pos][i] |
				    re->follow_cut[pos][i];
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
	uint64_t	*init;		/* may begin anew at each byte; all zero: no */
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
	unsigned i;

	scratch = must(talloc_zero_array(re, uint64_t, 3 * re->words));
	s.init = scratch;
	s.from = scratch + re->words;
	s.to = scratch + 2 * re->words;
	for (i = 0; i < re->words; i++)
		s.init[i] = re->init[i] | re->init_cut[i];
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

struct pike {
	struct regex	*re;
	ssize_t		*start[2];	/* by position; NOWHERE: not alive */
	unsigned	*list[2];	/* positions alive */
	unsigned	 n[2];
	int		 now;
	bool		 found;
	bool		 plain;		/* by an alternative without an extract */
	ssize_t		 begin, end;	/* of the extract */
};

#define NOWHERE		((ssize_t)1 << 62)	/* no extract begun */
#define NOT_ALIVE	(NOWHERE + 1)

static void
wake(struct pike *pk, int where, unsigned pos, ssize_t start)
{
	if (pk->start[where][pos] == NOT_ALIVE)
		pk->list[where][pk->n[where]++] = pos;
	if (start < pk->start[where][pos])
		pk->start[where][pos] = start;
}

static void
wake_set(struct pike *pk, int where, const uint64_t *set, ssize_t start)
{
	uint64_t bits;
	unsigned w;

	for (w = 0; w < pk->re->words; w++)
		for (bits = set[w]; bits != 0; bits &= bits - 1)
			wake(pk, where, w * 64 + (unsigned)__builtin_ctzll(bits),
			    start);
}

/* Those who began later than the extract that was found are out of the race. */
static void
drop_later(struct pike *pk)
{
	unsigned i, n = 0, pos;

	for (i = 0; i < pk->n[pk->now]; i++) {
		pos = pk->list[pk->now][i];
		if (pk->start[pk->now][pos] <= pk->begin)
			pk->list[pk->now][n++] = pos;
		else
			pk->start[pk->now][pos] = NOT_ALIVE;
	}
	pk->n[pk->now] = n;
}

/* Is there a match at `at`?  true: it is over, as one without an extract is. */
static bool
look(struct pike *pk, ssize_t at, bool at_end)
{
	ssize_t least = NOT_ALIVE, start;
	unsigned i, pos;
	enum op op;

	for (i = 0; i < pk->n[pk->now]; i++) {
		pos = pk->list[pk->now][i];
		op = pk->re->state[pk->re->pos[pos]].op;
		start = pk->start[pk->now][pos];
		if ((op == OP_MATCH || (op == OP_END_OF_TEXT && at_end)) &&
		    start < least)
			least = start;
	}
	if (least == NOT_ALIVE)
		return false;
	if (least == NOWHERE) {
		pk->plain = !pk->found;
		pk->found = true;
		return true;
	}
	pk->found = true;
	pk->begin = least;
	pk->end = at;
	drop_later(pk);
	return false;
}

/* Take a byte at `at` (-1: the newline before the text). */
static void
advance(struct pike *pk, unsigned char c, ssize_t at)
{
	int then = !pk->now;
	struct regex *re = pk->re;
	unsigned i, pos;
	ssize_t start;

	for (i = 0; i < pk->n[pk->now]; i++) {
		pos = pk->list[pk->now][i];
		start = pk->start[pk->now][pos];
		pk->start[pk->now][pos] = NOT_ALIVE;
		if (!takes(&re->state[re->pos[pos]], c) && !(at == -1 &&
		    is_edge(&re->state[re->pos[pos]])))
			continue;
		need_follow(re, pos);
		wake_set(pk, then, re->follow[pos], start);
		wake_set(pk, then, re->follow_cut[pos],
		    pk->found ? start : at + 1);
	}
	pk->n[pk->now] = 0;
	pk->now = then;
}

static void
begin_anew(struct pike *pk, ssize_t at)
{
	if (pk->found)
		return;
	wake_set(pk, pk->now, pk->re->init, NOWHERE);
	wake_set(pk, pk->now, pk->re->init_cut, at);
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
		begin_anew(pk, before);
		if (look(pk, before, false))
			return true;
		advance(pk, '\n', before);
	}
	for (i = skip; i < len; i++) {
		begin_anew(pk, (ssize_t)i);
		if (look(pk, (ssize_t)i, false) || pk->n[pk->now] == 0)
			return pk->found;
		c = (unsigned char)text[i];
		if (pk->re->fold && c >= 'A' && c <= 'Z')
			c = (unsigned char)(c + 'a' - 'A');
		advance(pk, c, (ssize_t)i);
	}
	if (look(pk, (ssize_t)len, true))
		return true;
	advance(pk, '\n', (ssize_t)len);
	(void)look(pk, (ssize_t)len + 1, false);
	return pk->found;
}

bool
regex_extract(struct regex *re, const char *text, size_t len, size_t from,
    ssize_t *start, ssize_t *end)
{
	struct pike pk = { .re = re };
	bool found;
	unsigned i;
	int side;

	/* The automaton says for little whether it is worth the trouble. */
	if (regex_search(re, text, len, from) == REGEX_NO_MATCH)
		return false;
	for (side = 0; side < 2; side++) {
		pk.start[side] = must(talloc_array(re, ssize_t, re->npos));
		pk.list[side] = must(talloc_array(re, unsigned, re->npos));
		for (i = 0; i < re->npos; i++)
			pk.start[side][i] = NOT_ALIVE;
	}
	found = run_pike(&pk, text, len, from, re->idle_at);
	for (side = 0; side < 2; side++) {
		talloc_free(pk.start[side]);
		talloc_free(pk.list[side]);
	}
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
