/* SPDX-License-Identifier: ISC */
/*
 * expand.c - what a `$` and a backquote stand for, and commands
 */
#include "lda/recipe/expand.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lda/recipe/engine.h"
#include "lda/recipe/rcfiles.h"

static const char *
value(void *arg, const char *name)
{
	const struct engine *e = arg;
	const struct specials *s = &e->special;
	size_t n;

	if (*name < '0' || *name > '9')
		return vars_get(e->vars, name);
	n = (size_t)(*name - '0');
	if (n == 0)
		return "procmail";
	return n <= s->narg ? s->arg[n - 1] : NULL;
}

static const char *
special(void *arg, char which)
{
	static char number[24];
	const struct engine *e = arg;
	long n = 0;

	switch (which) {
	case '_':
		return rcfiles_name(e);
	case '-':
		return vars_text(e->vars, "LASTFOLDER");
	case '$':
		n = (long)getpid();
		break;
	case '?':
		n = e->special.code;
		break;
	case '#':
		n = (long)e->special.narg;
		break;
	case '=':
		n = e->special.score;
		break;
	default:
		break;
	}
	(void)snprintf(number, sizeof(number), "%ld", n);
	return number;
}

/* Between backquotes: the whole message is the input, and LFs at the end of the
 * output are left out. */
static void
command(void *arg, const char *text, size_t most, struct words *to)
{
	struct bytes out = { NULL, 0, 0 };
	struct engine *e = arg;
	struct child_end end;
	struct program p;
	struct part in;

	expand_command(e, text, &p);
	in = mail_whole(e->mail);
	child_run(e, &p, &in, &out, false, true, &end);
	if (end.waited)
		e->special.code = end.code & 0xff;
	if (out.len > most) {
		out.len = most;
		rclog_say_of(&e->log, "Excessive output quenched from",
		    p.words.buf);
		vars_set(e->vars, "PROCMAIL_OVERFLOW", "yes");
	} else
		while (out.len > 0 && out.p[out.len - 1] == '\n')
			out.len--;
	if (out.len > 0)
		words_put(to, out.p, strnlen(out.p, out.len));
	bytes_free(&out);
	talloc_free(p.words.buf);
}

static void
bad(void *arg, const char *name)
{
	struct engine *e = arg;

	rclog_say_of(&e->log, "Bad substitution of", name);
}

void
expand_overflowed(struct engine *e)
{
	rclog_say(&e->log, "Exceeded LINEBUF");
	vars_set(e->vars, "PROCMAIL_OVERFLOW", "yes");
}

bool
expand(struct engine *e, struct words *w, const char *text, size_t len,
    enum words_mode mode)
{
	const struct expander x = { e, value, special, command, bad };
	struct text in = { text, text + len };
	bool ok = lexer_read(w, &in, mode, &x);

	if (w->unclosed)
		rclog_say(&e->log, "Unexpected EOL");
	if (!ok)
		expand_overflowed(e);
	return ok;
}

void
expand_command(struct engine *e, const char *line, struct program *p)
{
	p->shell = strpbrk(line, e->programs.shellmetas) != NULL;
	words_begin(&p->words, e->ctx, e->linebuf);
	if (!p->shell) {
		p->shell = !expand(e, &p->words, line, strlen(line),
		    WORDS_SPLIT) || strcmp(p->words.buf, "test") == 0;
		if (!p->shell)
			return;
		words_begin(&p->words, e->ctx, e->linebuf);
	}
	words_put(&p->words, line, strlen(line) + 1);
}
