/* SPDX-License-Identifier: ISC */
/*
 * times.h - times and durations as people write them
 */
#ifndef ADMIN_TIMES_H
#define ADMIN_TIMES_H

#include <stdbool.h>
#include <talloc.h>
#include <time.h>

/* Seconds UTC as RFC 3339; talloc child of ctx. */
char	       *time_text(TALLOC_CTX *ctx, time_t t);

/* Epoch seconds, `+SECONDS` from now, or RFC 3339 in UTC; false for a time that
 * does not exist, or one later than RECORD_TIME_MAX. */
bool		time_parse(const char *text, time_t now, time_t *t);

/* 90, 90s, 5m, 2h, 1d: seconds, from 1 to TIME_DURATION_MAX. */
#define TIME_DURATION_MAX (366L * 86400)
bool		time_duration(const char *text, time_t *seconds);

#endif
