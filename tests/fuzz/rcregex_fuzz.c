/* SPDX-License-Identifier: ISC */
/*
 * rcregex_fuzz.c - an expression (the first line) and a text: both walks agree
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lda/recipe/regex.h"

int		LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const char *expr, const char *text, size_t len, bool fold)
{
	bool broken = false;
	struct regex *re = regex_compile(NULL, expr, fold, &broken);
	ssize_t end, next, from, to;
	size_t at = 0;
	bool found;
	int n;

	end = regex_search(re, text, len, 0);
	if (end < REGEX_NO_MATCH || end > (ssize_t)len + 1)
		abort();
	found = regex_extract(re, text, len, 0, &from, &to);
	if (found != (end != REGEX_NO_MATCH))
		abort();
	if (found && from != -1 && (from < 0 || to < from ||
	    to > (ssize_t)len))
		abort();
	/* As scores are counted. */
	for (n = 0; n < 20 && at <= len; n++) {
		next = regex_search(re, text, len, at);
		found = regex_extract(re, text, len, at, &from, &to);
		if (found != (next != REGEX_NO_MATCH))
			abort();
		if (found && from != -1 && (from < (ssize_t)at - 1 ||
		    to < from || to > (ssize_t)len))
			abort();
		if (next == REGEX_NO_MATCH || next <= (ssize_t)at)
			break;
		at = (size_t)next;
	}
	/* A second time from what was kept of the first. */
	if (regex_search(re, text, len, 0) != end)
		abort();
	talloc_free(re);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *lf = size == 0 ? NULL : memchr(data, '\n', size);
	size_t len = lf == NULL ? size : (size_t)(lf - (const char *)data);
	char *expr = must(talloc_strndup(NULL, (const char *)data, len));
	const char *text = lf == NULL ? "" : lf + 1;

	size = lf == NULL ? 0 : size - len - 1;
	check(expr, text, size, false);
	check(expr, text, size, true);
	talloc_free(expr);
	return 0;
}
