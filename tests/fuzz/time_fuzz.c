/* SPDX-License-Identifier: ISC */
/*
 * time_fuzz.c - times that people write: RFC 3339, +SECONDS, seconds; durations
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "admin/times.h"
#include "maps/base/err.h"

#define NOW 1700000000

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = fuzz_input(data, size);
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	const char *text = fuzz_line(ctx, &in), *shown;
	time_t t = 0, back;

	if (time_parse(text, NOW, &t)) {
		shown = time_text(ctx, t);
		if (*text == '+')
			HOLDS(t >= NOW);
		/* What has a date is that very day and second. */
		if (strchr(text, 'T') != NULL)
			HOLDS(strcmp(shown, text) == 0);
		HOLDS(time_parse(shown, NOW, &back) && back == t);
	}
	if (time_duration(text, &t))
		HOLDS(t > 0 && t <= TIME_DURATION_MAX);
	talloc_free(ctx);
	return 0;
}
