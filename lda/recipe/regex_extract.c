/* SPDX-License-Identifier: ISC */
/*
 * regex_extract.c - what an expression matches after its `\/`
 *
 * Pike's way: each position that is alive remembers where its extract began.
 */
#include "lda/recipe/regex_prog.h"

#include "lda/recipe/regex.h"

#define NOWHERE		((ssize_t)1 << 62)	/* no extract begun */

struct thread {				/* a position that is alive */
	unsigned	 pos;
	ssize_t		 start;		/* offset of its extract, or NOWHERE */
};

enum { LATER = 2 };

struct pike {
	struct regex	*re;
	struct thread	*list[3];	/* now, then, LATER; the earliest start
					   first */
	unsigned	 n[3];
	int		 now;
	unsigned	*cut, ncut;	/* states after a crossed `\/` */
	bool		 found;
	bool		 plain;		/* found, but without an extract */
	ssize_t		 begin, end;	/* of the extract */
};

/* Drop the threads whose extract began later than the one that was found. */
static void
drop_later(struct pike *pk)
{
	while (pk->n[pk->now] > 0 &&
	    pk->list[pk->now][pk->n[pk->now] - 1].start > pk->begin)
		pk->n[pk->now]--;
}

/* Is there a match at `at`?  Returns true if the walk is over, as it is with a
 * match that has no extract. */
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

/* Let a thread with that start go from a state to all states that it reaches
 * without a byte and that no other thread of the round has reached.  After a
 * `\/` a new extract begins, later, unless one was found. */
static void
spread(struct pike *pk, unsigned from, ssize_t start, int list)
{
	struct regex *re = pk->re;
	const struct state *st;
	unsigned n = 0;

	regex_look_later(re, from, &n);
	while (n > 0) {
		st = &re->state[re->stack[--n]];
		switch ((enum op)st->op) {
		case OP_EXTRACT:
			if (pk->found)
				regex_look_later(re, st->x, &n);
			else
				pk->cut[pk->ncut++] = st->x;
			break;
		case OP_FORK:
			regex_look_later(re, st->x, &n);
			regex_look_later(re, st->y, &n);
			break;
		case OP_MATCH: case OP_BYTE: case OP_ANY: case OP_SET:
		case OP_BEGIN_OF_TEXT: case OP_END_OF_TEXT:
			pk->list[list][pk->n[list]++] = (struct thread){
			    .pos = st->pos, .start = start };
			break;
		}
	}
}

/* Move a thread over the byte at `at` (-1: the newline before the text). */
static void
go_on(struct pike *pk, const struct thread *t, unsigned char c, ssize_t at,
    int list)
{
	struct regex *re = pk->re;
	const struct state *st = &re->state[re->pos[t->pos]];

	if (regex_takes(re, st, c) || (at == -1 && regex_is_edge(st)))
		spread(pk, st->x, t->start, list);
}

/*
 * Take a byte.  anew: a match may begin after it.
 *
 * If several threads reach one state, the earliest start counts.  So the order
 * is: extracts begun before, extracts that begin here, and last the threads
 * without one.  As the last find the `\/` where extracts begin here, they run
 * second, with the lesser mark of the round, which keeps no other thread away.
 */
static void
advance(struct pike *pk, unsigned char c, ssize_t at, bool anew)
{
	struct regex *re = pk->re;
	const struct thread *t = pk->list[pk->now], *end = t + pk->n[pk->now];
	int then = !pk->now;
	unsigned i;

	regex_new_round(re);
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

/* skip: no match began before that offset; if it is `from`, the newline before
 * it may be part of one. */
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

	/* A search costs less, and most texts do not match. */
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
	/* The newline after the text is only imagined. */
	if (*start > (ssize_t)len)
		*start = (ssize_t)len;
	if (*end > (ssize_t)len)
		*end = (ssize_t)len;
	if (*end < *start || pk.plain)
		*end = *start;
	return true;
}
