/* SPDX-License-Identifier: ISC */
/*
 * folders.c - which mailboxes a location has
 *
 * Directories are entered one after the other, by their path from the Maildir:
 * no recursion and one descriptor, however deep a user has made them.
 */
#include "lda/store/folders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_FLAGS	(O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define TRASHED		"..DOVECOT-TRASHED"
#define ASIDE_BEFORE	"mailferry-aside."	/* beside cur/, of an older */
#define MAILBOX_LINKS	5	/* of a mailbox's directory that has cur/, new/
				   and tmp/ and no other one */

struct walk {
	TALLOC_CTX	*ctx;		/* of the result */
	struct folders	*list;
	size_t		 room;		/* of list->at */
	const char     **todo;		/* directories that are still to be
					   read */
	size_t		 ntodo, todo_room;
	int		 root;		/* the Maildir */
};

static void *
grow(TALLOC_CTX *ctx, void *array, size_t size, size_t *room)
{
	*room = *room == 0 ? 64 : *room * 2;
	return must(talloc_realloc_size(ctx, array, size * *room));
}

static void
add_folder(struct walk *w, const char *name, const struct stat *sb)
{
	if (w->list->n == w->room)
		w->list->at = grow(w->ctx, w->list->at, sizeof(struct folder),
		    &w->room);
	w->list->at[w->list->n++] = (struct folder){
		must(talloc_strdup(w->list->at, name)), sb->st_dev,
		sb->st_ino };
}

static void
add_todo(struct walk *w, const char *name)
{
	if (w->ntodo == w->todo_room)
		w->todo = grow(NULL, w->todo, sizeof(*w->todo), &w->todo_room);
	w->todo[w->ntodo++] = must(talloc_strdup(w->todo, name));
}

/* Could an entry of this name be a mailbox, or have some below it? */
static bool
may_be_folder(const struct dirent *de)
{
	static const char *const parts[] = { "cur", "new", "tmp", ".", ".." };
	size_t i;

	if (de->d_type != DT_DIR && de->d_type != DT_UNKNOWN)
		return false;
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strcmp(de->d_name, parts[i]) == 0)
			return false;
	return strncmp(de->d_name, TRASHED, sizeof(TRASHED) - 1) != 0 &&
	    strncmp(de->d_name, ASIDE_BEFORE, sizeof(ASIDE_BEFORE) - 1) != 0;
}

/* After a call that failed: no mail of this user is there.  Anything else only
 * means that we could not look. */
static bool
is_nothing(void)
{
	return errno == ENOENT || errno == EACCES || errno == ENOTDIR ||
	    errno == ELOOP || errno == ENAMETOOLONG;
}

static enum status
has_cur(int at, const char *name, bool *has, struct err *err)
{
	char cur[PATH_MAX];
	struct stat sb;

	*has = false;
	if (snprintf(cur, sizeof(cur), "%s/cur", name) >= (int)sizeof(cur))
		return ST_OK;
	if (fstatat(at, cur, &sb, AT_SYMLINK_NOFOLLOW) == -1)
		return is_nothing() ? ST_OK : err_sys(err, "stat %s", cur);
	*has = S_ISDIR(sb.st_mode);
	return ST_OK;
}

/* `path` from the Maildir: a mailbox, a directory to be read, both, or
 * neither. */
static enum status
look_at(struct walk *w, const char *path, struct err *err)
{
	enum status st;
	bool mailbox;
	struct stat sb;

	if (fstatat(w->root, path, &sb, AT_SYMLINK_NOFOLLOW) == -1)
		return is_nothing() ? ST_OK : err_sys(err, "stat %s", path);
	if (!S_ISDIR(sb.st_mode))
		return ST_OK;
	st = has_cur(w->root, path, &mailbox, err);
	if (st != ST_OK)
		return st;
	if (mailbox)
		add_folder(w, path, &sb);
	/* File systems that do not count their directories have 1 here. */
	if (!mailbox || sb.st_nlink != MAILBOX_LINKS)
		add_todo(w, path);
	return ST_OK;
}

static enum status
read_dir(struct walk *w, const char *path, struct err *err)
{
	int fd = openat(w->root, *path == '\0' ? "." : path, DIR_FLAGS);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	char below[PATH_MAX];
	enum status st = ST_OK;
	struct dirent *de;

	if (fd == -1)
		return is_nothing() ? ST_OK : err_sys(err, "open %s", path);
	if (dir == NULL) {
		st = err_sys(err, "read %s", path);
		(void)close(fd);
		return st;
	}
	for (errno = 0; st == ST_OK && (de = readdir(dir)) != NULL; errno = 0)
		if (may_be_folder(de) && snprintf(below, sizeof(below),
		    "%s%s%s", path, *path == '\0' ? "" : "/", de->d_name) <
		    (int)sizeof(below))
			st = look_at(w, below, err);
	if (st == ST_OK && errno != 0)
		st = err_sys(err, "read %s", path);
	(void)closedir(dir);
	return st;
}

static int
by_name(const void *a, const void *b)
{
	const struct folder *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static enum status
walk_all(struct walk *w, struct err *err)
{
	enum status st = ST_OK;
	struct stat sb;
	const char *path;
	bool mailbox = false;

	if (fstat(w->root, &sb) == -1)
		return err_sys(err, "stat");
	st = has_cur(w->root, ".", &mailbox, err);
	if (mailbox)
		add_folder(w, "", &sb);
	add_todo(w, "");
	while (st == ST_OK && w->ntodo > 0) {
		path = w->todo[--w->ntodo];
		st = read_dir(w, path, err);
		talloc_free((void *)path);
	}
	return st;
}

enum status
maildir_folders(TALLOC_CTX *ctx, const struct location *loc,
    struct folders *list, struct err *err)
{
	struct folders found = { NULL, 0 };
	struct walk w = { .ctx = ctx, .list = &found };
	enum status st;

	/* The path of a location is followed as it is. */
	w.root = open(loc->mail, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w.root == -1)
		return errno == ENOENT ? ST_NONE : err_sys(err, "open %s",
		    loc->mail);
	st = walk_all(&w, err);
	(void)close(w.root);
	talloc_free(w.todo);
	if (st != ST_OK) {
		talloc_free(found.at);
		return err_wrap(err, st, "%s", loc->mail);
	}
	if (found.n > 0)
		qsort(found.at, found.n, sizeof(*found.at), by_name);
	*list = found;
	return ST_OK;
}

const struct folder *
folders_find(const struct folders *list, const char *name)
{
	const struct folder key = { .name = name };

	return list->n == 0 ? NULL : bsearch(&key, list->at, list->n,
	    sizeof(*list->at), by_name);
}
