/* SPDX-License-Identifier: ISC */
/*
 * finding.c - one thing that `mailferry doctor` looked at, and how it is
 */
#include "admin/doctor/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *
level_name(enum level level)
{
	return level == FINE ? "ok" : level == WARN ? "warning" : "bad";
}

void
found(struct doctor *d, enum level level, const char *what, const char *mend,
    const char *fmt, ...)
{
	char text[700];
	json_t *obj;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (level > d->worst)
		d->worst = level;
	if (level == BAD && d->bad == NULL)
		d->bad = must(talloc_asprintf(d->ad->conf, "%s: %s", what,
		    text));
	if (d->ad->json) {
		obj = must(json_pack("{ssssssss*}", "level", level_name(level),
		    "what", what, "text", text, "mend", mend));
		(void)json_array_append_new(d->findings, obj);
		return;
	}
	if (level == FINE)
		(void)printf("%s: ok%s%s\n", what, *text == '\0' ? "" : ", ",
		    text);
	else
		(void)printf("%s: %s: %s\n", what, level_name(level), text);
	if (mend != NULL)
		(void)printf("    %s\n", mend);
}
