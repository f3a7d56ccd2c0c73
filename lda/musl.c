/*
 * musl.c - mailferry-lda with musl: what it and Debian's libtalloc.a call beyond it
 *
 * libtalloc.a was compiled for glibc, with fortified printf functions.  Beside these it
 * calls what the C standard has, and errno, stderr and the stack's canary, which lie
 * at the same place in both.
 *
 * Source: Linux Standard Base, "Interfaces for libc", of __vsnprintf_chk().
 */
#include "lda/musl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

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
