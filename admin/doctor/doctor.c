/* SPDX-License-Identifier: ISC */
/*
 * doctor.c - what an admin gets wrong, told with its mend
 */
#include "admin/doctor/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "admin/record_json.h"

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
		d->bad = must(talloc_asprintf(d->ad->conf, "%s: %s", what, text));
	if (d->ad->json) {
		obj = must(json_pack("{ssssssss*}", "level", level_name(level),
		    "what", what, "text", text, "mend", mend));
		(void)json_array_append_new(d->findings, obj);
		return;
	}
	if (level == FINE)
		(void)printf("%s: ok%s%s\n", what, *text == '\0' ? "" : ", ", text);
	else
		(void)printf("%s: %s: %s\n", what, level_name(level), text);
	if (mend != NULL)
		(void)printf("    %s\n", mend);
}

static bool
read_words(struct doctor *d, bool *init)
{
	int i;

	for (i = 0; i < d->ad->argc; i++) {
		if (strcmp(d->ad->argv[i], "--init") == 0)
			*init = true;
		else if (strcmp(d->ad->argv[i], "--postfix") == 0 &&
		    i + 1 < d->ad->argc)
			d->postfix = d->ad->argv[++i];
		else if (strcmp(d->ad->argv[i], "--dovecot") == 0 &&
		    i + 1 < d->ad->argc)
			d->dovecot = d->ad->argv[++i];
		else
			return false;
	}
	return true;
}

static void
look_at_everything(struct doctor *d)
{
	doctor_host(d);
	doctor_filers(d);
	doctor_map(d);
	doctor_postfix(d);
	doctor_dovecot(d);
	doctor_strangers(d);
}

int
verb_doctor(struct admin *ad, struct err *err)
{
	struct doctor d = { .ad = ad };
	enum status st = ST_OK;
	bool init = false;

	if (!read_words(&d, &init))
		return EXIT_USAGE;
	d.findings = must(json_array());
	if (init)
		st = doctor_init(&d, err);
	if (st == ST_OK && !init)
		look_at_everything(&d);
	else if (st == ST_OK && !ad->dry_run)
		doctor_filers(&d);
	if (ad->json)
		form_print(stdout, d.findings);
	else
		json_decref(d.findings);
	if (st == ST_OK && d.worst == BAD)
		st = err_set(err, ST_NEVER, "%s", d.bad);
	return admin_status(st);
}
