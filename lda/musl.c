/* SPDX-License-Identifier: ISC */
/*
 * musl.c - functions that mailferry-lda needs and musl does not have
 *
 * Debian's libtalloc.a was compiled for glibc and calls fortified printf
 * functions.  Apart from these it needs the functions of the C standard, errno,
 * stderr and the stack's canary, which are alike in both libraries.
 *
 * Source: Linux Standard Base, "Interfaces for libc", of __vsnprintf_chk().
 */
#include "lda/musl.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#undef localtime_r
#undef ctime_r

#define ZONES	"/usr/share/zoneinfo/"
#define TZ_MOST	1000

int		__vsnprintf_chk(char *s, size_t len, int flag, size_t room,
		    const char *format, va_list ap);
int		__fprintf_chk(FILE *to, int flag, const char *format, ...);

int
__vsnprintf_chk(char *s, size_t len, int flag, size_t room, const char *format,
    va_list ap)
{
	(void)flag;
	if (len > room)
		abort();
	return vsnprintf(s, len, format, ap);
}

int
__fprintf_chk(FILE *to, int flag, const char *format, ...)
{
	va_list ap;
	int n;

	(void)flag;
	va_start(ap, format);
	n = vfprintf(to, format, ap);
	va_end(ap);
	return n;
}

#ifdef NEED_STATX
int
statx(int dirfd, const char *path, int flags, unsigned mask, struct statx *sx)
{
	return (int)syscall(SYS_statx, dirfd, path, flags, mask, sx);
}
#endif

/* A TZ like EST5EDT: it names summer time, but not when that begins. */
static bool
lacks_rule(const char *tz)
{
	bool offset = false;

	if (*tz == ':' || strlen(tz) > TZ_MOST || strpbrk(tz, ",/") != NULL)
		return false;
	for (; *tz != '\0' && !(offset && (isalpha((unsigned char)*tz) ||
	    *tz == '<')); tz++) {
		if (*tz == '<')
			tz += strcspn(tz, ">");
		offset = offset || isdigit((unsigned char)*tz);
		if (*tz == '\0')
			return false;
	}
	return *tz != '\0';
}

/*
 * glibc reads the zone file of that name if there is one, else it follows the
 * rule of the USA.  TZ is restored, as programs of rc files get it.
 *
 * Source: tzset(3).
 */
struct tm *
musl_localtime_r(const time_t *when, struct tm *tm)
{
	const char *tz = getenv("TZ");
	char was[TZ_MOST + 1], full[TZ_MOST + 80];
	struct tm *out;

	if (tz == NULL || !lacks_rule(tz))
		return localtime_r(when, tm);
	(void)snprintf(was, sizeof(was), "%s", tz);
	(void)snprintf(full, sizeof(full), ZONES "%s", was);
	if (access(full, R_OK) == 0)
		(void)snprintf(full, sizeof(full), ":%s", was);
	else
		(void)snprintf(full, sizeof(full), "%s,M3.2.0,M11.1.0", was);
	(void)setenv("TZ", full, 1);
	out = localtime_r(when, tm);
	(void)setenv("TZ", was, 1);
	return out;
}

char *
musl_ctime_r(const time_t *when, char *buf)
{
	struct tm tm;

	return musl_localtime_r(when, &tm) == NULL ? NULL : asctime_r(&tm, buf);
}
