/* SPDX-License-Identifier: ISC */
/*
 * conditions.c - does a recipe apply?  Conditions, and weighted scores
 *
 * Source: procmailrc(5), procmailsc(5); procmail 3.22 by what it does.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lda/recipe/engine.h"
#include "lda/recipe/macros.h"
#include "lda/recipe/regex.h"

#define SCORE_MAX	2147483647.0

struct condition {
	struct engine	*e;
	unsigned	 flags;
	const char	*area;		/* what is searched */
	size_t		 len;
	size_t		 size;		/* what < and > compare */
	bool		 negate;
	bool		 weighted;
	double		 weight, exponent;
	double		*score;
	const char	*shown;		/* what is told of it */
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

/* Lines that go on become one: backslash and LF go, and blanks that follow an LF. */
static char *
squeeze(TALLOC_CTX *ctx, const char *text)
{
	char *out = must(talloc_size(ctx, strlen(text) + 1)), *to = out;
	bool line_begins = false;

	for (; *text != '\0'; text++) {
		if (*text == '\\' && text[1] == '\n') {
			text++;
			line_begins = true;
		} else if (line_begins && (*text == ' ' || *text == '\t'))
			continue;
		else {
			line_begins = *text == '\n';
			*to++ = *text;
		}
	}
	*to = '\0';
	return out;
}

/* Put in what a macro stands for, as far as the first one behind a backslash (quoted:
 * before the whole). */
static char *
with_macro(TALLOC_CTX *ctx, const char *expr, const struct macro *macro,
    bool quoted, bool *no_case)
{
	size_t name = strlen(macro->name), len = strlen(macro->expr), n = 0;
	const char *hit, *end = expr;
	char *out, *to;

	while ((hit = strstr(end, macro->name)) != NULL &&
	    !(hit > expr ? hit[-1] == '\\' : quoted)) {
		n++;
		end = hit + name;
	}
	*no_case = *no_case || (n > 0 && macro->no_case);
	out = to = must(talloc_size(ctx, strlen(expr) + n * len + 1));
	for (; n > 0; n--) {
		hit = strstr(expr, macro->name);
		to = mempcpy(mempcpy(to, expr, (size_t)(hit - expr)),
		    macro->expr, len);
		expr = hit + name;
	}
	memcpy(to, expr, strlen(expr) + 1);
	return out;
}

/* The same with all of them.  FROM_DAEMON knows no case. */
static char *
with_macros(TALLOC_CTX *ctx, char *expr, bool quoted, bool *no_case)
{
	size_t i;

	for (i = 0; i < MACROS; i++)
		if (strstr(expr, macros[i].name) != NULL)
			expr = with_macro(ctx, expr, &macros[i], quoted, no_case);
	return expr;
}

static void
set_match(struct engine *e, const char *data, size_t len)
{
	vars_set_bytes(e->vars, "MATCH", data, len);
	chat(e, "Matched", vars_text(e->vars, "MATCH"));
}

/* What is extracted is as long as it goes, and so then is the match; `end` is where
 * the shortest one ends. */
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

/* Every match adds to the score, each by its exponent more or less; the last one
 * leaves MATCH. */
