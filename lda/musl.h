/*
 * musl.h - what musl 1.2.3 lacks of Linux; included before everything else
 */
#ifndef LDA_MUSL_H
#define LDA_MUSL_H

#include <sys/stat.h>

#ifndef STATX_BASIC_STATS
#include <linux/stat.h>

/* statx(2). */
int		statx(int dirfd, const char *path, int flags, unsigned mask,
		    struct statx *sx);
#define NEED_STATX
#endif

#endif
