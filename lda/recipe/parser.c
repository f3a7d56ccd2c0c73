/* SPDX-License-Identifier: ISC */
/*
 * parser.c - an rc file as a list of statements
 */
#include "lda/recipe/parser.h"

#include <stdlib.h>
#include <string.h>

#include "maps/base/err.h"

#define UNLIMITED	((size_t)1 << 40)
#define NESTING		1000		/* blocks within each other; deeper ones
					   are folders named `{` */

struct parsing {
	struct rcfile	*rc;
	struct text	 in;
	size_t		 room;
	const char	*counted;	/* lines are counted up to here */
	unsigned	 line;
	const char	*line_begin;
	size_t		 open[NESTING];	/* blocks */
	size_t		 depth;
};

static bool
at_end(const struct parsing *ps)
{
	return ps->in.p == ps->in.end;
}

static bool
looks_at(const struct parsing *ps, char c)
{
	return !at_end(ps) && *ps->in.p == c;
}

static bool
accept(struct parsing *ps, char c)
{
	if (!looks_at(ps, c))
		return false;
	ps->in.p++;
	return true;
}

static void
skip_blanks(struct parsing *ps)
{
	while (looks_at(ps, ' ') || looks_at(ps, '\t'))
		ps->in.p++;
}

static void
skip_line(struct parsing *ps)
{
	while (!at_end(ps) && *ps->in.p++ != '\n')
		continue;
}

static bool
is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool
is_name(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9');
}

/* The number of the current line, from 1. */
static unsigned
line_here(struct parsing *ps)
{
	const char *lf;

	while ((lf = memchr(ps->counted, '\n',
	    (size_t)(ps->in.p - ps->counted))) != NULL) {
		ps->line++;
		ps->counted = ps->line_begin = lf + 1;
	}
	return ps->line;
}

static struct statement *
add(struct parsing *ps, enum statement_kind kind)
{
	struct rcfile *rc = ps->rc;
	struct statement *s;

	if (rc->n == ps->room) {
		ps->room = ps->room == 0 ? 32 : ps->room * 2;
		rc->statement = must(talloc_realloc(rc, rc->statement,
		    struct statement, (unsigned)ps->room));
	}
	s = &rc->statement[rc->n++];
	memset(s, 0, sizeof(*s));
	s->kind = kind;
	s->line = line_here(ps);
	s->column = (unsigned)(ps->in.p - ps->line_begin) + 1;
	return s;
}

/* The text up to where it ends in that mode, which is moved past. */
static struct text
cut(struct parsing *ps, enum words_mode mode, struct statement *s,
    struct words *words)
{
	struct text piece = { ps->in.p, NULL };
	struct words w;

	words_begin(&w, ps->rc, UNLIMITED);
	(void)lexer_read(&w, &ps->in, mode, NULL);
	piece.end = ps->in.p;
	s->unclosed = s->unclosed || w.unclosed;
	if (words != NULL)
		*words = w;
	else
		talloc_free(w.buf);
	return piece;
}

/*
 * A line, which a backslash at its end continues.  The backslash is kept with
 * the LF; of a line with nothing else only the LF is kept.
 */
static char *
long_line(struct parsing *ps)
{
	char *line = must(talloc_strdup(ps->rc, ""));
	const char *begin;
	size_t len;
	bool goes_on;

	do {
		begin = ps->in.p;
		skip_line(ps);
		len = (size_t)(ps->in.p - begin);
		if (len > 0 && begin[len - 1] == '\n')
			len--;
		goes_on = len > 0 && begin[len - 1] == '\\' && !at_end(ps);
		if (len > 0 && begin[len - 1] == '\\' && (len == 1 || !goes_on))
			len--;
		line = must(talloc_strndup_append_buffer(line, begin, len));
		if (goes_on)
			line = must(talloc_strdup_append_buffer(line, "\n"));
	} while (goes_on);
	return line;
}

static unsigned
flag_of(char c)
{
	static const char letters[] = "HBDAahbfcwWiEer";
	static const unsigned flags[] = { FLAG_H, FLAG_B, FLAG_D, FLAG_A,
	    FLAG_a, FLAG_h, FLAG_b, FLAG_f, FLAG_c, FLAG_w, FLAG_W, FLAG_i,
	    FLAG_E, FLAG_e, FLAG_r };
	const char *p = c == '\0' ? NULL : strchr(letters, c);

	return p == NULL ? 0 : flags[p - letters];
}

