/* SPDX-License-Identifier: ISC */
/*
 * lexer.c - words, quotes and substitutions of an rc file
 */
#include "lda/recipe/lexer.h"

#include <string.h>

#include "maps/base/err.h"

#define NO_CHAR		(-1)		/* the text has ended */

/* The place within a word; the order matters. */
enum mode { NOTHING, BETWEEN, IN_WORD, DOUBLE, SINGLE };

struct reader {
	struct words	*w;
	struct text	*in;
	enum words_mode	 mode;
	const struct expander *x;
	enum mode	 at;
	int		 depth;		/* of ${...} */
	int		 quoted_depth;	/* depth when the " was opened */
	/* Within a ${...} whose text is ignored: */
	bool		 mute;
	int		 mute_depth;
	enum mode	 mute_at;
	char		*mute_value;	/* used in its place; NULL: none */
	bool		 done;
};

static bool
is_name(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z') || c == '_';
}

static void
put(struct reader *r, int c)
{
	char byte = (char)c;

	words_put(r->w, &byte, 1);
}

/* Is nothing to be substituted here? */
static bool
skipping(const struct reader *r)
{
	return r->x == NULL || r->mute || r->w->overflow;
}

static int
next(struct reader *r)
{
	return r->in->p == r->in->end ? NO_CHAR : (unsigned char)*r->in->p++;
}

static int
peek(const struct reader *r)
{
	return r->in->p == r->in->end ? NO_CHAR : (unsigned char)*r->in->p;
}

/* An ordinary character. */
static void
literal(struct reader *r, int c)
{
	put(r, c);
	if (r->at <= BETWEEN)
		r->at = IN_WORD;
}

static void
unclosed(struct reader *r)
{
	r->w->unclosed = true;
	r->done = true;
}

/* Would a } here close a ${...}? */
static bool
in_braces(const struct reader *r)
{
	return (r->at <= IN_WORD && r->depth > 0) ||
	    (r->at == DOUBLE && r->depth > r->quoted_depth);
}

static void
escaped(struct reader *r, int c)
{
	switch (c) {
	case NO_CHAR:
		unclosed(r);
		return;
	case '\n':
		return;			/* the line goes on */
	case '#':
		if (r->at <= BETWEEN) {
			literal(r, c);
			return;
		}
		break;
	case ' ': case '\t': case '\'':
		if (r->at != DOUBLE) {
			literal(r, c);
			return;
		}
		break;
	case '"': case '\\': case '$': case '`':
		literal(r, c);
		return;
	case '}':
		if (in_braces(r)) {
			literal(r, c);
			return;
		}
		if (r->at > IN_WORD)
			put(r, '\\');
		literal(r, c);
		return;
	default:
		if (r->at > IN_WORD)
			put(r, '\\');
		literal(r, c);
		return;
	}
	put(r, '\\');
	literal(r, c);
}

/* A value outside of quotes may become several words. */
static void
put_split(struct reader *r, const char *value)
{
	size_t n;

	while (*value != '\0') {
		n = strcspn(value, " \t\n");
		if (n > 0) {
			words_put(r->w, value, n);
			r->at = IN_WORD;
			value += n;
			continue;
		}
		if (r->at > BETWEEN) {
			put(r, '\0');
			r->at = BETWEEN;
		}
		value++;
	}
}

static void
put_value(struct reader *r, const char *value, bool split)
{
	if (value == NULL)
		value = "";
	if (split && r->at != DOUBLE && r->mode == WORDS_SPLIT) {
		put_split(r, value);
		return;
	}
	words_put(r->w, value, strlen(value));
	if (r->at <= BETWEEN)
		r->at = IN_WORD;
}

/* Read the name of a variable; a longer one than `room` is cut. */
static void
read_name(struct reader *r, char *name, size_t room)
{
	size_t n = 0;

	while (is_name(peek(r))) {
		int c = next(r);

		if (n + 1 < room)
			name[n++] = (char)c;
		else
			r->w->overflow = true;
	}
	name[n] = '\0';
}

