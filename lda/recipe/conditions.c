/* SPDX-License-Identifier: ISC */
/*
 * conditions.c - does a recipe apply?
 */
#include "lda/recipe/conditions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lda/recipe/engine.h"
#include "lda/recipe/expand.h"
#include "lda/recipe/expression.h"
#include "lda/recipe/pipes.h"
#include "lda/recipe/regex.h"
#include "lda/recipe/scoring.h"

struct condition {
	struct engine	*e;
	unsigned	 flags;		/* of the recipe */
	const char	*area;		/* what is searched */
	size_t		 len;
	size_t		 size;		/* bytes: what < and > compare */
	bool		 negate;
	bool		 weighted;
	struct weight	 weight;
	double		*score;
	const char	*shown;		/* its text for VERBOSE; NULL */
	bool		 holds;
};

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

static const char *
skip(const char *p)
{
	return p + strspn(p, " \t");
}

static void
set_match(struct engine *e, const char *data, size_t len)
{
	vars_set_bytes(e->vars, "MATCH", data, len);
	rclog_verbose(&e->log, "Matched", vars_text(e->vars, "MATCH"));
}

/* Set MATCH.  Returns the end of the match: the extract is the longest one,
 * while the shortest match ends at `end`. */
static ssize_t
extract_from(struct condition *c, struct regex *re, size_t at, ssize_t end)
{
	ssize_t start, longest;

	if (!regex_extract(re, c->area, c->len, at, &start, &longest) ||
	    start < 0)
		return end;
	set_match(c->e, c->area + start, (size_t)(longest - start));
	return longest > end ? longest : end;
}

/* Add the points of all matches; the last one leaves MATCH. */
static void
add_matches(struct condition *c, struct regex *re)
{
	struct series points = scoring_series(c->weight, c->score);
	size_t at = 0;
	ssize_t end;

	while (scoring_goes_on(&points) && at <= c->len) {
		end = regex_search(re, c->area, c->len, at);
		if (end == REGEX_NO_MATCH)
			return;
		if (regex_extracts(re))
			end = extract_from(c, re, at, end);
		if (!scoring_match(&points, end <= (ssize_t)at))
			return;
		at = (size_t)end;
	}
}

static bool
matches(struct condition *c, struct regex *re)
{
	ssize_t start, end;

	if (!regex_extracts(re))
		return regex_search(re, c->area, c->len, 0) != REGEX_NO_MATCH;
	if (!regex_extract(re, c->area, c->len, 0, &start, &end))
		return false;
	if (start >= 0)
		set_match(c->e, c->area + start, (size_t)(end - start));
	return true;
}

static void
by_regex(struct condition *c, const char *text, bool quoted)
{
	bool no_case = (c->flags & FLAG_D) == 0, broken = false;
	char *expr = expression_text(c->e->ctx, text, quoted, &no_case);
	struct regex *re;

	c->shown = expr;
	if (*expr == '\0' && !c->weighted) {
		c->holds = !c->negate;
		return;
	}
	if (strlen(expr) > LINEBUF_MOST) {	/* macros are long */
		expand_overflowed(c->e);
		c->holds = false;
		return;
	}
	re = regex_compile(c->e->ctx, expr, no_case, &broken);
	if (broken)
		rclog_say_of(&c->e->log, "Invalid regexp", expr);
	if (!c->weighted)
		c->holds = matches(c, re) != c->negate;
	else if (!c->negate)
		add_matches(c, re);
	else if (c->weight.w != 0 && !matches(c, re))
		*c->score += c->weight.w;
	talloc_free(re);
}

static void
by_program(struct condition *c, const char *text)
{
	struct part in = { c->area, c->len, false };
	struct engine *e = c->e;
	struct program p;
	int code;

	expand_command(e, text, &p);
	c->shown = p.words.buf;
	(void)pipes_deliver(e, &p, &in, WAIT_QUIET, true, false);
	code = e->special.code;
	if (!c->weighted || code < 0)
		c->holds = (code == 0) != c->negate;
	else
		scoring_program(c->weight, code, c->negate, c->score);
}

static void
by_size(struct condition *c, const char *text)
{
	struct engine *e = c->e;
	bool less = *text == '<';
	struct words w;
	char *end;
	long limit;

	words_begin(&w, e->ctx, e->linebuf);
	if (!expand(e, &w, text, strlen(text), WORDS_LINE)) {
		c->holds = false;
		return;
	}
	c->shown = w.buf;
	limit = strtol(w.buf + 1, &end, 10);
	if (*skip(end) != '\0')
		rclog_say_of(&e->log, "Skipped", skip(end));
	if (c->weighted)
		c->holds = scoring_size(c->weight, c->size, limit,
		    less != c->negate, c->score);
	else
		c->holds = (less ? (long)c->size < limit :
		    (long)c->size > limit) != c->negate;
}

