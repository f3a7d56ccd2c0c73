/* SPDX-License-Identifier: ISC */
/*
 * destination.c - the folders that a recipe names, wherever they lie
 */
#include "lda/recipe/destination.h"

#include <string.h>

#include "lda/recipe/delivered.h"
#include "lda/recipe/engine.h"
#include "lda/recipe/folder.h"

/* Deliver to it if it is a mailbox of the plan; ST_NONE: it is not, and *path
 * is the path to write to. */
static enum status
to_plan(struct engine *e, enum dest_kind kind, char **path,
    const struct part *in, struct dest *dest)
{
	const struct sink *sink = e->su->sink;
	const char *folder = NULL, *where = NULL;
	enum status st;
	struct err err;

	*dest = delivered_next(e, kind, *path);
	dest->data = in->data;
	dest->len = in->len;
	st = sink->mailbox(sink->arg, dest, &folder, &where, &err);
	if (st == ST_OK) {
		e->last.tell = -1;
		e->last.bytes = (long)in->len;
		delivered_to(e, folder);
	} else if (st == ST_NONE) {
		st = delivered_before(e, dest);
		if (where != NULL)
			*path = must(talloc_strdup(e->ctx, where));
	} else
		engine_defer(e, &err);
	return st;
}

/* Name the path in LASTFOLDER as the recipe does, wherever the leader is. */
static void
call_it(struct engine *e, const char *named, const char *path)
{
	const char *is = vars_text(e->vars, "LASTFOLDER");
	size_t len = strlen(path);

	if (named != path && strncmp(is, path, len) == 0)
		delivered_to(e, must(talloc_asprintf(e->ctx, "%s%s", named,
		    is + len)));
}

/* Several folders, some of which are mailboxes of the plan. */
struct each {
	struct engine	*e;
	const struct words *names;
	const struct part *in;
	struct part	 file;		/* as the first folder has it */
	unsigned	 how;		/* enum folder_how */
	char		*all;		/* LASTFOLDER of all; NULL: none yet */
	long		 bytes;		/* of the first */
	bool		 failed;	/* all of them, whatever was written */
	bool		 over;		/* the other folders are not written */
};

/* Note that one folder has the message. */
static void
add_folder(struct each *x, enum dest_kind kind, const struct part *part,
    bool ours, const char *named)
{
	struct engine *e = x->e;
	const char *folder = vars_text(e->vars, "LASTFOLDER");

	x->how |= WRITE_SECOND;
	if (x->all != NULL) {
		x->all = must(talloc_asprintf_append(x->all, " %s", folder));
		return;
	}
	x->bytes = e->last.bytes;
	x->all = must(talloc_strdup(e->ctx, folder));
	/* As in procmail the words after a file are ignored. */
	x->over = kind == DEST_FILE && ours && strcmp(x->all, named) == 0;
	if (kind == DEST_MAILDIR) {
		x->file = *part;
		x->file.raw = true;
	}
}

static void
write_next(struct each *x, const char *name)
{
	struct engine *e = x->e;
	struct part part;
	struct dest dest;
	enum dest_kind kind;
	enum status st;
	char *path, *named;
	bool ok;

	kind = folder_split(e->ctx, name, &path);
	named = path;
	part = kind == DEST_MAILDIR ? mail_without_from(e->mail, x->in) :
	    *x->in;
	st = to_plan(e, kind, &path, &part, &dest);
	if (st == ST_NONE) {
		ok = folder_write(e, kind, path, x->names, NULL, &x->file,
		    x->how);
		call_it(e, named, path);
		x->failed = !ok && x->all == NULL;
		if (!ok)
			return;
		delivered_now(e, &dest);
	}
	if (st == ST_AGAIN || st == ST_NEVER)
		x->failed = true;
	else
		add_folder(x, kind, &part, st == ST_NONE, named);
}

/*
 * With a map each of several folders is a delivery of its own, as a link cannot
 * lead from one filer to the other.  If a mailbox of the plan cannot be
 * delivered to, all are deferred; if the first folder fails, all have failed.
 */
static bool
write_each(struct engine *e, const struct words *names, const struct part *in,
    unsigned how)
{
	const char *name = words_next(names, NULL);
	struct each x = { .e = e, .names = names, .in = in, .file = *in,
	    .how = how };

	for (; name != NULL && !e->end.stop && !x.failed && !x.over;
	    name = words_next(names, name))
		write_next(&x, name);
	if (x.failed || x.all == NULL)
		return false;
	delivered_to(e, x.all);
	e->last.bytes = x.bytes;
	return true;
}

/* Is any of the folders a mailbox of the plan? */
static bool
any_inside(struct engine *e, const struct words *names)
{
	const struct sink *sink = e->su->sink;
	const char *name = words_next(names, NULL), *dir = engine_dir(e);

	for (; name != NULL; name = words_next(names, name))
		if (sink->inside(sink->arg, dir, name))
			return true;
	return false;
}

/* All of the folders are outside: one delivery, as without a map. */
static bool
write_outside(struct engine *e, enum dest_kind kind, char *path,
    const struct words *names, const char *others, const struct part *in,
    unsigned how)
{
	struct dest dest = delivered_next(e, kind, path);
	enum status st = delivered_before(e, &dest);

	if (st != ST_NONE)
		return st == ST_OK;
	if (!folder_write(e, kind, path, names, others, in, how))
		return false;
	delivered_now(e, &dest);
	return true;
}

bool
destination_write(struct engine *e, const struct words *names,
    const struct part *in, bool ignore, bool lock)
{
	const char *name = words_next(names, NULL), *others;
	unsigned how = (ignore ? WRITE_IGNORE : 0) | (lock ? WRITE_LOCK : 0);
	enum dest_kind kind;
	char *path;

	engine_drop_root(e);
	if (e->end.stop)
		return false;
	kind = folder_split(e->ctx, name, &path);
	others = words_next(names, name);
	if (e->su->sink == NULL || strcmp(name, "/dev/null") == 0 ||
	    *name == '|')
		return folder_write(e, kind, path, names, others, in, how);
	if (any_inside(e, names))
		return write_each(e, names, in, how);
	return write_outside(e, kind, path, names, others, in, how);
}
