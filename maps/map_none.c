/* SPDX-License-Identifier: ISC */
/*
 * map_none.c - no map: nobody is moved, all mail stays where it was
 */
#include "maps/backend.h"

static enum status
none_open(struct map *map, const char *arg, int flags, struct err *err)
{
	(void)flags;
	if (arg[0] != '\0')
		return err_set(err, ST_NEVER, "map = none takes no path");
	map->settled = true;
	return ST_OK;
}

static void
none_close(struct map *map)
{
	(void)map;
}

static enum status
none_get(struct map *map, TALLOC_CTX *ctx, const char *user,
    struct record **rec, struct err *err)
{
	static const char *no_address[] = { NULL };
	struct record *r = must(talloc(ctx, struct record));

	(void)map;
	(void)err;
	*r = (struct record){ .user = must(talloc_strdup(r, user)),
	    .is_default = true, .uid = -1, .state = STATE_OLD,
	    .address = no_address, .by = "", .why = "", .unknown = "" };
	*rec = r;
	return ST_OK;
}

const struct map_ops map_none = {
	.scheme = "none", .open = none_open, .close = none_close,
	    .get = none_get,
};