/* `name ??`: search another area.  Returns the rest; NULL: there is none. */
static const char *
area_of(struct condition *c, const char *p)
{
	struct mail *m = c->e->mail;
	const char *end = p;
	char *name;

	if (!is_letter(*p))
		return NULL;
	while (is_name(*end))
		end++;
	if (strncmp(skip(end), "??", 2) != 0)
		return NULL;
	name = must(talloc_strndup(c->e->ctx, p, (size_t)(end - p)));
	if (strcmp(name, "B") == 0) {
		c->area = m->b.p + m->body;
		c->len = m->b.len - m->body;
	} else if (strcmp(name, "H") == 0 || strcmp(name, "HB") == 0 ||
	    strcmp(name, "BH") == 0) {
		mail_unfold(m, true);
		c->area = m->b.p;
		c->len = name[1] == '\0' ? m->body : m->b.len;
	} else {
		/* A copy, as MATCH may be searched and set. */
		c->area = must(talloc_strdup(c->e->ctx,
		    vars_text(c->e->vars, name)));
		c->len = strlen(c->area);
	}
	c->size = c->len;
	talloc_free(name);
	return skip(skip(end) + 2);
}

/* `$`: substitute as between double quotes; evaluate() reads the result. */
static const char *
substituted(struct condition *c, const char *p)
{
	char *line = must(talloc_asprintf(c->e->ctx, "\"%s",
	    expression_joined(c->e->ctx, p)));
	struct words w;

	words_begin(&w, c->e->ctx, c->e->linebuf);
	if (!expand(c->e, &w, line, strlen(line), WORDS_LINE)) {
		c->holds = false;
		return NULL;
	}
	return skip(w.buf);
}

/* Evaluate prefixes, one after another, then the condition. */
static void
evaluate(struct condition *c, const char *p)
{
	const char *rest;

	for (;;) {
		rest = scoring_weight(p, &c->weight);
		if (rest != NULL) {
			if (*c->score >= SCORE_MAX)
				return;
			c->weighted = true;
			p = rest;
			continue;
		}
		rest = area_of(c, p);
		if (rest != NULL) {
			p = rest;
			continue;
		}
		switch (*p) {
		case '!':
			c->negate = !c->negate;
			p = skip(p + 1);
			continue;
		case '$':
			p = substituted(c, p + 1);
			if (p == NULL)
				return;
			continue;
		case '?':
			by_program(c, p + 1);
			return;
		case '<': case '>':
			by_size(c, p);
			return;
		case '\\':
			by_regex(c, p + 1, true);
			return;
		default:
			by_regex(c, p, false);
			return;
		}
	}
}

static void
log_result(struct condition *c, double before)
{
	char number[64], *line;
	double added;

	if (c->e->log.verbose == 0 || c->shown == NULL)
		return;
	if (c->weighted) {
		added = *c->score - before;
		(void)snprintf(number, sizeof(number), "Score: %7ld %7ld%s",
		    (long)added, (long)*c->score, c->negate ? " !" : "");
		rclog_say_of(&c->e->log, number, c->shown);
		return;
	}
	line = must(talloc_asprintf(c->e->ctx, "%s on%s",
	    c->holds ? "Match" : "No match", c->negate ? " !" : ""));
	rclog_say_of(&c->e->log, line, c->shown);
	talloc_free(line);
}

static bool
one(struct engine *e, const char *text, unsigned flags, bool *scored,
    double *score)
{
	struct mail *m = e->mail;
	struct condition c = { .e = e, .flags = flags, .score = score,
	    .holds = true, .size = m->b.len, .area = m->b.p };
	double before = *score;
	size_t len = strlen(text);
	char *line;

	if (len >= e->linebuf) {
		expand_overflowed(e);
		return false;
	}
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	line = must(talloc_strndup(e->ctx, text, len));
	c.len = (flags & FLAG_B) != 0 ? m->b.len : m->body;
	if ((flags & (FLAG_B | FLAG_H)) == FLAG_B) {
		c.area += m->body;
		c.len -= m->body;
	}
	evaluate(&c, line);
	*scored = *scored || c.weighted;
	if (!scoring_limit(score))
		c.holds = false;
	log_result(&c, before);
	return c.holds;
}

bool
conditions_hold(struct engine *e, const struct statement *s, unsigned flags,
    bool tried)
{
	TALLOC_CTX *outer = e->ctx, *mine;
	bool scored = false, holds = tried;
	double score = 0;
	size_t i;

	if ((flags & (FLAG_B | FLAG_H)) != FLAG_B)
		mail_unfold(e->mail, true);
	for (i = 0; holds && s->condition != NULL && s->condition[i] != NULL &&
	    !e->end.stop; i++) {
		/* What a condition has allocated is freed with it. */
		mine = must(talloc_new(outer));
		e->ctx = mine;
		holds = one(e, s->condition[i], flags, &scored, &score);
		e->ctx = outer;
		talloc_free(mine);
	}
	e->special.score = (long)score;
	if (e->special.score == 0 && score > 0)
		e->special.score = 1;
	return holds && !(scored && score <= 0);
}
