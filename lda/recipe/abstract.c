/* SPDX-License-Identifier: ISC */
/*
 * abstract.c - the abstract of a delivery in LOGFILE
 */
#include "lda/recipe/abstract.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lda/recipe/engine.h"

#define SUBJECT_MAX	78		/* bytes */
#define FOLDER_MAX	61		/* bytes */
#define FOLDER_COLUMN	72		/* after which the bytes stand */

static void
put_text(struct engine *e, const char *data, size_t len)
{
	char *text = must(talloc_strndup(e->ctx, data, len)), *p;

	for (p = text; *p != '\0'; p++)
		if (strchr("\t\n\v\f\r", *p) != NULL)
			*p = ' ';
	rclog_put(&e->log, text);
	talloc_free(text);
}

/* The From_ line as it is; returns its end. */
static const char *
put_from_line(struct engine *e, const char *p, const char *end)
{
	const char *lf;
	size_t len;

	if (e->mail->body < 5 || memcmp(p, "From ", 5) != 0)
		return p;
	lf = memchr(p, '\n', (size_t)(end - p));
	if (lf == NULL)
		lf = end;
	len = (size_t)(lf - p);
	rclog_put(&e->log, must(talloc_asprintf(e->ctx, "%.*s\n",
	    (int)strnlen(p, len), p)));
	return lf;
}

/* The From_ line and the beginning of the Subject; it only if there is time. */
static void
put_header(struct engine *e)
{
	const char *p = e->mail->b.p, *end = p + e->mail->body, *lf;
	size_t len;

	p = put_from_line(e, p, end);
	while (p < end && e->end.by_signal == 0) {
		if (*p == '\n')
			p++;
		lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL)
			lf = end;
		if (lf - p >= 8 && strncasecmp(p, "Subject:", 8) == 0) {
			len = (size_t)(lf - p);
			rclog_put(&e->log, " ");
			put_text(e, p, len > SUBJECT_MAX ? SUBJECT_MAX : len);
			rclog_put(&e->log, "\n");
			return;
		}
		p = lf;
	}
}

static bool
is_wanted(const struct rclog *log)
{
	return log->abstract > 0 || (log->abstract != 0 &&
	    (log->file || log->verbose != 0));
}

void
abstract_write(struct engine *e, const char *folder)
{
	size_t len = strlen(folder), column;
	char number[32];

	if (!is_wanted(&e->log))
		return;
	put_header(e);
	if (len >= FOLDER_MAX)
		len = FOLDER_MAX - 1;
	rclog_put(&e->log, "  Folder: ");
	put_text(e, folder, len);
	column = 10 + len;
	column -= column % 8;
	do {
		rclog_put(&e->log, "\t");
		column += 8;
	} while (column < FOLDER_COLUMN);
	(void)snprintf(number, sizeof(number), "%7ld\n", e->last.bytes);
	rclog_put(&e->log, number);
}
