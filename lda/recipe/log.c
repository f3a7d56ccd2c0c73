/* SPDX-License-Identifier: ISC */
/*
 * log.c - LOGFILE: diagnostics, LOG, and an abstract of each delivery
 *
 * Lines are written whole, so that runs at the same time do not mix in one.  The
 * words are procmail's, as mailstat(1) and users' scripts read them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "lda/recipe/engine.h"
#include "maps/base/file.h"

#define PENDING_MAX	1000		/* bytes of a line that are kept back */
#define SUBJECT_MAX	78
#define FOLDER_MAX	61
#define FOLDER_COLUMN	72

void
rclog_flush(struct engine *e)
{
	if (e->pending == NULL)
		return;
	(void)!file_write(e->logfd, e->pending, strlen(e->pending));
	talloc_free(e->pending);
	e->pending = NULL;
}

void
rclog(struct engine *e, const char *text)
{
	size_t len = strlen(text);

	if (len == 0)
		return;
	if (e->pending == NULL)
		e->pending = must(talloc_strdup(e, text));
	else
		e->pending = must(talloc_strdup_append_buffer(e->pending, text));
	if (text[len - 1] == '\n' || strlen(e->pending) > PENDING_MAX)
		rclog_flush(e);
}

/* `procmail: `, and with VERBOSE every second's time before it. */
static void
prefix(struct engine *e)
{
	static time_t last;
	time_t now;
	char line[100];

	rclog(e, "procmail: ");
	if (e->set.verbose == 0 || (now = time(NULL)) == last)
		return;
	last = now;
	(void)snprintf(line, sizeof(line), "[%ld] ", (long)getpid());
	rclog(e, line);
	rclog(e, ctime_r(&now, line));
	rclog(e, "procmail: ");
}

void
diag(struct engine *e, const char *what)
{
	prefix(e);
	rclog(e, what);
	rclog(e, "\n");
}

void
diag_of(struct engine *e, const char *what, const char *of)
{
	prefix(e);
	rclog(e, what);
	rclog(e, " \"");
	rclog(e, of);
	rclog(e, "\"\n");
}

void
chat(struct engine *e, const char *what, const char *of)
{
	if (e->set.verbose != 0)
		diag_of(e, what, of);
}

/* "" is /dev/null.  What cannot be opened leaves the one before in use. */
void
rclog_open(struct engine *e, const char *path)
{
	int fd, flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY;

	if (*path == '\0')
		path = "/dev/null";
	rclog_flush(e);
	chat(e, "Opening", path);
	/* Root, for a user's directory: no link of his. */
	fd = open(path, flags | (e->privileged ? O_NOFOLLOW : 0), 0667);
	if (fd == -1) {
		diag_of(e, "Error while writing to", path);
		return;
	}
	if (e->logfile)
		(void)close(e->logfd);
	e->logfd = fd;
	e->logfile = true;
}

static void
put_text(struct engine *e, const char *data, size_t len)
{
	char *text = must(talloc_strndup(e->ctx, data, len)), *p;

	for (p = text; *p != '\0'; p++)
		if (strchr("\t\n\v\f\r", *p) != NULL)
			*p = ' ';
	rclog(e, text);
	talloc_free(text);
}

/* The From_ line as it is, and what the Subject begins with: not in a hurry. */
static void
put_header(struct engine *e)
{
	const char *p = e->mail->b.p, *end = p + e->mail->body, *lf;
	size_t len;

	if (e->mail->body >= 5 && memcmp(p, "From ", 5) == 0) {
		lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL)
			lf = end;
		len = (size_t)(lf - p);
		rclog(e, must(talloc_asprintf(e->ctx, "%.*s\n",
		    (int)strnlen(p, len), p)));
		p = lf;
	}
	while (p < end && e->by_signal == 0) {
		if (*p == '\n')
			p++;
		lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL)
			lf = end;
		if (lf - p >= 8 && strncasecmp(p, "Subject:", 8) == 0) {
			len = (size_t)(lf - p);
			rclog(e, " ");
			put_text(e, p, len > SUBJECT_MAX ? SUBJECT_MAX : len);
			rclog(e, "\n");
			return;
		}
		p = lf;
	}
}

void
rclog_abstract(struct engine *e, const char *folder)
{
	size_t len = strlen(folder), column;
	char number[32];

	if (!(e->set.logabstract > 0 || (e->set.logabstract != 0 &&
	    (e->logfile || e->set.verbose != 0))))
		return;
	put_header(e);
	if (len >= FOLDER_MAX)
		len = FOLDER_MAX - 1;
	rclog(e, "  Folder: ");
	put_text(e, folder, len);
	column = 10 + len;
	column -= column % 8;
	do {
		rclog(e, "\t");
		column += 8;
	} while (column < FOLDER_COLUMN);
	(void)snprintf(number, sizeof(number), "%7ld\n", e->dumped);
	rclog(e, number);
}
