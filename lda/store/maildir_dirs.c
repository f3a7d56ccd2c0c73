/* SPDX-License-Identifier: ISC */
/*
 * maildir_dirs.c - a directory of a Maildir: opened, or made as Dovecot would
 */
#include "lda/store/maildir_dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <talloc.h>
#include <unistd.h>

#define DIR_FLAGS	(O_RDONLY | O_DIRECTORY | O_CLOEXEC)

/* Is `path` below the mount point? */
static bool
is_below(const char *path, const char *filer)
{
	size_t len = filer == NULL ? 0 : strlen(filer);

	return len > 0 && strncmp(path, filer, len) == 0 && path[len] == '/';
}

/*
 * Mode and group of a directory that was just made with `mode`.  The
 * set-group-ID bit is mkdir()'s to give: a chmod() by a user outside the group
 * takes it away.
 */
static enum status
permit(int fd, const char *name, mode_t mode, const struct stat *parent,
    struct err *err)
{
	struct stat sb;

	if (fstat(fd, &sb) == -1)
		return err_sys(err, "stat %s", name);
	if ((parent->st_mode & S_ISGID) == 0 && sb.st_gid != parent->st_gid &&
	    fchown(fd, (uid_t)-1, parent->st_gid) == -1)
		mode &= (mode_t)~070;	/* not our group: not its mail, then */
	if ((sb.st_mode & 0777) != mode &&
	    fchmod(fd, mode | (sb.st_mode & S_ISGID)) == -1)
		return err_sys(err, "chmod %s", name);
	return ST_OK;
}

/* Make it where it is missing, and open it. */
static enum status
make_dir(int at, const char *name, const struct stat *parent, int *fd,
    struct err *err)
{
	mode_t mode = (parent->st_mode & 0777) | 0700;
	mode_t mask = umask(0);
	int rc = mkdirat(at, name, mode);
	enum status st;

	(void)umask(mask);
	if (rc == -1 && errno != EEXIST)
		return err_sys(err, "mkdir %s", name);
	*fd = openat(at, name, DIR_FLAGS | O_NOFOLLOW);
	if (*fd == -1)
		return err_sys(err, "open %s", name);
	st = rc == -1 ? ST_OK : permit(*fd, name, mode, parent, err);
	if (st != ST_OK)
		(void)close(*fd);
	return st;
}

enum status
maildir_dir(int at, const char *name, bool make, int *fd, struct err *err)
{
	struct stat parent;

	*fd = openat(at, name, DIR_FLAGS | O_NOFOLLOW);
	if (*fd != -1)
		return ST_OK;
	if (errno != ENOENT)
		return err_sys(err, "open %s", name);
	if (!make)
		return ST_NONE;
	if (fstat(at, &parent) == -1)
		return err_sys(err, "stat the parent of %s", name);
	return make_dir(at, name, &parent, fd, err);
}

/* May a directory be made in this one? */
static enum status
check_parent(const char *path, const char *parent, const struct stat *sb,
    const char *filer, struct err *err)
{
	if (sb->st_uid == geteuid() || is_below(path, filer))
		return ST_OK;
	return err_set(err, ST_AGAIN, "%s is missing and %s is not the "
	    "recipient's: is the file system mounted?", path, parent);
}

static enum status	make_path(const char *, const char *, int *,
			    struct err *);

/* A missing parent; sb is what it is then. */
static enum status
make_parent(const char *parent, const char *filer, struct stat *sb,
    struct err *err)
{
	enum status st;
	int fd = -1;

	if (errno != ENOENT || strcmp(parent, "/") == 0)
		return err_sys(err, "%s", parent);
	st = make_path(parent, filer, &fd, err);
	if (st != ST_OK)
		return st;
	if (fstat(fd, sb) == -1)
		st = err_sys(err, "%s", parent);
	(void)close(fd);
	return st;
}

static enum status
make_path(const char *path, const char *filer, int *fd, struct err *err)
{
	char *copy = must(talloc_strdup(NULL, path)), *parent = dirname(copy);
	enum status st = ST_OK;
	struct stat sb;

	if (stat(parent, &sb) == -1)
		st = make_parent(parent, filer, &sb, err);
	if (st == ST_OK)
		st = check_parent(path, parent, &sb, filer, err);
	if (st == ST_OK)
		st = make_dir(AT_FDCWD, path, &sb, fd, err);
	talloc_free(copy);
	return st;
}

enum status
maildir_dir_at_path(const char *path, const char *filer, bool make, int *fd,
    struct err *err)
{
	/* Not open(): with musl that is two system calls. */
	*fd = openat(AT_FDCWD, path, DIR_FLAGS);
	if (*fd != -1)
		return ST_OK;
	if (errno != ENOENT)
		return err_sys(err, "open %s", path);
	return make ? make_path(path, filer, fd, err) : ST_NONE;
}
