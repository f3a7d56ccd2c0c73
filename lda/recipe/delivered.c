/* SPDX-License-Identifier: ISC */
/*
 * delivered.c - the last delivery, and whether an earlier run has made it
 */
#include "lda/recipe/delivered.h"

#include "lda/recipe/engine.h"

void
delivered_to(struct engine *e, const char *name)
{
	vars_set(e->vars, "LASTFOLDER", name);
	if (e->log.verbose != 0)
		rclog_verbose(&e->log, "Assigning", must(talloc_asprintf(e->ctx,
		    "LASTFOLDER=%s", vars_text(e->vars, "LASTFOLDER"))));
}

struct dest
delivered_next(struct engine *e, enum dest_kind kind, const char *path)
{
	struct delivered *d = &e->last;

	return (struct dest){ .kind = kind, .path = path, .dir = engine_dir(e),
	    .ordinal = d->lineage << 12 | (d->ordinal++ & 0xfff) };
}

enum status
delivered_before(struct engine *e, const struct dest *dest)
{
	const struct sink *sink = e->su->sink;
	enum status st = ST_NONE;
	struct err err;

	if (sink != NULL)
		st = sink->was_done(sink->arg, dest, &err);
	if (st == ST_OK)
		delivered_to(e, dest->path);
	else if (st != ST_NONE)
		engine_defer(e, &err);
	return st;
}

void
delivered_now(struct engine *e, const struct dest *dest)
{
	const struct sink *sink = e->su->sink;
	struct err err;

	if (sink != NULL && sink->done(sink->arg, dest, &err) != ST_OK)
		rclog_say(&e->log, err.text);
}

void
delivered_as_clone(struct engine *e)
{
	struct delivered *d = &e->last;

	d->lineage = d->lineage * 61 + ++d->clones;
	d->clones = 0;
	d->ordinal = 0;
}
