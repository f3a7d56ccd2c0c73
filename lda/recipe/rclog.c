/* SPDX-License-Identifier: ISC */
/*
 * rclog.c - LOGFILE: diagnostics, LOG and what programs say
 */
#include "lda/recipe/rclog.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "maps/base/err.h"
#include "maps/base/file.h"

#define PENDING_MAX	1000		/* bytes of a line that are kept back */

void
rclog_begin(struct rclog *log, TALLOC_CTX *ctx)
{
	*log = (struct rclog){ .ctx = ctx, .fd = STDERR_FILENO,
	    .abstract = -1 };
}

void
rclog_flush(struct rclog *log)
{
	if (log->pending == NULL)
		return;
	(void)!file_write(log->fd, log->pending, strlen(log->pending));
	talloc_free(log->pending);
	log->pending = NULL;
}

void
rclog_put(struct rclog *log, const char *text)
{
	size_t len = strlen(text);

	if (len == 0)
		return;
	if (log->pending == NULL)
		log->pending = must(talloc_strdup(log->ctx, text));
	else
		log->pending = must(talloc_strdup_append_buffer(log->pending,
		    text));
	if (text[len - 1] == '\n' || strlen(log->pending) > PENDING_MAX)
		rclog_flush(log);
}

/* `procmail: `; with VERBOSE the time is logged before it, once a second. */
static void
prefix(struct rclog *log)
{
	time_t now;
	char line[100];

	rclog_put(log, "procmail: ");
	if (log->verbose == 0 || (now = time(NULL)) == log->dated)
		return;
	log->dated = now;
	(void)snprintf(line, sizeof(line), "[%ld] ", (long)getpid());
	rclog_put(log, line);
	rclog_put(log, ctime_r(&now, line));
	rclog_put(log, "procmail: ");
}

void
rclog_say(struct rclog *log, const char *what)
{
	prefix(log);
	rclog_put(log, what);
	rclog_put(log, "\n");
}

void
rclog_say_of(struct rclog *log, const char *what, const char *of)
{
	prefix(log);
	rclog_put(log, what);
	rclog_put(log, " \"");
	rclog_put(log, of);
	rclog_put(log, "\"\n");
}

void
rclog_verbose(struct rclog *log, const char *what, const char *of)
{
	if (log->verbose != 0)
		rclog_say_of(log, what, of);
}

void
rclog_open(struct rclog *log, const char *path, bool nofollow)
{
	int fd, flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY;

	if (*path == '\0')
		path = "/dev/null";
	rclog_flush(log);
	rclog_verbose(log, "Opening", path);
	fd = open(path, flags | (nofollow ? O_NOFOLLOW : 0), 0667);
	if (fd == -1) {
		rclog_say_of(log, "Error while writing to", path);
		return;
	}
	if (log->file)
		(void)close(log->fd);
	log->fd = fd;
	log->file = true;
}