static const char *
value_of(const struct reader *r, const char *name)
{
	return skipping(r) ? NULL : r->x->value(r->x->arg, name);
}

/* Ignore the text of this ${...} and use `value` in its place. */
static void
mute(struct reader *r, const char *value)
{
	if (skipping(r))
		return;
	r->mute = true;
	r->mute_depth = r->depth;
	r->mute_at = r->at;
	r->mute_value = value == NULL ? NULL : must(talloc_strdup(r->w->ctx,
	    value));
}

/* ${name}, ${name:-text} and so on: called after the brace. */
static void
braces(struct reader *r)
{
	char name[256];
	const char *value;
	bool colon, set;
	int c;

	read_name(r, name, sizeof(name));
	value = value_of(r, name);
	c = next(r);
	colon = c == ':';
	if (colon)
		c = next(r);
	if ((name[0] >= '0' && name[0] <= '9' && name[1] != '\0') ||
	    (c != '-' && c != '+' && (c != '}' || colon))) {
		if (!skipping(r))
			r->x->bad(r->x->arg, name);
		return;
	}
	if (c == '}') {
		put_value(r, value, true);
		return;
	}
	set = value != NULL && (!colon || *value != '\0');
	if (set == (c == '-'))
		mute(r, value);
	r->depth++;
}

static void
close_brace(struct reader *r)
{
	char *value;

	r->depth--;
	/* Where a value ends must not depend on the variable: the file is cut
	 * into statements before that is known. */
	if (r->mode == WORDS_VALUE && r->at <= BETWEEN)
		r->at = IN_WORD;
	if (!r->mute || r->depth != r->mute_depth)
		return;
	value = r->mute_value;
	r->mute = false;
	r->mute_value = NULL;
	r->at = r->mute_at;
	put_value(r, value, true);
	talloc_free(value);
}

/* $\name: a value that has no special characters in an expression. */
static void
put_disarmed(struct reader *r, const char *value)
{
	words_put(r->w, "()", 2);
	for (; value != NULL && *value != '\0'; value++) {
		if (strchr("(|)*?+.^$[\\", *value) != NULL)
			put(r, '\\');
		put(r, *value);
	}
	if (r->at <= BETWEEN)
		r->at = IN_WORD;
}

static void
lone_dollar(struct reader *r)
{
	literal(r, '$');
}

static void
dollar(struct reader *r)
{
	char name[256];
	int c = next(r);

	switch (c) {
	case NO_CHAR:
		lone_dollar(r);
		return;
	case '@':
		if (r->at != DOUBLE)
			literal(r, '@');
		else if (!skipping(r))
			r->w->args = r->w->len;
		return;
	case '{':
		braces(r);
		return;
	case '$': case '?': case '#': case '=':
		put_value(r, skipping(r) ? NULL : r->x->special(r->x->arg,
		    (char)c), false);
		return;
	case '_': case '-':
		put_value(r, skipping(r) ? NULL : r->x->special(r->x->arg,
		    (char)c), true);
		return;
	case '\\':
		if (is_name(peek(r)) && !(peek(r) >= '0' && peek(r) <= '9')) {
			read_name(r, name, sizeof(name));
			put_disarmed(r, value_of(r, name));
			return;
		}
		lone_dollar(r);
		escaped(r, next(r));
		return;
	default:
		break;
	}
	if (!is_name(c)) {
		lone_dollar(r);
		r->in->p--;
		return;
	}
	if (c >= '0' && c <= '9') {
		name[0] = (char)c;
		name[1] = '\0';
	} else {
		r->in->p--;
		read_name(r, name, sizeof(name));
	}
	put_value(r, value_of(r, name), true);
}

