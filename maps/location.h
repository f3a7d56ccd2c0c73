/* SPDX-License-Identifier: ISC */
/*
 * location.h - location templates of the configuration, filled for a user
 */
#ifndef MAPS_LOCATION_H
#define MAPS_LOCATION_H

#include "maps/record.h"

/*
 * As `home`: leave the home to the reader of the location, as Dovecot can
 * resolve it.  Only at the beginning of a location.
 */
#define HOME_OPEN	"~"

/*
 * Fill a text's variables; see record_locate().
 * text  talloc child of ctx.
 * ST_NEVER  a variable that is not known.
 */
enum status	template_fill(TALLOC_CTX *ctx, const char *template,
		    const char *user, const char *home, char **text,
		    struct err *err) MUST_CHECK;

/*
 * Fill one template of a location; see record_locate() for the variables.
 * path  talloc child of ctx.
 */
enum status	location_expand(TALLOC_CTX *ctx, const char *template,
		    const char *user, const char *home, const char **path,
		    struct err *err) MUST_CHECK;

/* True if mail, control and index directories are the same. */
bool		location_same(const struct location *a,
		    const struct location *b);

#endif
