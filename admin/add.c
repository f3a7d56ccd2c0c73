/* SPDX-License-Identifier: ISC */
/*
 * add.c - add, delete: a record begins and ends
 */
#include <stdio.h>
#include <string.h>

#include "admin/leader.h"
#include "admin/replace.h"
#include "admin/users.h"
#include "admin/verbs.h"

/* Options that are a text of the record. */
static void
take_locations(struct record *rec, const struct cmdline *line)
{
	const struct {
		const char *name, **field;
	} fields[] = {
		{ "old", &rec->side[OLD].mail },
		{ "old-control", &rec->side[OLD].control },
		{ "old-index", &rec->side[OLD].index },
		{ "new", &rec->side[NEW].mail },
		{ "new-control", &rec->side[NEW].control },
		{ "new-index", &rec->side[NEW].index },
	};
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (cmdline_has(line, fields[i].name))
			*fields[i].field = cmdline_value(line, fields[i].name,
			    0);
}

static void
take_addresses(struct record *rec, const struct cmdline *line)
{
	unsigned at = 0, n = 0;
	const char *word;
	char *address;

	while ((word = cmdline_next(line, "address", &at)) != NULL) {
		address = must(talloc_strdup(rec, word));
		record_fold_address(address);
		rec->address = must(talloc_realloc(rec, rec->address,
		    const char *, n + 2));
		rec->address[n++] = address;
		rec->address[n] = NULL;
	}
}

static int
add(struct admin *ad, struct err *err)
{
	const char *user = ad->line.argv[0], *home, *state;
	unsigned long forced = 0;
	enum side leads = OLD;
	struct record *rec;
	enum status st;

	if (!record_user_valid(user))
		return admin_status(err_set(err, ST_NEVER, "%s: not a user's "
		    "name", user));
	rec = admin_record(ad->conf, user, &home);
	state = cmdline_value(&ad->line, "state", 0);
	if (state != NULL && !admin_state("--state", state, &rec->state, err))
		return EXIT_USAGE;
	take_locations(rec, &ad->line);
	take_addresses(rec, &ad->line);
	if (rec->state == STATE_SETTLE || rec->state == STATE_NEW)
		rec->led = rec->version;	/* new has been served */
	/* Stored, not left to templates: those may change, mail does not. */
	st = record_locate(rec, ad->conf, home, err);
	if (st == ST_OK)
		st = admin_check(rec, err);
	if (st == ST_OK)
		st = leader_default(ad, &leads, err);
	if (st == ST_OK)
		st = leader_check(ad, leads, rec, &forced, err);
	if (st == ST_OK && forced > 0)
		(void)fprintf(stderr, "mailferry: %s: %s leads, as --force "
		    "says, and mail lies in %s\n", user,
		    side_name(record_leader(rec)), rec->side[leads].mail);
	if (st == ST_OK)
		st = admin_replace(ad, NULL, rec, err);
	return admin_status(st);
}

static const struct option add_options[] = {
	{ "state", "STATE", "the state to begin in (old)", 0 },
	{ "old", "MAILDIR", "the Maildir on the old filer", 0 },
	{ "old-control", "DIR", "its Dovecot control directory", 0 },
	{ "old-index", "DIR", "its Dovecot index directory", 0 },
	{ "new", "MAILDIR", "the Maildir on the new filer", 0 },
	{ "new-control", "DIR", "its Dovecot control directory", 0 },
	{ "new-index", "DIR", "its Dovecot index directory", 0 },
	{ "address", "ADDRESS", "an address of the user; may be given again",
	    0 },
	{ "force", NULL, "the state is right, whatever mail is elsewhere", 0 },
	{ NULL, NULL, NULL, 0 },
};

const struct verb verb_add = {
	.name = "add", .run = add, .operands = "USER", .min = 1, .max = 1,
	.does = "Make a record, with the templates' locations where none is "
	    "named.",
	.options = add_options,
};

static int
delete_one(struct admin *ad, const char *user, void *arg, struct err *err)
{
	struct record *was = NULL;
	enum status st;

	(void)arg;
	st = map_get_stored(ad->map, ad->conf, user, &was, err);
	if (st == ST_NONE)
		st = err_set(err, ST_NEVER, "%s has no record", user);
	if (st == ST_OK)
		st = admin_replace(ad, was, NULL, err);
	return admin_status(st);
}

static int
delete(struct admin *ad, struct err *err)
{
	return users_each(ad, ad->line.argc, delete_one, NULL, err);
}

const struct verb verb_delete = {
	.name = "delete", .run = delete, .operands = "USER...",
	.max = OPERANDS_ANY, .users = true,
	.does = "Delete records: the map's default counts for these users "
	    "then.",
};
