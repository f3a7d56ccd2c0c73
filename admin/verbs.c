/*
 * verbs.c - add, delete: a record begins and ends
 */
#include <stdio.h>
#include <string.h>

#include "admin/admin.h"

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
		rec->address[a->naddress++] = value;
		rec->address[a->naddress] = NULL;
	} else
		return false;
	return true;
}

/* What is stored must read back: the record's own parser is the judge. */
static enum status
check_record(const struct record *rec, struct err *err)
{
	char *text = record_format(NULL, rec);
	struct record *back;
	enum status st;

	st = record_parse(text, rec->user, text, strlen(text), &back, err);
	talloc_free(text);
	return st;
}

static int
replace(struct admin *ad, const struct record *was, const struct record *is,
    struct err *err)
{
	struct change_by by = admin_by(ad->conf, ad);

	if (ad->dry_run) {
		(void)printf("%s would be %s\n", is != NULL ? is->user : was->user,
		    is != NULL ? "added" : "deleted");
		return EXIT_DONE;
	}
	return admin_status(map_replace(ad->map, was, is, &by, NULL, err));
}

int
verb_add(struct admin *ad, struct err *err)
{
	struct adding a = { .naddress = 0 };
	const char *home;
	enum status st;
	int i;

	if (ad->argc < 1 || ad->argc % 2 == 0)
		return EXIT_USAGE;
	a.rec = must(talloc_zero(ad->conf, struct record));
	*a.rec = (struct record){ .user = ad->argv[0], .state = STATE_OLD,
	    .version = 1, .by = "", .why = "", .unknown = "" };
	a.rec->address = must(talloc_zero_array(a.rec, const char *, 1));
	if (!record_user_valid(a.rec->user)) {
		(void)err_set(err, ST_NEVER, "%s: not a user's name", a.rec->user);
		return EXIT_REFUSED;
	}
	home = admin_home(a.rec, a.rec->user, &a.rec->uid);
	for (i = 1; i < ad->argc; i += 2)
		if (!set_option(&a, ad->argv[i], ad->argv[i + 1]))
			return EXIT_USAGE;
	if (a.rec->state == STATE_SETTLE || a.rec->state == STATE_NEW)
		a.rec->led = a.rec->version;	/* new has been served */
	/* Stored, not left to templates: those may change, mail does not. */
	st = record_locate(a.rec, ad->conf, home, err);
	if (st == ST_OK)
		st = check_record(a.rec, err);
	return st == ST_OK ? replace(ad, NULL, a.rec, err) : admin_status(st);
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
	return st == ST_OK ? replace(ad, was, NULL, err) : admin_status(st);
}
