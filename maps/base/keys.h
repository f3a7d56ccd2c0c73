/* SPDX-License-Identifier: ISC */
/*
 * keys.h - `key = value` lines as in main.cf, and the nearest key to a wrong
 * one
 *
 * Blanks around `=` do not count, a line that begins with `#` is a comment, a
 * line that begins with a blank goes on the one before.
 */
#ifndef MAPS_BASE_KEYS_H
#define MAPS_BASE_KEYS_H

#include <stdbool.h>
#include <talloc.h>

#include "maps/base/err.h"

struct keys {
	const char	*path;		/* the file, for messages */
	int		 line;		/* where the present key stands */
	struct err	*err;
};

/* One key; name and value lie in the text and live as long. */
typedef enum status key_fn(const struct keys *, const char *name,
		    const char *value, void *arg);

/*
 * Read a text, which is cut in place; lines that go on are talloc children of
 * ctx.
 * ST_NEVER  what fn said, or a line is no such line.
 */
enum status	keys_each(TALLOC_CTX *ctx, struct keys *keys, char *text,
		    key_fn *fn, void *arg) MUST_CHECK;

/* `FILE, line N: NAME: WHAT`; returns ST_NEVER. */
enum status	keys_bad(const struct keys *keys, const char *name,
		    const char *what);

/*
 * The key is not known: the error names the nearest one.
 * name_at  the i-th name there is, NULL past the end.
 */
enum status	keys_unknown(const struct keys *keys, const char *name,
		    const char *(*name_at)(size_t i));

#endif
