/*
 * location.h - location templates of the configuration, filled for a user
 */
#ifndef MAPS_LOCATION_H
#define MAPS_LOCATION_H

#include "maps/record.h"

/*
 * Fill one template; see record_locate() for the variables.
 * path  talloc child of ctx.
 */
enum status	location_expand(TALLOC_CTX *ctx, const char *template,
		    const char *user, const char *home, const char **path,
		    struct err *err) MUST_CHECK;

/* The same mail, control and index directories. */
bool		location_same(const struct location *a, const struct location *b);

#endif