/* The number of conditions, as old recipes give it (:2); -1 without one. */
static int
count_of(const char *p, const char **rest)
{
	char *end;
	long n = strtol(p, &end, 10);

	*rest = end;
	return end == p ? -1 : n < 0 ? 0 : n > 10000 ? 10000 : (int)n;
}

void
head_parse(TALLOC_CTX *ctx, const struct words *w, struct head *head)
{
	const char *word = words_next(w, NULL), *p;

	*head = (struct head){ .flags = 0 };
	if (word == NULL)
		return;
	(void)count_of(word, &p);
	for (;;) {
		p += strspn(p, " \t");
		if (flag_of(*p) != 0) {
			head->flags |= flag_of(*p++);
			continue;
		}
		if (*p != '\0')
			break;
		p = words_next(w, word);
		if (p == NULL)
			return;
		word = p;
	}
	if (*p == ':') {
		head->lock = true;
		p = p[1] != '\0' ? p + 1 : words_next(w, word);
		if (p == NULL)
			return;
		head->lockfile = must(talloc_strdup(ctx, p));
		p = words_next(w, p);
	}
	if (p != NULL)
		head->left = words_join(ctx, w, p);
}

/* Conditions.  false: the recipe has no action, and another one begins here. */
static bool
conditions(struct parsing *ps, struct statement *s, int count)
{
	TALLOC_CTX *ctx = ps->rc;
	bool empty_line = false;
	size_t n = 0;

	for (;;) {
		skip_blanks(ps);
		count--;
		if (!accept(ps, '*') && count < 0) {
			if (looks_at(ps, '#')) {
				skip_line(ps);
				continue;
			}
			if (accept(ps, '\n')) {
				empty_line = true;
				continue;
			}
			return !(empty_line && looks_at(ps, ':'));
		}
		if (at_end(ps))
			return true;
		skip_blanks(ps);
		if (n % 8 == 0) {
			s->condition = must(talloc_realloc(ctx, s->condition,
			    char *, (unsigned)n + 9));
			s->condition_line = must(talloc_realloc(ctx,
			    s->condition_line, unsigned, (unsigned)n + 9));
		}
		s->condition_line[n] = line_here(ps);
		s->condition[n++] = long_line(ps);
		s->condition[n] = NULL;
	}
}

/*
 * `NAME=` before a pipe or an address: their output is captured.  Anything else
 * is a folder.  A # right after its NAME begins a comment (`box#1` is box), as
 * in procmail, which looks for the `=` first.
 */
static void
capture(struct parsing *ps, struct statement *s, const char **hash)
{
	const char *begin = ps->in.p, *end;
	bool apart;

	if (at_end(ps) || !is_letter(*begin))
		return;
	while (!at_end(ps) && is_name(*ps->in.p))
		ps->in.p++;
	end = ps->in.p;
	skip_blanks(ps);
	apart = ps->in.p != end;
	if (accept(ps, '=')) {
		skip_blanks(ps);
		if (looks_at(ps, '|') || looks_at(ps, '!')) {
			/* As in procmail the name loses its last letter if
			 * blanks stand before the `=`. */
			s->capture = must(talloc_strndup(ps->rc, begin,
			    (size_t)(end - begin) - apart));
			return;
		}
	}
	if (looks_at(ps, '#'))
		*hash = ps->in.p;
	ps->in.p = begin;
}

static bool
opens_block(const struct parsing *ps)
{
	return looks_at(ps, '{') && ps->in.p + 1 < ps->in.end &&
	    strchr(" \t\n", ps->in.p[1]) != NULL && ps->in.p[1] != '\0';
}

static void
action(struct parsing *ps, struct statement *s, size_t self)
{
	const char *hash = NULL;

	skip_blanks(ps);
	s->action_line = line_here(ps);
	capture(ps, s, &hash);
	if (accept(ps, '!')) {
		s->action = ACTION_FORWARD;
		s->text = cut(ps, WORDS_SPLIT, s, NULL);
	} else if (accept(ps, '|')) {
		s->action = ACTION_PIPE;
		s->command = long_line(ps);
	} else if (at_end(ps))
		s->action = ACTION_NONE;
	else if (opens_block(ps) && ps->depth < NESTING) {
		s->action = ACTION_BLOCK;
		ps->in.p += 2;
		ps->open[ps->depth++] = self;
	} else {
		s->action = ACTION_FOLDER;
		if (hash != NULL) {
			s->text = (struct text){ ps->in.p, hash };
			skip_line(ps);
		} else
			s->text = cut(ps, WORDS_SPLIT, s, NULL);
	}
}

