/* SPDX-License-Identifier: ISC */
/*
 * maildir_open.c - the directories of one mailbox: opened, or made as Dovecot would
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lda/store/maildir.h"

#define ZFS_MAGIC	0x2fc12fc1	/* the others: linux/magic.h */
#define DIR_FLAGS	(O_RDONLY | O_DIRECTORY | O_CLOEXEC)

enum status
filer_check(const char *filer, struct err *err)
{
	struct stat sb;
	char *marker;
	int rc;

	if (filer == NULL)
		return ST_OK;
	marker = must(talloc_asprintf(NULL, "%s/%s", filer, FILER_MARKER));
	rc = lstat(marker, &sb);
	talloc_free(marker);
	if (rc == 0 && S_ISREG(sb.st_mode) &&
	    (sb.st_uid == 0 || sb.st_uid == geteuid()))
		return ST_OK;
	return err_set(err, ST_AGAIN, "%s has no %s: it is not mounted, or "
	    "`mailferry doctor --init` was never run", filer, FILER_MARKER);
}

static int
maildir_destroy(struct maildir *md)
{
	const int fds[] = { md->root, md->tmp, md->new, md->cur,
	    md->dir == md->root ? -1 : md->dir, md->ctl == md->dir ? -1 : md->ctl,
	    md->idx == md->ctl ? -1 : md->idx };
	size_t i;

	for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] != -1)
			(void)close(fds[i]);
	return 0;
}

/* Is `path` below the mount point? */
static bool
is_below(const char *path, const char *filer)
{
	size_t len = filer == NULL ? 0 : strlen(filer);

	return len > 0 && strncmp(path, filer, len) == 0 && path[len] == '/';
}

/*
 * Mode and group as the parent has them; the umask does not count.  A set-group-ID
 * bit is mkdir()'s to give: a chmod() by who is not in the group takes it away.
 */
static enum status
make_dir(int at, const char *name, const struct stat *parent, struct err *err)
{
	mode_t mode = (parent->st_mode & 0777) | 0700;
	mode_t mask = umask(0);
	int rc = mkdirat(at, name, mode);
	struct stat sb;

	(void)umask(mask);
	if (rc == -1)
		return errno == EEXIST ? ST_OK : err_sys(err, "mkdir %s", name);
	if (fstatat(at, name, &sb, AT_SYMLINK_NOFOLLOW) == -1)
		return err_sys(err, "stat %s", name);
	if ((parent->st_mode & S_ISGID) == 0 && sb.st_gid != parent->st_gid &&
	    fchownat(at, name, (uid_t)-1, parent->st_gid,
	    AT_SYMLINK_NOFOLLOW) == -1)
		mode &= (mode_t)~070;	/* not our group: not its mail, then */
	if ((sb.st_mode & 0777) != mode && fchmodat(at, name,
	    mode | (sb.st_mode & S_ISGID), 0) == -1)
		return err_sys(err, "chmod %s", name);
	return ST_OK;
}

/* A path whose parents may be missing: made below the recipient's own, or below
 * a filer that is mounted, and nowhere else. */
static enum status
make_path(const char *path, const char *filer, struct err *err)
{
	char *copy = must(talloc_strdup(NULL, path)), *parent = dirname(copy);
	enum status st = ST_OK;
	struct stat sb;

	if (stat(path, &sb) == 0)
		goto out;
	if (stat(parent, &sb) == -1) {
		if (errno != ENOENT || strcmp(parent, "/") == 0)
			st = err_sys(err, "%s", parent);
		else
			st = make_path(parent, filer, err);
		if (st == ST_OK && stat(parent, &sb) == -1)
			st = err_sys(err, "%s", parent);
	}
	if (st == ST_OK && sb.st_uid != geteuid() && !is_below(path, filer))
		st = err_set(err, ST_AGAIN, "%s is missing and %s is not the "
		    "recipient's: is the file system mounted?", path, parent);
	if (st == ST_OK)
		st = make_dir(AT_FDCWD, path, &sb, err);
out:
	talloc_free(copy);
	return st;
}

/* A directory below; ST_NONE where it is not there and is not to be made. */
static enum status
sub_dir(int at, const char *name, bool make, int *fd, struct err *err)
{
	struct stat parent;
	enum status st;

	*fd = openat(at, name, DIR_FLAGS | O_NOFOLLOW);
	if (*fd != -1)
		return ST_OK;
	if (errno != ENOENT)
		return err_sys(err, "open %s", name);
	if (!make)
		return ST_NONE;
	if (fstat(at, &parent) == -1)
		return err_sys(err, "stat the parent of %s", name);
	st = make_dir(at, name, &parent, err);
	if (st == ST_OK &&
	    (*fd = openat(at, name, DIR_FLAGS | O_NOFOLLOW)) == -1)
		st = err_sys(err, "open %s", name);
	return st;
}

static enum status
open_root(const char *path, const char *filer, bool make, int *fd,
    struct err *err)
{
	enum status st;

	*fd = openat(AT_FDCWD, path, DIR_FLAGS);
	if (*fd != -1)
		return ST_OK;
	if (errno != ENOENT)
		return err_sys(err, "open %s", path);
	if (!make)
		return ST_NONE;
	st = make_path(path, filer, err);
	if (st == ST_OK && (*fd = openat(AT_FDCWD, path, DIR_FLAGS)) == -1)
		st = err_sys(err, "open %s", path);
	return st;
}

