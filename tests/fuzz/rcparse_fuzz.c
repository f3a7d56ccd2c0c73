/* SPDX-License-Identifier: ISC */
/*
 * rcparse_fuzz.c - any bytes are an rc file: its words and statements
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lda/recipe/parser.h"
#include "maps/base/err.h"

#define LIMIT	300			/* a LINEBUF that is soon too short */

int		LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *
value(void *arg, const char *name)
{
	(void)arg;
	return strlen(name) % 3 == 0 ? NULL : strlen(name) % 3 == 1 ? "" :
	    " two words ";
}

static const char *
special(void *arg, char which)
{
	(void)arg;
	(void)which;
	return "7";
}

static void
command(void *arg, const char *text, size_t most, struct words *to)
{
	(void)arg;
	words_put(to, text, strnlen(text, most));
}

static void
bad(void *arg, const char *name)
{
	(void)arg;
	if (strlen(name) > 255)
		abort();
}

static void
check_words(struct text in, enum words_mode mode)
{
	const struct expander x = { NULL, value, special, command, bad };
	struct words w, skip;
	struct text other = in;
	const char *word, *begin = in.p;
	size_t n = 0;

	words_begin(&w, NULL, LIMIT);
	words_begin(&skip, NULL, (size_t)1 << 40);
	(void)lexer_read(&w, &in, mode, &x);
	(void)lexer_read(&skip, &other, mode, NULL);
	/*
	 * The reading that cuts a file into pieces and the one that substitutes
	 * end at one place.  Exceptions: a `#` is a comment or not by whether a
	 * value has begun a word; and a `"` ends backquotes within ${...}.
	 */
	if (in.p > in.end || other.p > in.end)
		abort();
	if (memchr(begin, '#', (size_t)(in.end - begin)) == NULL &&
	    memchr(begin, '`', (size_t)(in.end - begin)) == NULL &&
	    in.p != other.p)
		abort();
	if (w.len > LIMIT + 1 || w.buf[w.len] != '\0')
		abort();
	for (word = words_next(&w, NULL); word != NULL;
	    word = words_next(&w, word))
		n++;
	if (n != words_count(&w))
		abort();
	talloc_free(w.buf);
	talloc_free(skip.buf);
}

static void
check_statement(const struct rcfile *rc, size_t i)
{
	const struct statement *s = &rc->statement[i];

	if (s->line == 0 || s->column == 0)
		abort();
	/* Forward, always: or a run would never end. */
	if (s->kind == S_RECIPE && s->action == ACTION_BLOCK && !s->missing &&
	    (s->past <= i || s->past > rc->n))
		abort();
	if (s->kind == S_ASSIGN)
		check_words(s->value, WORDS_VALUE);
	if (s->kind == S_RECIPE && !s->missing) {
		check_words(s->head, WORDS_SPLIT);
		if (s->action == ACTION_FOLDER || s->action == ACTION_FORWARD)
			check_words(s->text, WORDS_SPLIT);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = must(talloc_size(NULL, size + 1));
	struct rcfile *rc;
	size_t i;

	memcpy(copy, data, size);
	rc = rcfile_parse(copy, "fuzz", copy, size);
	for (i = 0; i < rc->n; i++)
		check_statement(rc, i);
	check_words((struct text){ copy, copy + size }, WORDS_LINE);
	talloc_free(copy);
	return 0;
}