/* Read the command between backquotes.  Returns the character that ended it. */
static int
read_command(struct reader *r, struct words *cmd)
{
	char byte;
	int c;

	for (;;) {
		c = next(r);
		if (c == NO_CHAR || c == '`' || (c == '"' && r->at == DOUBLE))
			return c;
		if (c == '\\') {
			c = next(r);
			if (c == NO_CHAR) {
				r->w->unclosed = true;
				return c;
			}
			if (c == '\n')
				continue;
			if (!(c == '\\' || c == '$' || c == '`' ||
			    (c == '"' && r->at == DOUBLE)))
				words_put(cmd, "\\", 1);
		}
		byte = (char)c;
		words_put(cmd, &byte, 1);
	}
}

static void
backquote(struct reader *r)
{
	struct words cmd, out;
	int ended;

	words_begin(&cmd, r->w->ctx, r->w->limit - r->w->len);
	words_begin(&out, r->w->ctx, r->w->limit);
	ended = read_command(r, &cmd);
	if (cmd.overflow)
		r->w->overflow = true;
	if (!skipping(r))
		r->x->command(r->x->arg, cmd.buf, r->w->limit - r->w->len + 1,
		    &out);
	if (r->at == DOUBLE) {
		words_put(r->w, out.buf, strlen(out.buf));
		if (ended == '"')
			r->at = IN_WORD;
	} else
		put_value(r, out.buf, true);
	talloc_free(cmd.buf);
	talloc_free(out.buf);
}

static void
quote(struct reader *r, int c)
{
	enum mode mine = c == '"' ? DOUBLE : SINGLE;

	if (r->at == mine) {
		if (c == '"' && r->quoted_depth < r->depth)
			literal(r, c);		/* within ${...} */
		else
			r->at = IN_WORD;
		return;
	}
	if (r->at > IN_WORD) {		/* within the other quote */
		literal(r, c);
		return;
	}
	if (c == '"')
		r->quoted_depth = r->depth;
	r->at = mine;
}

static void
blank(struct reader *r, int c)
{
	if (r->at > IN_WORD)
		literal(r, c);
	else if (r->at == IN_WORD && r->mode == WORDS_VALUE)
		r->done = true;
	else if (r->at == IN_WORD) {
		put(r, r->mode == WORDS_SPLIT ? '\0' : ' ');
		r->at = BETWEEN;
	}
}

static void
one(struct reader *r)
{
	int c = next(r);

	if (c == NO_CHAR) {
		if (r->at > IN_WORD && r->mode != WORDS_LINE)
			r->w->unclosed = true;
		r->done = true;
	} else if (r->at == SINGLE && c != '\'')
		literal(r, c);
	else if (c == '\\')
		escaped(r, next(r));
	else if (c == '`')
		backquote(r);
	else if (c == '"' || c == '\'')
		quote(r, c);
	else if (c == '}' && in_braces(r))
		close_brace(r);
	else if (c == '#' && r->at <= BETWEEN) {
		while (c != NO_CHAR && c != '\n')
			c = next(r);
		r->done = true;
	} else if (c == '$')
		dollar(r);
	else if (c == ' ' || c == '\t')
		blank(r, c);
	else if (c == '\n' && r->at <= IN_WORD)
		r->done = true;
	else
		literal(r, c);
}

bool
lexer_read(struct words *w, struct text *in, enum words_mode mode,
    const struct expander *x)
{
	struct reader r = { .w = w, .in = in, .mode = mode, .x = x };
	size_t muted_from = 0;
	bool was_mute = false;

	while (!r.done) {
		one(&r);
		/* Remove what an ignored ${...} has put. */
		if (r.mute && !was_mute)
			muted_from = w->len;
		was_mute = r.mute;
		if (r.mute && w->len > muted_from) {
			w->len = muted_from;
			w->buf[w->len] = '\0';
		}
	}
	talloc_free(r.mute_value);
	if (r.at != BETWEEN || mode != WORDS_SPLIT) {
		if (w->len == w->limit)
			w->limit++;	/* for the last NUL */
		put(&r, '\0');
	}
	return !w->overflow;
}
