/* SPDX-License-Identifier: ISC */
/*
 * replace.c - a verb writes one record, or with --dry-run says what it would
 * write
 */
#include "admin/replace.h"

#include <stdio.h>
#include <string.h>

enum status
admin_replace(struct admin *ad, const struct record *was,
    const struct record *is, struct err *err)
{
	struct change_by by = admin_by(ad->conf, ad);
	const char *user = is != NULL ? is->user : was->user;

	if (strcmp(user, RECORD_DEFAULT) == 0)
		return err_set(err, ST_NEVER, "the map's default is changed by "
		    "`mailferry default`, which looks for mail first");
	if (ad->dry_run) {
		(void)printf("%s would be %s\n", user, is == NULL ? "deleted" :
		    was == NULL ? "added" : "changed");
		return ST_OK;
	}
	return map_replace(ad->map, was, is, &by, NULL, err);
}
