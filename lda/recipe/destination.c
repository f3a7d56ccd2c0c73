/* SPDX-License-Identifier: ISC */
/*
 * destination.c - a folder that a recipe names: one of the plan, or the engine's to write
 */
#include <string.h>

#include "lda/recipe/engine.h"

/* Is it one of the plan?  Then it is delivered, once and for all. */
static enum status
to_plan(struct engine *e, enum dest_kind kind, char **path,
    const struct piece *in, struct dest *dest)
{
	const struct sink *sink = e->su->sink;
	const char *folder = NULL, *where = NULL;
	enum status st;
	struct err err;

	if (sink == NULL)
		return ST_NONE;
	*dest = dest_new(e, kind, *path);
	dest->data = in->data;
	dest->len = in->len;
	st = sink->mailbox(sink->arg, dest, &folder, &where, &err);
	if (st == ST_OK) {
		e->tell = -1;
		e->dumped = (long)in->len;
		set_folder(e, folder);
	} else if (st == ST_NONE) {
		st = sink->was_done(sink->arg, dest, &err);
		if (st == ST_OK)
			set_folder(e, *path);
		if (where != NULL)
			*path = must(talloc_strdup(e->ctx, where));
	}
	if (st == ST_AGAIN || st == ST_NEVER)
		engine_defer(e, &err);
	return st;
}

static void
remember(struct engine *e, const struct dest *dest)
{
	const struct sink *sink = e->su->sink;
	struct err err;

	if (sink != NULL && sink->done(sink->arg, dest, &err) != ST_OK)
		diag(e, err.text);	/* it is done, whatever */
}

/* LASTFOLDER as the recipe has it, wherever the leader is. */
static void
call_it(struct engine *e, const char *named, const char *path)
{
	const char *is = vars_text(e->vars, "LASTFOLDER");
	size_t len = strlen(path);

	if (named != path && strncmp(is, path, len) == 0)
		set_folder(e, must(talloc_asprintf(e->ctx, "%s%s", named,
		    is + len)));
}

/*
 * With a map each of several folders is a delivery of its own: a link cannot lead
 * from one filer to the other.  One that is in the plan and cannot be delivered to
 * defers all.
 */
static bool
write_each(struct engine *e, const struct words *names, const struct piece *in,
    bool ignore, bool lock)
{
	unsigned how = (ignore ? WRITE_IGNORE : 0) | (lock ? WRITE_LOCK : 0);
	const char *name = words_next(names, NULL);
	char *all = NULL, *path, *named;
	struct dest dest;
	enum dest_kind kind;
	struct piece piece, file = *in;	/* file: as the first folder has it */
	enum status st;
	bool ok, first = true;
	long dumped = 0;

	for (; name != NULL && !e->stop; name = words_next(names, name)) {
		kind = folder_split(e->ctx, name, &path);
		named = path;
		piece = kind == DEST_MAILDIR ? folder_piece(e, in) : *in;
		st = to_plan(e, kind, &path, &piece, &dest);
		if (st == ST_AGAIN || st == ST_NEVER)
			return false;
		if (st == ST_NONE) {
			ok = folder_write_one(e, kind, path, names, NULL, &file,
			    how);
			call_it(e, named, path);
			if (!ok && first)
				return false;
			if (!ok)
				continue;
			remember(e, &dest);
		}
		if (first)
			dumped = e->dumped;
		all = all == NULL ? must(talloc_strdup(e->ctx,
		    vars_text(e->vars, "LASTFOLDER"))) :
		    must(talloc_asprintf_append(all, " %s",
		    vars_text(e->vars, "LASTFOLDER")));
		if (first && kind == DEST_FILE && st == ST_NONE &&
		    strcmp(all, named) == 0)
			break;		/* behind a file nothing else counts */
		if (first && kind == DEST_MAILDIR) {
			file = piece;
			file.raw = true;
		}
		how |= WRITE_SECOND;
		first = false;
	}
	if (all == NULL)
		return false;
	set_folder(e, all);
	e->dumped = dumped;
	return true;
}

/* Is any of them one of the plan? */
static bool
any_inside(struct engine *e, const struct words *names)
{
	const struct sink *sink = e->su->sink;
	const char *name = words_next(names, NULL), *dir = working_dir(e);

	for (; name != NULL; name = words_next(names, name))
		if (sink->inside(sink->arg, dir, name))
			return true;
	return false;
}

/* All of them are outside: one delivery, as without a map, but once for all. */
static bool
write_outside(struct engine *e, enum dest_kind kind, char *path,
    const struct words *names, const struct piece *in, bool ignore, bool lock)
{
	const char *name = words_next(names, NULL);
	const struct sink *sink = e->su->sink;
	struct dest dest = dest_new(e, kind, path);
	enum status st;
	struct err err;

	st = sink->was_done(sink->arg, &dest, &err);
	if (st == ST_AGAIN || st == ST_NEVER) {
		engine_defer(e, &err);
		return false;
	}
	if (st == ST_OK) {
		set_folder(e, path);
		return true;
	}
	if (!folder_write_one(e, kind, path, names, words_next(names, name), in,
	    (ignore ? WRITE_IGNORE : 0) | (lock ? WRITE_LOCK : 0)))
		return false;
	remember(e, &dest);
	return true;
}

bool
folder_write(struct engine *e, const struct words *names,
    const struct piece *in, bool ignore, bool lock)
{
	const char *name = words_next(names, NULL);
	enum dest_kind kind;
	char *path;

	if (e->privileged)		/* no mail is written by root */
		drop_privileges(e);
	if (e->stop)
		return false;
	kind = folder_split(e->ctx, name, &path);
	if (e->su->sink != NULL && strcmp(name, "/dev/null") != 0 &&
	    *name != '|')
		return any_inside(e, names) ? write_each(e, names, in, ignore,
		    lock) : write_outside(e, kind, path, names, in, ignore,
		    lock);
	return folder_write_one(e, kind, path, names, words_next(names, name), in,
	    (ignore ? WRITE_IGNORE : 0) | (lock ? WRITE_LOCK : 0));
}
