/* SPDX-License-Identifier: ISC */
/*
 * rcfile.c - rc files: may they be run, and which is being run
 *
 * A file is checked when it is open, by the descriptor, and read whole before
 * its first statement: whoever changes it meanwhile changes the next run.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lda/recipe/engine.h"

static void
unreadable(struct engine *e, const char *path)
{
	diag_of(e, "Couldn't read", path);
}

/* Text of a regular file; of anything else none.  false: no memory is meant for
 * that much, or it cannot be read. */
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

/* Another file in a run.  false: there were too many; the run is over. */
static bool
count_opened(struct engine *e)
{
	struct err err;

	if (++e->opened <= RC_OPENED_MAX)
		return true;
	(void)err_set(&err, ST_NEVER, "rc files include each other without end");
	engine_defer(e, &err);
	return false;
}

/* Parse what is in fd, which is closed; NULL: it cannot be run. */
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

/* As the next frame; there is room for one. */
static bool
push(struct engine *e, const char *name, int fd)
{
	struct rcfile *rc = load(e, name, fd);

	if (rc != NULL)
		e->frame[e->nframe++] = (struct frame){ rc, 0, e->nblock };
	return rc != NULL;
}

/*
 * Whose is it, and who can write it?  Owner is the recipient or root; neither it
 * nor its directory may be writable by everybody, nor, for the default one, by
 * another group than his own.
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

/* Go to MAILDIR, which is HOME as yet. */
static void
go_home(struct engine *e)
{
	const char *dir = e->su->account->home;

	if (e->chdir_done)
		return;
	if (chdir(dir) == -1) {
		diag_of(e, "Couldn't chdir to", dir);
		dir = ".";
	}
	e->chdir_done = true;
	vars_set(e->vars, "MAILDIR", dir);
}

bool
rc_open(struct engine *e, const char *path, enum rc_type type, bool warn)
{
	int fd;

	drop_privileges(e);		/* a user's file is not root's to read */
	if (e->stop)
		return false;
	fd = open_rc(path);
	if (fd == -1) {
		if (warn)
			unreadable(e, path);
		return false;
	}
	if (type != RC_CURRENT && is_suspicious(e, path, fd, type)) {
		(void)close(fd);
		diag_of(e, "Suspicious rcfile", path);
		unreadable(e, path);
		return false;
	}
	if (type == RC_CURRENT && !e->chdir_done) {
		e->chdir_done = true;
		vars_set(e->vars, "MAILDIR", ".");
	}
	chat(e, "Rcfile:", path);
	if (!push(e, path, fd)) {
		unreadable(e, path);
		return false;
	}
	go_home(e);
	return true;
}

bool
rc_open_etc(struct engine *e, const char *path)
{
	int fd = open_rc(path);
	struct stat sb;

	if (fd == -1)
		return false;
	/* Run with more rights than anybody's: only root's own. */
	if (fstat(fd, &sb) == -1 || sb.st_uid != 0 ||
	    (sb.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		(void)close(fd);
		diag_of(e, "Suspicious rcfile", path);
		return false;
	}
	chat(e, "Rcfile:", path);
	return push(e, path, fd);
}

/* A regular file that is there; empty ones and /dev/null are nothing. */
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
rc_include(struct engine *e, const char *path)
{
	bool nothing;
	int fd;

	if (e->nframe == 0)
		return;			/* not from the command line */
	if (e->nframe == RC_DEPTH_MAX) {
		diag_of(e, "Too many rc files in each other", path);
		return;
	}
	fd = open_named(e, path, &nothing);
	if (fd != -1 && !push(e, path, fd))
		unreadable(e, path);
}

/* Blocks that were entered in the file are left with it. */
static void
leave_blocks(struct engine *e)
{
	e->nblock = e->frame[e->nframe - 1].blocks;
}

static void
drop_frame(struct engine *e)
{
	e->nframe--;
	TALLOC_FREE(e->frame[e->nframe].rc);
}

void
rc_switch(struct engine *e, const char *path)
{
	struct rcfile *rc;
	bool nothing;
	int fd;

	if (e->nframe == 0)
		return;
	fd = open_named(e, path, &nothing);
	if (nothing) {			/* as if the file ended here */
		leave_blocks(e);
		e->frame[e->nframe - 1].at = e->frame[e->nframe - 1].rc->n;
		return;
	}
	if (fd == -1)
		return;
	rc = load(e, path, fd);
	if (rc == NULL) {		/* then this one goes on */
		unreadable(e, path);
		return;
	}
	leave_blocks(e);
	drop_frame(e);
	e->frame[e->nframe++] = (struct frame){ rc, 0, e->nblock };
}

/* The end of a file: back to the one that included it. */
bool
rc_pop(struct engine *e)
{
	if (e->nblock > e->frame[e->nframe - 1].blocks) {
		leave_blocks(e);
		diag(e, "Missing closing brace");
	}
	drop_frame(e);
	return e->nframe > 0;
}

/* All of them, at once. */
void
rc_leave(struct engine *e)
{
	while (e->nframe > 0)
		drop_frame(e);
	e->nblock = 0;
	e->left = true;
}
