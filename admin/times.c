/* SPDX-License-Identifier: ISC */
/*
 * times.c - times and durations as people write them
 */
#include "admin/times.h"

#include <stdlib.h>
#include <string.h>

#include "maps/record.h"

char *
time_text(TALLOC_CTX *ctx, time_t t)
{
	char text[32];
	struct tm tm;

	/* What the history has from a clock gone mad. */
	if (t < 0 || t > RECORD_TIME_MAX)
		return must(talloc_asprintf(ctx, "%lld", (long long)t));
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t,
	    &tm));
	return must(talloc_strdup(ctx, text));
}

static bool
read_seconds(const char *text, time_t max, time_t *t)
{
	char *end;
	long long n = strtoll(text, &end, 10);

	*t = (time_t)n;
	return end != text && *end == '\0' && n >= 0 && n <= max;
}

bool
time_parse(const char *text, time_t now, time_t *t)
{
	struct tm tm = { .tm_isdst = 0 };
	const char *rest;
	char *shown;
	bool same;

	if (*text == '+') {
		if (!read_seconds(text + 1, RECORD_TIME_MAX - now, t))
			return false;
		*t += now;
		return true;
	}
	rest = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (rest != NULL && *rest == '\0') {
		*t = timegm(&tm);	/* makes March 3 of February 31 */
		shown = time_text(NULL, *t);
		same = strcmp(shown, text) == 0;
		talloc_free(shown);
		return same;
	}
	return read_seconds(text, RECORD_TIME_MAX, t);
}

bool
time_duration(const char *text, time_t *n)
{
	static const char units[] = "smhd";
	static const long seconds[] = { 1, 60, 3600, 86400 };
	long v, unit = 1;
	const char *u;
	char *end;

	v = strtol(text, &end, 10);
	if (*end != '\0') {
		u = strchr(units, *end);
		if (u == NULL || end[1] != '\0')
			return false;
		unit = seconds[u - units];
	}
	if (end == text || v <= 0 || v > TIME_DURATION_MAX / unit)
		return false;
	*n = v * unit;
	return true;
}
