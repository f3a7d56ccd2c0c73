/* SPDX-License-Identifier: ISC */
/*
 * folder.c - folders outside of the migration: mbox, directory, MH, Maildir
 */
#include "lda/recipe/folder.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lda/recipe/delivered.h"
#include "lda/recipe/engine.h"
#include "lda/recipe/folder_parts.h"
#include "lda/recipe/lockfile.h"

enum dest_kind
folder_split(TALLOC_CTX *ctx, const char *name, char **path)
{
	enum dest_kind kind = DEST_FILE;
	size_t len = strlen(name);

	if (len > 2 && strcmp(name + len - 2, "/.") == 0) {
		kind = DEST_MH;
		len -= 2;
	} else if (len > 1 && name[len - 1] == '/') {
		kind = DEST_MAILDIR;
		len--;
	}
	/* Further slashes mean nothing. */
	while (kind != DEST_FILE && len > 1 && name[len - 1] == '/')
		len--;
	*path = must(talloc_strndup(ctx, name, len));
	return kind;
}

/* The mode of a directory, which is made; 0: it cannot be. */
static mode_t
make_dir(const char *path)
{
	struct stat sb;

	if (stat(path, &sb) == 0)
		return sb.st_mode;
	if (errno != ENOENT || mkdir(path, 0777) == -1)
		return 0;
	return stat(path, &sb) == 0 ? sb.st_mode : 0;
}

static bool
make_maildir(TALLOC_CTX *ctx, const char *path)
{
	static const char *const parts[] = { "new", "cur", "tmp" };
	bool ok = true;
	size_t i;

	for (i = 0; i < 3 && ok; i++) {
		char *part = must(talloc_asprintf(ctx, "%s/%s", path,
		    parts[i]));

		ok = S_ISDIR(make_dir(part));
		talloc_free(part);
	}
	return ok;
}

/* The mode that a new mbox gets. */
static mode_t
file_mode(const struct engine *e)
{
	return S_IFREG | (FOLDER_FILE_MODE & ~e->folders.umask);
}

/* Find out what it is, and make it if it is a directory; secondary: it must be
 * one. */
static struct folder
find_folder(struct engine *e, enum dest_kind kind, char *path, bool secondary)
{
	struct folder f = { F_MBOX, path, 0 };
	struct stat sb;

	if (kind == DEST_FILE && !secondary) {
		if (stat(path, &sb) == -1)
			f.mode = file_mode(e);
		else
			f.mode = sb.st_mode;
		if (S_ISDIR(f.mode))
			f.kind = F_DIR;
		return f;
	}
	f.mode = make_dir(path);
	f.kind = kind == DEST_MAILDIR ? F_MAILDIR : kind == DEST_MH ? F_MH :
	    F_DIR;
	if (S_ISDIR(f.mode) && (kind != DEST_MAILDIR ||
	    make_maildir(e->ctx, path)))
		return f;
	rclog_say_of(&e->log, "Unable to treat as directory", path);
	f.kind = F_NONE;
	if (secondary || S_ISDIR(f.mode)) {
		rclog_say_of(&e->log, "Skipped", path);
		return f;
	}
	f.kind = F_MBOX;		/* as the file that it is */
	if (f.mode == 0)
		f.mode = file_mode(e);
	return f;
}

/* Give further folders a link to the file of the first one. */
static void
link_others(struct engine *e, const struct words *names, const char *name,
    const char *file)
{
	struct folder f;
	char *path, *linked;
	enum dest_kind kind;

	for (; name != NULL; name = words_next(names, name)) {
		kind = folder_split(e->ctx, name, &path);
		f = find_folder(e, kind, path, true);
		if (f.kind == F_NONE)
			continue;
		linked = folder_link(e, &f, file);
		if (linked == NULL) {
			rclog_say_of(&e->log, "Couldn't make link to", path);
			continue;
		}
		rclog_verbose(&e->log, "Linking to", linked);
		delivered_to(e, must(talloc_asprintf(e->ctx, "%s %s",
		    vars_text(e->vars, "LASTFOLDER"), linked)));
		folder_mark_arrived(e, &f);
	}
}

bool
folder_stdout(struct engine *e, const char *name, const struct part *in,
    bool ignore)
{
	struct folder_out o = { .fd = STDOUT_FILENO };

	rclog_flush(&e->log);
	delivered_to(e, name);
	e->last.tell = -1;
	folder_put(&o, in->data, in->len);
	folder_put_last_line(&o, in);
	e->last.bytes = o.n;
	if (!o.failed || ignore)
		return true;
	errno = o.error;
	return folder_failed(e, name);
}

/* Take the lockfile of an mbox.  false: the run is over. */
static bool
lock_mbox(struct engine *e, const char *path)
{
	const char *global = e->locks.global;
	char *lock;

	if (strcmp(path, "/dev/null") == 0)
		return true;
	lock = must(talloc_asprintf(e->ctx, "%s%s", path, e->locks.ext));
	if (global == NULL || strcmp(global, lock) != 0)
		(void)lockfile_take(e, lock, &e->locks.local);
	return !e->end.stop;
}

bool
folder_write(struct engine *e, enum dest_kind kind, char *path,
    const struct words *names, const char *others, const struct part *in,
    unsigned how)
{
	bool second = (how & WRITE_SECOND) != 0;
	bool ignore = (how & WRITE_IGNORE) != 0;
	struct part part;
	struct folder f;
	char *left;

	if (*path == '|' && !second)
		return folder_stdout(e, path, in, ignore);
	f = find_folder(e, kind, path, second);
	part = f.kind == F_MAILDIR ? mail_without_from(e->mail, in) : *in;
	if (f.kind == F_NONE)
		return false;
	if (f.kind != F_MBOX) {
		left = folder_new_file(e, &f, &part, ignore);
		if (left != NULL)
			link_others(e, names, others, left);
		return left != NULL;
	}
	if (others != NULL) {
		left = words_join(e->ctx, names, others);
		if (*left != '\0')
			rclog_say_of(&e->log, "Skipped", left);
	}
	if ((how & WRITE_LOCK) != 0 && !lock_mbox(e, path))
		return false;
	return folder_append(e, &f, &part, ignore);
}
