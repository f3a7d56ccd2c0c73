/* SPDX-License-Identifier: ISC */
/*
 * rcfiles.c - the rc files that are being run, one included by the other
 */
#include "lda/recipe/rcfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lda/recipe/engine.h"
#include "lda/recipe/parser.h"

static void
unreadable(struct engine *e, const char *path)
{
	rclog_say_of(&e->log, "Couldn't read", path);
}

/* Read a regular file; any other has no text.  false: it is too large or cannot
 * be read. */
static bool
read_fd(int fd, TALLOC_CTX *ctx, char **data, size_t *len)
{
	struct stat sb;
	ssize_t n;

	*len = 0;
	if (fstat(fd, &sb) == -1 || sb.st_size > RC_SIZE_MAX)
		return false;
	*data = must(talloc_size(ctx, (size_t)sb.st_size + 1));
	if (!S_ISREG(sb.st_mode))
		return true;
	while (*len < (size_t)sb.st_size) {
		n = read(fd, *data + *len, (size_t)sb.st_size - *len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return false;
		if (n == 0)
			break;
		*len += (size_t)n;
	}
	return true;
}

static int
open_rc(const char *path)
{
	return open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* Count a file.  false: there were too many, and the run is over. */
static bool
count_opened(struct engine *e)
{
	struct err err;

	if (++e->rc.opened <= RC_OPENED_MAX)
		return true;
	(void)err_set(&err, ST_NEVER, "rc files include each other without "
	    "end");
	engine_defer(e, &err);
	return false;
}

/* Parse the file of fd, and close it; NULL: it cannot be run. */
static struct rcfile *
load(struct engine *e, const char *name, int fd)
{
	struct rcfile *rc;
	size_t len = 0;
	char *data = NULL;
	bool ok;

	ok = read_fd(fd, e, &data, &len);
	(void)close(fd);
	if (!ok || !count_opened(e)) {
		talloc_free(data);
		return NULL;
	}
	if (*name != '/' && *vars_text(e->vars, "MAILDIR") == '/')
		name = must(talloc_asprintf(data, "%s/%s",
		    vars_text(e->vars, "MAILDIR"), name));
	rc = rcfile_parse(e, name, data, len);
	(void)talloc_steal(rc, data);
	return rc;
}

/* Make it the next frame; the caller knows that there is room. */
static bool
push(struct engine *e, const char *name, int fd)
{
	struct rcfile *rc = load(e, name, fd);

	if (rc != NULL)
		e->rc.frame[e->rc.n++] = (struct frame){ rc, 0, e->blocks.n };
	return rc != NULL;
}

/*
 * May another user write the file?  It must belong to the recipient or root,
 * and neither the file nor its directory may be writable by everybody or, for
 * RC_DEFAULT, by a group other than the recipient's own.
 */
static bool
is_suspicious(const struct engine *e, const char *path, int fd,
    enum rc_type type)
{
	const struct account *a = e->su->account;
	const char *slash = strrchr(path, '/');
	struct stat sb;
	char *dir;
	int rc;

	if (fstat(fd, &sb) == -1)
		return true;
	if (strcmp(path, "/dev/null") != 0 && ((sb.st_uid != a->uid &&
	    sb.st_uid != 0) || (sb.st_mode & S_IWOTH) != 0 ||
	    (type == RC_DEFAULT && (sb.st_mode & S_IWGRP) != 0 &&
	    sb.st_gid != a->gid)))
		return true;
	dir = must(talloc_strndup(e->ctx, path, slash == NULL ? 0 :
	    (size_t)(slash - path)));
	rc = stat(*dir == '\0' ? "/" : dir, &sb);
	talloc_free(dir);
	if (rc == -1)
		return true;
	return (sb.st_mode & S_ISVTX) == 0 &&
	    ((sb.st_mode & (S_IWOTH | S_IXOTH)) == (S_IWOTH | S_IXOTH) ||
	    (type == RC_DEFAULT && (sb.st_mode & (S_IWGRP | S_IXGRP)) ==
	    (S_IWGRP | S_IXGRP) && sb.st_gid != a->gid));
}

/* Go to MAILDIR, which is HOME at first. */
static void
go_home(struct engine *e)
{
	const char *dir = e->su->account->home;

	if (e->process.chdir_done)
		return;
	if (chdir(dir) == -1) {
		rclog_say_of(&e->log, "Couldn't chdir to", dir);
		dir = ".";
	}
	e->process.chdir_done = true;
	vars_set(e->vars, "MAILDIR", dir);
}

bool
rcfiles_open(struct engine *e, const char *path, enum rc_type type, bool warn)
{
	int fd;

	engine_drop_root(e);		/* root reads no user's file */
	if (e->end.stop)
		return false;
	fd = open_rc(path);
	if (fd == -1) {
		if (warn)
			unreadable(e, path);
		return false;
	}
	if (type != RC_CURRENT && is_suspicious(e, path, fd, type)) {
		(void)close(fd);
		rclog_say_of(&e->log, "Suspicious rcfile", path);
		unreadable(e, path);
		return false;
	}
	if (type == RC_CURRENT && !e->process.chdir_done) {
		e->process.chdir_done = true;
		vars_set(e->vars, "MAILDIR", ".");
	}
	rclog_verbose(&e->log, "Rcfile:", path);
	if (!push(e, path, fd)) {
		unreadable(e, path);
		return false;
	}
	go_home(e);
	return true;
}

bool
rcfiles_open_etc(struct engine *e, const char *path)
{
	int fd = open_rc(path);
	struct stat sb;

	if (fd == -1)
		return false;
	/* Root may run it: it must be root's own. */
	if (fstat(fd, &sb) == -1 || sb.st_uid != 0 ||
	    (sb.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		(void)close(fd);
		rclog_say_of(&e->log, "Suspicious rcfile", path);
		return false;
	}
	rclog_verbose(&e->log, "Rcfile:", path);
	return push(e, path, fd);
}

/* Open a regular file; -1 with *nothing for an empty one and /dev/null. */
static int
open_named(struct engine *e, const char *path, bool *nothing)
{
	struct stat sb;
	int fd;

	*nothing = *path == '\0' || strcmp(path, "/dev/null") == 0;
	if (*nothing)
		return -1;
	fd = open_rc(path);
	if (fd == -1 || fstat(fd, &sb) == -1 || !S_ISREG(sb.st_mode)) {
		unreadable(e, path);
		if (fd != -1)
			(void)close(fd);
		return -1;
	}
	*nothing = sb.st_size == 0;
	if (*nothing) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

void
rcfiles_include(struct engine *e, const char *path)
{
	bool nothing;
	int fd;

	if (e->rc.n == 0)
		return;
	if (e->rc.n == RC_DEPTH_MAX) {
		rclog_say_of(&e->log, "Too many rc files in each other", path);
		return;
	}
	fd = open_named(e, path, &nothing);
	if (fd != -1 && !push(e, path, fd))
		unreadable(e, path);
}

/* Leave the blocks that were entered in the present file. */
static bool
leave_blocks(struct engine *e)
{
	return blocks_leave(&e->blocks, e->rc.frame[e->rc.n - 1].blocks);
}

static void
drop_frame(struct engine *e)
{
	e->rc.n--;
	TALLOC_FREE(e->rc.frame[e->rc.n].rc);
}

void
rcfiles_switch(struct engine *e, const char *path)
{
	struct rcfile *rc;
	bool nothing;
	int fd;

	if (e->rc.n == 0)
		return;
	fd = open_named(e, path, &nothing);
	if (nothing) {			/* the present file ends here */
		(void)leave_blocks(e);
		e->rc.frame[e->rc.n - 1].at = e->rc.frame[e->rc.n - 1].rc->n;
		return;
	}
	if (fd == -1)
		return;
	rc = load(e, path, fd);
	if (rc == NULL) {		/* the present file goes on */
		unreadable(e, path);
		return;
	}
	(void)leave_blocks(e);
	drop_frame(e);
	e->rc.frame[e->rc.n++] = (struct frame){ rc, 0, e->blocks.n };
}

bool
rcfiles_pop(struct engine *e)
{
	if (leave_blocks(e))
		rclog_say(&e->log, "Missing closing brace");
	drop_frame(e);
	return e->rc.n > 0;
}

void
rcfiles_leave(struct engine *e)
{
	while (e->rc.n > 0)
		drop_frame(e);
	(void)blocks_leave(&e->blocks, 0);
	e->rc.left = true;
}

const char *
rcfiles_name(const struct engine *e)
{
	return e->rc.n == 0 ? "" : e->rc.frame[e->rc.n - 1].rc->name;
}
