/* SPDX-License-Identifier: ISC */
/*
 * maildir_open.c - one mailbox: its directories, and what holds for its files
 */
#include "lda/store/maildir.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lda/store/maildir_dirs.h"

#define ZFS_MAGIC	0x2fc12fc1	/* the others: linux/magic.h */

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
	    md->dir == md->root ? -1 : md->dir,
	    md->ctl == md->dir ? -1 : md->ctl,
	    md->idx == md->ctl ? -1 : md->idx };
	size_t i;

	for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] != -1)
			(void)close(fds[i]);
	return 0;
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
	st = maildir_dir_at_path(base, filer, make, &root, err);
	if (st == ST_OK)
		st = maildir_dir(root, md->folder[0] == '\0' ? ".INBOX" :
		    md->folder, make, fd, err);
	if (root != -1)
		(void)close(root);
	return st;
}

/*
 * What the file system of the control directory is good for.  ext2, 3 and 4
 * copy nothing on write; with a journal of the data the next sync of any file
 * commits it.
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
	/* A group with the rights of all others does not matter. */
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

	st = maildir_dir(md->dir, "cur", make, &md->cur, err);
	if (st == ST_OK)
		st = maildir_dir(md->dir, "new", true, &md->new, err);
	if (st == ST_OK)
		st = maildir_dir(md->dir, "tmp", true, &md->tmp, err);
	return st;
}

/* The mark of a Maildir++ folder: without it another program sees a Maildir. */
static void
make_mark(int dir)
{
	int fd = openat(dir, "maildirfolder", O_WRONLY | O_CREAT | O_NOFOLLOW |
	    O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd != -1)
		(void)close(fd);
}

static enum status
open_folder(struct maildir *md, bool make, struct err *err)
{
	enum status st;

	if (md->folder[0] == '\0') {
		md->dir = md->root;
		return ST_OK;
	}
	md->made = make && faccessat(md->root, md->folder, F_OK,
	    AT_SYMLINK_NOFOLLOW) == -1;
	st = maildir_dir(md->root, md->folder, make, &md->dir, err);
	if (st == ST_OK && make && md->folder[0] == '.')
		make_mark(md->dir);
	return st;
}

static enum status
open_control(struct maildir *md, const struct location *loc, const char *filer,
    bool make, struct err *err)
{
	struct statfs fs;
	enum status st;

	st = open_beside(md, loc->control, filer, make, md->dir, &md->ctl, err);
	if (st != ST_OK || loc->control == NULL)
		return st;
	if (fstatfs(md->ctl, &fs) == -1)
		return err_sys(err, "statfs");
	read_fs(md, &fs);
	return ST_OK;
}

static enum status
open_index(struct maildir *md, const struct location *loc, const char *filer,
    struct err *err)
{
	enum status st;

	st = open_beside(md, loc->index, filer, false, md->ctl, &md->idx, err);
	return st == ST_NONE ? ST_OK : st;	/* Dovecot makes it */
}

/* Nothing opened yet. */
static struct maildir *
maildir_new(TALLOC_CTX *ctx, const struct location *loc, const char *folder)
{
	struct maildir *md = must(talloc_zero(ctx, struct maildir));

	md->root = md->dir = md->tmp = md->new = md->cur = -1;
	md->ctl = md->idx = -1;
	talloc_set_destructor(md, maildir_destroy);
	md->folder = must(talloc_strdup(md, folder));
	md->path = must(talloc_asprintf(md, "%s%s%s", loc->mail,
	    folder[0] == '\0' ? "" : "/", folder));
	return md;
}

enum status
maildir_open(TALLOC_CTX *ctx, const struct location *loc, const char *folder,
    const char *filer, bool make, struct maildir **out, struct err *err)
{
	struct maildir *md = maildir_new(ctx, loc, folder);
	enum status st;

	st = maildir_dir_at_path(loc->mail, filer, make, &md->root, err);
	if (st == ST_OK)
		st = open_folder(md, make, err);
	if (st == ST_OK)
		st = open_subs(md, make, err);
	if (st == ST_OK)
		st = read_mode(md, err);
	if (st == ST_OK)
		st = open_control(md, loc, filer, make, err);
	if (st == ST_OK)
		st = open_index(md, loc, filer, err);
	if (st == ST_OK) {
		*out = md;
		return ST_OK;
	}
	if (st != ST_NONE)
		(void)err_wrap(err, st, "%s", md->path);
	talloc_free(md);
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
