/* SPDX-License-Identifier: ISC */
/*
 * expand.c - what a `$` and a backquote stand for
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lda/recipe/engine.h"

static const char *
value(void *arg, const char *name)
{
	struct engine *e = arg;
	size_t n;

	if (*name < '0' || *name > '9')
		return vars_get(e->vars, name);
	n = (size_t)(*name - '0');
	if (n == 0)
		return "procmail";
	return n <= e->nargs ? e->args[n - 1] : NULL;
}

static const char *
special(void *arg, char which)
{
	static char number[24];
	struct engine *e = arg;
	long n = 0;

	switch (which) {
	case '_':
		return e->nframe == 0 ? "" : e->frame[e->nframe - 1].rc->name;
	case '-':
		return vars_text(e->vars, "LASTFOLDER");
	case '$':
		n = (long)getpid();
		break;
	case '?':
		n = e->code;
		break;
	case '#':
		n = (long)e->nargs;
		break;
	case '=':
		n = e->score;
		break;
	default:
		break;
	}
	(void)snprintf(number, sizeof(number), "%ld", n);
	return number;
}

static void
command(void *arg, const char *text, size_t most, struct words *to)
{
	program_output(arg, text, most, to);
}

static void
bad(void *arg, const char *name)
{
	diag_of(arg, "Bad substitution of", name);
}

struct expander
expander_of(struct engine *e)
{
	return (struct expander){ e, value, special, command, bad };
}

bool
expand(struct engine *e, struct words *w, const char *text, size_t len,
    enum words_mode mode)
{
	struct text in = { text, text + len };
	struct expander x = expander_of(e);
	bool ok = lexer_read(w, &in, mode, &x);

	if (w->unclosed)
		diag(e, "Unexpected EOL");
	if (!ok)
		overflowed(e);
	return ok;
}
