/* SPDX-License-Identifier: ISC */
/*
 * leader.c - which side may lead for a user who has no record yet
 */
#include "admin/leader.h"

#include <errno.h>
#include <sys/stat.h>

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

enum status
leader_check(struct admin *ad, enum side leads, const struct record *rec,
    unsigned long *forced, struct err *err)
{
	enum side side = record_leader(rec);

	if (leads == side || !leader_has_mail(&rec->side[leads]))
		return ST_OK;
	if (cmdline_has(&ad->line, "force")) {
		++*forced;
		return ST_OK;
	}
	return err_set(err, ST_NEVER, "%s has mail in %s, and %s would lead: "
	    "use `mailferry move` or `mailferry rollback` (--force: the record "
	    "is right, it comes from another map)", rec->user,
	    rec->side[leads].mail, side_name(side));
}
