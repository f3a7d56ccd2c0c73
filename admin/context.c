/* SPDX-License-Identifier: ISC */
/*
 * context.c - what every verb of the `mailferry` command works with
 */
#include "admin/context.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
admin_status(enum status st)
{
	switch (st) {
	case ST_OK:
		return EXIT_DONE;
	case ST_AGAIN:
		return EXIT_LATER;
	case ST_NONE:
	case ST_NEVER:
		break;
	}
	return EXIT_REFUSED;
}

int
admin_usage(struct err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return EXIT_USAGE;
}

bool
admin_state(const char *what, const char *word, enum state *state,
    struct err *err)
{
	*state = state_parse(word);
	if (*state == STATE_NONE)
		(void)err_set(err, ST_NEVER, "%s: %s is no state (old, "
		    "overlap, cutover, settle, new)", what, word);
	return *state != STATE_NONE;
}

struct change_by
admin_by(TALLOC_CTX *ctx, const struct admin *ad)
{
	const char *sudo = getenv("SUDO_USER");
	struct passwd *pw = getpwuid(getuid());

	return (struct change_by){ must(talloc_strdup(ctx, sudo != NULL &&
	    getuid() == 0 ? sudo : pw != NULL ? pw->pw_name : "?")), time(NULL),
	    ad->why };
}

const char *
admin_home(TALLOC_CTX *ctx, const char *user, long *uid)
{
	struct passwd *pw = getpwnam(user);

	*uid = pw == NULL ? -1 : (long)pw->pw_uid;
	return pw == NULL ? NULL : must(talloc_strdup(ctx, pw->pw_dir));
}

enum status
admin_get(struct admin *ad, const char *user, struct record **rec,
    struct err *err)
{
	long uid;
	const char *home = admin_home(ad->conf, user, &uid);

	return map_get(ad->map, ad->conf, user, home, time(NULL), rec, err);
}

struct record *
admin_record(TALLOC_CTX *ctx, const char *user, const char **home)
{
	struct record *rec = must(talloc_zero(ctx, struct record));
	const char *dir;

	*rec = (struct record){ .user = must(talloc_strdup(rec, user)),
	    .state = STATE_OLD, .version = 1, .by = "", .why = "",
	    .unknown = "" };
	rec->address = must(talloc_zero_array(rec, const char *, 1));
	dir = admin_home(rec, user, &rec->uid);
	if (home != NULL)
		*home = dir;
	return rec;
}

enum status
admin_check(const struct record *rec, struct err *err)
{
	char *text = record_format(NULL, rec);
	struct record *back;
	enum status st;

	st = record_parse(text, rec->user, text, strlen(text), &back, err);
	talloc_free(text);
	return st;
}

/* Where no mapd answers and the file is ours the command opens it itself: for
 * the first set-up, and for repair. */
static enum status
open_map(struct admin *ad, struct err *err)
{
	struct record *probe;
	struct map *own;
	struct err first;
	enum status st;

	st = map_open(NULL, ad->conf, 0, &ad->map, err);
	if (st != ST_OK || strncmp(ad->conf->map, "tdb:", 4) != 0)
		return st;
	st = map_get_stored(ad->map, ad->map, RECORD_DEFAULT, &probe, &first);
	if (st == ST_OK || st == ST_NONE || geteuid() != 0)
		return ST_OK;
	if (map_open(NULL, ad->conf, MAP_OWNER | MAP_CREATE, &own,
	    err) != ST_OK)
		return ST_OK;		/* mapd's own error says more */
	talloc_free(ad->map);
	ad->map = own;
	ad->owner = true;
	return ST_OK;
}

enum status
admin_open(struct admin *ad, const char *config, struct err *err)
{
	enum status st;

	st = conf_load(NULL, config, &ad->conf, err);
	return st == ST_OK ? open_map(ad, err) : st;
}

void
admin_close(struct admin *ad)
{
	talloc_free(ad->map);
	ad->map = NULL;
}
