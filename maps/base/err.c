/* SPDX-License-Identifier: ISC */
/*
 * err.c - the outcomes of a call, and the text of an error
 */
#include "maps/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int oom_status = 75;		/* EX_TEMPFAIL: no bounce */
static void (*oom_clean)(void);

/* Make one line of any text: logs and SMTP replies have no second one. */
static void
one_line(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

enum status
err_set(struct err *err, enum status st, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	err->code = 0;
	one_line(err->text);
	return st;
}

static enum status
status_of_errno(int code)
{
	switch (code) {
	case EACCES: case EPERM: case ELOOP: case ENOTDIR:
	case ENAMETOOLONG: case EXDEV: case EINVAL:
		return ST_NEVER;
	default:
		return ST_AGAIN;
	}
}

enum status
err_sys(struct err *err, const char *fmt, ...)
{
	int code = errno;
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	len = strlen(err->text);
	(void)snprintf(err->text + len, sizeof(err->text) - len, ": %s",
	    strerror(code));
	err->code = code;
	one_line(err->text);
	return status_of_errno(code);
}

enum status
err_wrap(struct err *err, enum status st, const char *fmt, ...)
{
	char inner[sizeof(err->text)];
	size_t len;
	va_list ap;

	memcpy(inner, err->text, sizeof(inner));
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	len = strlen(err->text);
	(void)snprintf(err->text + len, sizeof(err->text) - len, ": %.*s",
	    (int)(sizeof(inner) - 1), inner);
	one_line(err->text);
	return st;
}

const char *
err_dsn(const struct err *err)
{
	switch (err->code) {
	case EDQUOT:
		return "4.2.2";		/* mailbox full */
	case ENOSPC:
		return "4.3.1";		/* mail system full */
	case EACCES: case EPERM: case ELOOP: case ENOTDIR:
		return "4.3.5";		/* system incorrectly configured */
	default:
		return "4.3.0";
	}
}

const char *
status_name(enum status st)
{
	switch (st) {
	case ST_OK:
		return "ok";
	case ST_NONE:
		return "none";
	case ST_AGAIN:
		return "again";
	case ST_NEVER:
		return "never";
	}
	return "?";
}

void
must_exit(int status)
{
	oom_status = status;
}

void
must_clean(void (*fn)(void))
{
	oom_clean = fn;
}

void *
must_(void *p)
{
	static const char text[] = "4.3.0 out of memory\n";

	if (p == NULL) {
		(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
		if (oom_clean != NULL)
			oom_clean();
		_exit(oom_status);
	}
	return p;
}
