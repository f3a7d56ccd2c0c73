/* SPDX-License-Identifier: ISC */
/*
 * doctor.c - mailferry doctor: what an admin may get wrong, each with its mend
 */
#include "admin/doctor/dovecot.h"
#include "admin/doctor/filers.h"
#include "admin/doctor/host.h"
#include "admin/doctor/postfix.h"
#include "admin/doctor/strangers.h"
#include "admin/record_json.h"
#include "admin/verbs.h"

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

static int
run(struct admin *ad, struct err *err)
{
	struct doctor d = { .ad = ad,
	    .postfix = cmdline_value(&ad->line, "postfix", 0),
	    .dovecot = cmdline_value(&ad->line, "dovecot", 0) };
	bool init = cmdline_has(&ad->line, "init");
	enum status st = ST_OK;

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

static const struct option doctor_options[] = {
	{ "init", NULL, "make the marker in the root of each filer", 0 },
	{ "postfix", "DIR", "where main.cf is, if not where postconf looks",
	    0 },
	{ "dovecot", "FILE", "Dovecot's main configuration file", 0 },
	{ NULL, NULL, NULL, 0 },
};

const struct verb verb_doctor = {
	.name = "doctor", .run = run, .operands = "", .options = doctor_options,
	.does = "Look at everything that an admin may get wrong, and say how "
	    "to mend it.",
};
