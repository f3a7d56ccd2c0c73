/* SPDX-License-Identifier: ISC */
/*
 * doctor.c - mailferry doctor: what an admin may get wrong, each with its mend
 */
#include <string.h>

#include "admin/doctor/dovecot.h"
#include "admin/doctor/filers.h"
#include "admin/doctor/host.h"
#include "admin/doctor/postfix.h"
#include "admin/doctor/strangers.h"
#include "admin/record_json.h"
#include "admin/verbs.h"

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
		json_print(stdout, d.findings);
	else
		json_decref(d.findings);
	if (st == ST_OK && d.worst == BAD)
		st = err_set(err, ST_NEVER, "%s", d.bad);
	return admin_status(st);
}
