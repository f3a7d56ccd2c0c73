/* SPDX-License-Identifier: ISC */
/*
 * musl.h - what musl 1.2.3 lacks or does unlike glibc; included first
 */
#ifndef LDA_MUSL_H
#define LDA_MUSL_H

#include <sys/stat.h>
#include <time.h>

/* With the summer time that glibc, and so procmail, has for TZ=EST5EDT. */
struct tm      *musl_localtime_r(const time_t *when, struct tm *tm);
char	       *musl_ctime_r(const time_t *when, char *buf);
#define localtime_r musl_localtime_r
#define ctime_r musl_ctime_r

#ifndef STATX_BASIC_STATS
#include <linux/stat.h>

/* statx(2). */
int		statx(int dirfd, const char *path, int flags, unsigned mask,
		    struct statx *sx);
#define NEED_STATX
#endif

#endif