static void
add_matches(struct condition *c, struct regex *re)
{
	double weight = c->weight, square = weight * weight, next;
	size_t at = 0;
	ssize_t end;

	while (weight != 0 && *c->score > -SCORE_MAX && *c->score < SCORE_MAX &&
	    at <= c->len) {
		end = regex_search(re, c->area, c->len, at);
		if (end == REGEX_NO_MATCH)
			return;
		if (regex_extracts(re))
			end = extract_from(c, re, at, end);
		*c->score += weight;
		weight *= c->exponent;
		if (end <= (ssize_t)at) {	/* of nothing, for ever */
			if (c->exponent > 0 && c->exponent < 1)
				*c->score += weight / (1 - c->exponent);
			else if (c->exponent >= 1 && weight != 0)
				*c->score += weight < 0 ? -SCORE_MAX : SCORE_MAX;
			return;
		}
		next = weight * weight;
		if (next < square && square < 1)
			return;		/* too little to count */
		square = next;
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
	char *expr = with_macros(c->e->ctx, squeeze(c->e->ctx, text), quoted,
	    &no_case);
	struct regex *re;

	c->shown = expr;
	if (*expr == '\0' && !c->weighted) {
		c->holds = !c->negate;
		return;
	}
	if (strlen(expr) > LINEBUF_MOST) {	/* of macros, which are long */
		overflowed(c->e);
		c->holds = false;
		return;
	}
	re = regex_compile(c->e->ctx, expr, no_case, &broken);
	if (broken)
		diag_of(c->e, "Invalid regexp", expr);
	if (!c->weighted)
		c->holds = matches(c, re) != c->negate;
	else if (!c->negate)
		add_matches(c, re);
	else if (c->weight != 0 && !matches(c, re))
		*c->score += c->weight;
	talloc_free(re);
}

static void
by_program(struct condition *c, const char *text)
{
	struct piece in = { c->area, c->len, false };
	struct engine *e = c->e;
	struct program p;
	int n;

	program_parse(e, text, &p);
	c->shown = p.words.buf;
	(void)program_deliver(e, &p, &in, WAIT_QUIET, true, false);
	if (!c->weighted || e->code < 0)
		c->holds = (e->code == 0) != c->negate;
	else if (!c->negate)
		*c->score += e->code == 0 ? c->weight : c->exponent;
	else
		for (n = e->code; n > 0; n--) {
			*c->score += c->weight;
			if (*c->score >= SCORE_MAX || *c->score <= -SCORE_MAX)
				break;
			c->weight *= c->exponent;
		}
}

static void
by_size(struct condition *c, const char *text)
{
	struct engine *e = c->e;
	struct words w;
	double ratio;
	char *end;
	long limit;
	bool less;

	words_begin(&w, e->ctx, e->linebuf);
	if (!expand(e, &w, text, strlen(text), WORDS_LINE)) {
		c->holds = false;
		return;
	}
	c->shown = w.buf;
	less = *text == '<';
	limit = strtol(w.buf + 1, &end, 10);
	if (*skip(end) != '\0')
		diag_of(e, "Skipped", skip(end));
	if (!c->weighted) {
		c->holds = (less ? (long)c->size < limit :
		    (long)c->size > limit) != c->negate;
		return;
	}
	if (less != c->negate) {
		if (c->size == 0) {
			*c->score = limit > 0 ? SCORE_MAX : -SCORE_MAX;
			c->holds = limit > 0;
			return;
		}
		ratio = (double)limit / (double)c->size;
	} else if (limit == 0) {
		*c->score = SCORE_MAX;
		return;
	} else
		ratio = (double)c->size / (double)limit;
	*c->score += c->weight * pow(ratio, c->exponent);
}

/* `w^x` before a condition.  NULL: it is none. */
static const char *
weight_of(struct condition *c, const char *p)
{
	double w, x;
	char *end;

	if (strchr("0123456789-+.,", *p) == NULL || *p == '\0')
		return NULL;
	w = strtod(p, &end);
	if (end == p || *skip(end) != '^')
		return NULL;
	p = skip(end) + 1;
	x = strtod(p, &end);
	if (end == p)
		return NULL;
	c->weight = w;
	c->exponent = x;
	return skip(end);
}

/* `name ??`: another area.  NULL: it is none. */
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
		/* A copy: MATCH may be searched and set. */
		c->area = must(talloc_strdup(c->e->ctx,
		    vars_text(c->e->vars, name)));
		c->len = strlen(c->area);
	}
	c->size = c->len;
	talloc_free(name);
	return skip(skip(end) + 2);
}

/* `$`: as between double quotes; what comes out is read anew. */
static const char *
substituted(struct condition *c, const char *p)
{
	char *line = must(talloc_asprintf(c->e->ctx, "\"%s",
	    squeeze(c->e->ctx, p)));
	struct words w;

	words_begin(&w, c->e->ctx, c->e->linebuf);
	if (!expand(c->e, &w, line, strlen(line), WORDS_LINE)) {
		c->holds = false;
		return NULL;
	}
	return skip(w.buf);
}

/* What kind is it?  Prefixes one after another, then the condition. */
static void
evaluate(struct condition *c, const char *p)
{
	const char *rest;

	for (;;) {
		rest = weight_of(c, p);
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
tell(struct condition *c, double before)
{
	char number[64], *line;
	double added;

	if (c->e->set.verbose == 0 || c->shown == NULL)
		return;
	if (c->weighted) {
		added = *c->score - before;
		(void)snprintf(number, sizeof(number), "Score: %7ld %7ld%s",
		    (long)added, (long)*c->score, c->negate ? " !" : "");
		diag_of(c->e, number, c->shown);
		return;
	}
	line = must(talloc_asprintf(c->e->ctx, "%s on%s",
	    c->holds ? "Match" : "No match", c->negate ? " !" : ""));
	diag_of(c->e, line, c->shown);
	talloc_free(line);
}

static bool
one(struct engine *e, const char *text, unsigned flags, bool *scored,
    double *score)
{
	struct mail *m = e->mail;
	struct condition c = { .e = e, .flags = flags, .score = score,
	    .holds = true, .size = m->b.len };
	double before = *score;
	size_t len = strlen(text);
	char *line;

	if (len >= e->linebuf) {
		overflowed(e);
		return false;
	}
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	line = must(talloc_strndup(e->ctx, text, len));
	c.area = m->b.p;
	c.len = m->body;
	if ((flags & FLAG_B) != 0) {
		if ((flags & FLAG_H) != 0)
			c.len = m->b.len;
		else {
			c.area = m->b.p + m->body;
			c.len = m->b.len - m->body;
		}
	}
	evaluate(&c, line);
	*scored = *scored || c.weighted;
	if (*score > SCORE_MAX)
		*score = SCORE_MAX;
	if (*score <= -SCORE_MAX) {
		*score = -SCORE_MAX;
		c.holds = false;
	}
	tell(&c, before);
	return c.holds;
}

/* tried: the flags let the recipe be tried at all. */
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
	    !e->stop; i++) {
		/* What a condition needs is gone with it. */
		mine = must(talloc_new(outer));
		e->ctx = mine;
		holds = one(e, s->condition[i], flags, &scored, &score);
		e->ctx = outer;
		talloc_free(mine);
	}
	e->score = (long)score;
	if (e->score == 0 && score > 0)
		e->score = 1;
	return holds && !(scored && score <= 0);
}
