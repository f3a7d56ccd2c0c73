/* SPDX-License-Identifier: ISC */
/*
 * words.c - a list of words in one buffer, no longer than LINEBUF
 */
#include "lda/recipe/words.h"

#include <string.h>

#include "maps/base/err.h"

void
words_begin(struct words *w, TALLOC_CTX *ctx, size_t limit)
{
	*w = (struct words){ .ctx = ctx, .limit = limit,
	    .args = WORDS_NO_ARGS };
	w->room = 256;
	w->buf = must(talloc_size(ctx, w->room));
	w->buf[0] = '\0';
}

void
words_put(struct words *w, const char *data, size_t len)
{
	if (len > w->limit - w->len) {
		len = w->limit - w->len;
		w->overflow = true;
	}
	if (w->len + len + 1 > w->room) {
		while (w->len + len + 1 > w->room)
			w->room *= 2;
		w->buf = must(talloc_realloc_size(w->ctx, w->buf, w->room));
	}
	memcpy(w->buf + w->len, data, len);
	w->len += len;
	w->buf[w->len] = '\0';
}

const char *
words_next(const struct words *w, const char *word)
{
	word = word == NULL ? w->buf : word + strlen(word) + 1;
	return word < w->buf + w->len ? word : NULL;
}

size_t
words_count(const struct words *w)
{
	const char *p;
	size_t n = 0;

	for (p = words_next(w, NULL); p != NULL; p = words_next(w, p))
		n++;
	return n;
}

char *
words_join(TALLOC_CTX *ctx, const struct words *w, const char *from)
{
	const char *word;
	char *text, *end;
	size_t len = 1;

	for (word = from; word != NULL; word = words_next(w, word))
		len += strlen(word) + 1;
	text = end = must(talloc_size(ctx, len));
	*end = '\0';
	for (word = from; word != NULL; word = words_next(w, word)) {
		if (word != from)
			*end++ = ' ';
		end = stpcpy(end, word);
	}
	return text;
}
