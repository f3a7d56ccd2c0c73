/* SPDX-License-Identifier: ISC */
/*
 * keys.h - `key = value` lines as in main.cf, and the nearest known key
 *
 * Blanks around `=` do not count.  A line that begins with `#` is a comment;
 * one that begins with a blank continues the line before.
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
 * Read a text, which is cut in place; continued lines are talloc children of
 * ctx.
 * ST_NEVER  from fn, or a line of another form.
 */
enum status	keys_each(TALLOC_CTX *ctx, struct keys *keys, char *text,
		    key_fn *fn, void *arg) MUST_CHECK;

/* `FILE, line N: NAME: WHAT`; returns ST_NEVER. */
enum status	keys_bad(const struct keys *keys, const char *name,
		    const char *what);

/*
 * Report an unknown key, with the nearest one that is known; ST_NEVER.
 * name_at  the i-th known name, NULL past the end.
 */
enum status	keys_unknown(const struct keys *keys, const char *name,
		    const char *(*name_at)(size_t i));

#endif
