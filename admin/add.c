/* SPDX-License-Identifier: ISC */
/*
 * add.c - add, delete: a record begins and ends
 */
#include <string.h>

#include "admin/leader.h"
#include "admin/replace.h"
#include "admin/verbs.h"

struct adding {
	struct record	*rec;
	size_t		 naddress;
};

static bool
set_option(struct adding *a, const char *name, char *value)
{
	struct record *rec = a->rec;

	if (strcmp(name, "--old") == 0)
		rec->side[OLD].mail = value;
	else if (strcmp(name, "--old-control") == 0)
		rec->side[OLD].control = value;
	else if (strcmp(name, "--old-index") == 0)
		rec->side[OLD].index = value;
	else if (strcmp(name, "--new") == 0)
		rec->side[NEW].mail = value;
	else if (strcmp(name, "--new-control") == 0)
		rec->side[NEW].control = value;
	else if (strcmp(name, "--new-index") == 0)
		rec->side[NEW].index = value;
	else if (strcmp(name, "--state") == 0) {
		rec->state = state_parse(value);
		return rec->state != STATE_NONE;
	} else if (strcmp(name, "--address") == 0) {
		rec->address = must(talloc_realloc(rec, rec->address,
		    const char *, (unsigned)a->naddress + 2));
		record_fold_address(value);
		rec->address[a->naddress++] = value;
		rec->address[a->naddress] = NULL;
	} else
		return false;
	return true;
}

int
verb_add(struct admin *ad, struct err *err)
{
	struct adding a = { .naddress = 0 };
	enum side leads = OLD;
	const char *home;
	enum status st;
	int i;

	if (ad->argc < 1 || ad->argc % 2 == 0)
		return EXIT_USAGE;
	if (!record_user_valid(ad->argv[0])) {
		(void)err_set(err, ST_NEVER, "%s: not a user's name", ad->argv[0]);
		return EXIT_REFUSED;
	}
	a.rec = admin_record(ad->conf, ad->argv[0], &home);
	for (i = 1; i < ad->argc; i += 2)
		if (!set_option(&a, ad->argv[i], ad->argv[i + 1]))
			return EXIT_USAGE;
	if (a.rec->state == STATE_SETTLE || a.rec->state == STATE_NEW)
		a.rec->led = a.rec->version;	/* new has been served */
	/* Stored, not left to templates: those may change, mail does not. */
	st = record_locate(a.rec, ad->conf, home, err);
	if (st == ST_OK)
		st = admin_check(a.rec, err);
	if (st == ST_OK)
		st = leader_default(ad, &leads, err);
	if (st == ST_OK)
		st = leader_hides_mail(leads, a.rec, err);
	if (st == ST_OK)
		st = admin_replace(ad, NULL, a.rec, err);
	return admin_status(st);
}

int
verb_delete(struct admin *ad, struct err *err)
{
	struct record *was = NULL;
	enum status st;

	if (ad->argc != 1)
		return EXIT_USAGE;
	st = map_get_stored(ad->map, ad->conf, ad->argv[0], &was, err);
	if (st == ST_NONE)
		st = err_set(err, ST_NEVER, "%s has no record", ad->argv[0]);
	if (st == ST_OK)
		st = admin_replace(ad, was, NULL, err);
	return admin_status(st);
}

