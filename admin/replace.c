/* SPDX-License-Identifier: ISC */
/*
 * replace.c - a verb writes one record, or with --dry-run says what it would
 * write
 */
#include "admin/replace.h"

#include <stdio.h>

enum status
admin_replace(struct admin *ad, const struct record *was,
    const struct record *is, struct err *err)
{
	struct change_by by = admin_by(ad->conf, ad);

	if (ad->dry_run) {
		(void)printf("%s would be %s\n", is != NULL ? is->user :
		    was->user, is == NULL ? "deleted" : was == NULL ? "added" :
		    "changed");
		return ST_OK;
	}
	return map_replace(ad->map, was, is, &by, NULL, err);
}