/* CONTROL=DIR and INDEX=DIR keep a directory for each mailbox: .INBOX, .Sub. */
static enum status
open_beside(const struct maildir *md, const char *base, const char *filer,
    bool make, int otherwise, int *fd, struct err *err)
{
	enum status st;
	int root = -1;

	if (base == NULL) {
		*fd = otherwise;
		return ST_OK;
	}
	st = open_root(base, filer, make, &root, err);
	if (st == ST_OK)
		st = sub_dir(root, md->folder[0] == '\0' ? ".INBOX" : md->folder,
		    make, fd, err);
	if (root != -1)
		(void)close(root);
	return st;
}

/*
 * What the file system of the control directory is good for.  ext2, 3 and 4 copy
 * nothing on write; with a journal of the data the next sync of any file commits it.
 */
static void
read_fs(struct maildir *md, const struct statfs *fs)
{
	static const uint32_t local[] = { EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC,
	    BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC,
	    TMPFS_MAGIC, ZFS_MAGIC };
	size_t i;

	md->in_place = fs->f_type == EXT4_SUPER_MAGIC;
	md->is_local = false;
	for (i = 0; i < sizeof(local) / sizeof(local[0]); i++)
		md->is_local = md->is_local || (uint32_t)fs->f_type == local[i];
}

static enum status
read_mode(struct maildir *md, struct err *err)
{
	struct statfs fs;
	struct stat sb;

	if (fstat(md->dir, &sb) == -1 || fstatfs(md->dir, &fs) == -1)
		return err_sys(err, "stat %s", md->path);
	md->fmode = (sb.st_mode & 0666) | 0600;
	/* A group that may do what everybody may does not matter. */
	md->gid = (sb.st_mode & S_ISGID) != 0 || sb.st_gid == getegid() ||
	    ((sb.st_mode >> 3) & 7) == (sb.st_mode & 7) ? (gid_t)-1 : sb.st_gid;
	md->on_nfs = fs.f_type == NFS_SUPER_MAGIC;
	read_fs(md, &fs);
	return ST_OK;
}

static enum status
open_subs(struct maildir *md, bool make, struct err *err)
{
	enum status st;

	st = sub_dir(md->dir, "cur", make, &md->cur, err);
	if (st == ST_OK)
		st = sub_dir(md->dir, "new", true, &md->new, err);
	if (st == ST_OK)
		st = sub_dir(md->dir, "tmp", true, &md->tmp, err);
	return st;
}

static enum status
open_folder(struct maildir *md, bool make, struct err *err)
{
	enum status st;
	int fd;

	if (md->folder[0] == '\0') {
		md->dir = md->root;
		return ST_OK;
	}
	md->made = make && faccessat(md->root, md->folder, F_OK,
	    AT_SYMLINK_NOFOLLOW) == -1;
	st = sub_dir(md->root, md->folder, make, &md->dir, err);
	if (st == ST_OK && make && md->folder[0] == '.') {	/* the mark of a Maildir++ folder */
		fd = openat(md->dir, "maildirfolder",
		    O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK |
		    O_CLOEXEC, 0600);
		if (fd != -1)
			(void)close(fd);
	}
	return st;
}

enum status
maildir_open(TALLOC_CTX *ctx, const struct location *loc, const char *folder,
    const char *filer, bool make, struct maildir **out, struct err *err)
{
	struct maildir *md = must(talloc_zero(ctx, struct maildir));
	struct statfs fs;
	enum status st;

	md->root = md->dir = md->tmp = md->new = md->cur = md->ctl = md->idx = -1;
	talloc_set_destructor(md, maildir_destroy);
	md->folder = must(talloc_strdup(md, folder));
	md->path = must(talloc_asprintf(md, "%s%s%s", loc->mail,
	    folder[0] == '\0' ? "" : "/", folder));
	st = open_root(loc->mail, filer, make, &md->root, err);
	if (st == ST_OK)
		st = open_folder(md, make, err);
	if (st == ST_OK)
		st = open_subs(md, make, err);
	if (st == ST_OK)
		st = read_mode(md, err);
	if (st == ST_OK)
		st = open_beside(md, loc->control, filer, make, md->dir, &md->ctl,
		    err);
	if (st == ST_OK && loc->control != NULL) {
		if (fstatfs(md->ctl, &fs) == 0)
			read_fs(md, &fs);
		else
			st = err_sys(err, "statfs");
	}
	if (st == ST_OK) {
		st = open_beside(md, loc->index, filer, false, md->ctl, &md->idx,
		    err);
		if (st == ST_NONE)	/* Dovecot makes it when it needs it */
			st = ST_OK;
	}
	if (st == ST_OK)
		*out = md;
	else {
		if (st != ST_NONE)
			(void)err_wrap(err, st, "%s", md->path);
		talloc_free(md);
	}
	return st;
}

enum status
maildir_reopen(struct maildir *md, struct err *err)
{
	(void)close(md->cur);
	(void)close(md->new);
	(void)close(md->tmp);
	md->cur = md->new = md->tmp = -1;
	return open_subs(md, true, err);
}