static void
recipe(struct parsing *ps)
{
	size_t self = ps->rc->n;
	struct statement *s = add(ps, S_RECIPE);
	const char *rest;
	struct words w;
	size_t i;
	int count;

	for (i = 0; i < ps->depth; i++)
		ps->rc->statement[ps->open[i]].has_recipe = true;
	(void)accept(ps, ':');
	s->head = cut(ps, WORDS_SPLIT, s, &w);
	head_parse(ps->rc, &w, &s->fixed_head);
	s->fixed = memchr(s->head.p, '$', (size_t)(s->head.end - s->head.p)) ==
	    NULL && memchr(s->head.p, '`', (size_t)(s->head.end - s->head.p)) ==
	    NULL;
	count = words_next(&w, NULL) == NULL ? -1 : count_of(w.buf, &rest);
	if (count == -1)
		count = (s->fixed_head.flags & (FLAG_A | FLAG_a | FLAG_E |
		    FLAG_e)) == 0;
	talloc_free(w.buf);
	if (conditions(ps, s, count))
		action(ps, s, self);
	else
		s->missing = true;
}

static void
closing_brace(struct parsing *ps)
{
	struct statement *s = add(ps, S_CLOSE);

	(void)accept(ps, '}');
	if (ps->depth == 0)
		s->stray = true;
	else
		ps->rc->statement[ps->open[--ps->depth]].past = ps->rc->n;
}

/* An assignment, or what cannot be understood. */
static void
other(struct parsing *ps)
{
	const char *begin = ps->in.p, *end;
	struct statement *s = add(ps, S_GARBAGE);

	while (!at_end(ps) && is_name(*ps->in.p) &&
	    (ps->in.p > begin || is_letter(*begin)))
		ps->in.p++;
	end = ps->in.p;
	if (end == begin || at_end(ps) || strchr(" \t\n=", *end) == NULL ||
	    *end == '\0') {
		if (end != begin && at_end(ps)) {
			/* A name at the end of the file is skipped, too. */
			s->name = must(talloc_strndup(ps->rc, begin,
			    (size_t)(end - begin)));
			return;
		}
		if (end == begin)	/* else only the word is skipped */
			skip_line(ps);
		s->name = must(talloc_strndup(ps->rc, begin,
		    (size_t)(ps->in.p - begin) - (ps->in.p > begin &&
		    ps->in.p[-1] == '\n')));
		return;
	}
	s->name = must(talloc_strndup(ps->rc, begin, (size_t)(end - begin)));
	skip_blanks(ps);
	if (accept(ps, '=')) {
		s->kind = S_ASSIGN;
		s->value = cut(ps, WORDS_VALUE, s, NULL);
	} else
		s->kind = S_UNSET;
}

struct rcfile *
rcfile_parse(TALLOC_CTX *ctx, const char *name, const char *data, size_t len)
{
	struct rcfile *rc = must(talloc_zero(ctx, struct rcfile));
	struct parsing *ps = must(talloc_zero(ctx, struct parsing));

	rc->name = must(talloc_strdup(rc, name));
	rc->data = data;
	rc->len = len;
	ps->rc = rc;
	ps->in = (struct text){ data, data + len };
	ps->counted = ps->line_begin = data;
	ps->line = 1;
	for (;;) {
		while (looks_at(ps, ' ') || looks_at(ps, '\t') ||
		    looks_at(ps, '\n'))
			ps->in.p++;
		if (at_end(ps))
			break;
		if (looks_at(ps, '#'))
			skip_line(ps);
		else if (looks_at(ps, ':'))
			recipe(ps);
		else if (looks_at(ps, '}'))
			closing_brace(ps);
		else
			other(ps);
	}
	while (ps->depth > 0) {
		rc->statement[ps->open[--ps->depth]].past = rc->n;
		rc->statement[ps->open[ps->depth]].open = true;
	}
	talloc_free(ps);
	return rc;
}
