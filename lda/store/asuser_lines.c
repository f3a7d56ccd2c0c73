/* SPDX-License-Identifier: ISC */
/*
 * asuser_lines.c - the lines of a worker, taken from the bytes of its pipe
 */
#include "lda/store/asuser_lines.h"

#include <string.h>

static void
take_outcome(struct worker_lines *in, const char *line)
{
	static const enum status all[] = { ST_OK, ST_NONE, ST_AGAIN, ST_NEVER };
	const char *name;
	size_t i, len;

	in->ended = true;
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		name = status_name(all[i]);
		len = strlen(name);
		if (strncmp(line, name, len) != 0 || line[len] != ' ')
			continue;
		in->said = true;
		in->result = all[i];
		in->err.code = 0;
		if (all[i] == ST_AGAIN || all[i] == ST_NEVER)
			(void)err_set(&in->err, all[i], "%s", line + len + 1);
	}
}

/* buf has a whole line of len bytes. */
static void
take_line(struct worker_lines *in, as_user_line_fn *fn, void *arg)
{
	in->buf[in->len] = '\0';
	if (in->buf[0] == '.' && strlen(in->buf) == in->len)
		fn(in->buf + 1, arg);
	else
		take_outcome(in, in->buf);
	in->len = 0;
}

void
worker_lines_feed(struct worker_lines *in, const char *buf, size_t len,
    as_user_line_fn *fn, void *arg)
{
	size_t i;

	for (i = 0; i < len && !in->ended; i++) {
		if (buf[i] == '\n')
			take_line(in, fn, arg);
		else if (in->len + 1 < sizeof(in->buf))
			in->buf[in->len++] = buf[i];
		else
			in->ended = true;
	}
}
