/* SPDX-License-Identifier: ISC */
/*
 * leader.c - which side may lead for a user who has no record yet
 */
#include "admin/leader.h"

#include <errno.h>
#include <sys/stat.h>

#include "lda/store/asuser.h"
#include "lda/store/maildir.h"

#define PATIENCE	10		/* seconds for one filer */

struct looking {
	const char		*filer;	/* NULL: none is configured */
	const struct location	*loc;
};

bool
leader_has_mail(const struct location *loc)
{
	char *cur;
	struct stat sb;
	bool is;

	if (loc->mail == NULL)
		return false;
	cur = must(talloc_asprintf(NULL, "%s/cur", loc->mail));
	is = stat(cur, &sb) == 0 || (errno != ENOENT && errno != ENOTDIR);
	talloc_free(cur);
	return is;
}

enum status
leader_default(struct admin *ad, enum side *side, struct err *err)
{
	struct record *dflt = NULL;
	enum status st;

	st = map_get_stored(ad->map, ad->conf, RECORD_DEFAULT, &dflt, err);
	*side = st == ST_OK ? record_leader(dflt) : OLD;
	return st == ST_NONE ? ST_OK : st;
}

/* In the child: a line where there is mail. */
static enum status
look(void *arg, int out, struct err *err)
{
	const struct looking *l = arg;
	enum status st = filer_check(l->filer, err);

	if (st != ST_OK || !leader_has_mail(l->loc))
		return st;
	return as_user_say(out, err, "mail");
}

static void
on_mail(const char *line, void *arg)
{
	(void)line;
	*(bool *)arg = true;
}

enum status
leader_check(struct admin *ad, enum side leads, const struct record *rec,
    unsigned long *forced, struct err *err)
{
	struct looking l = { ad->conf->filer[leads], &rec->side[leads] };
	bool force = cmdline_has(&ad->line, "force"), mail = false;
	enum side side = record_leader(rec);
	enum status st;

	if (leads == side || l.loc->mail == NULL)
		return ST_OK;
	st = as_user(rec, ad->conf, PATIENCE, look, &l, on_mail, &mail, err);
	if (force) {
		*forced += mail || st != ST_OK;
		return ST_OK;
	}
	if (st != ST_OK)
		return err_wrap(err, st, "%s would lead for %s, and whether %s "
		    "has mail cannot be seen", side_name(side), rec->user,
		    side_name(leads));
	return !mail ? ST_OK : err_set(err, ST_NEVER, "%s has mail in %s, and "
	    "%s would lead: use `mailferry move` or `mailferry rollback` "
	    "(--force: the record is right, it comes from another map)",
	    rec->user, l.loc->mail, side_name(side));
}
