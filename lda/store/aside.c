/* SPDX-License-Identifier: ISC */
/*
 * aside.c - a follower's mailbox that is set aside
 */
#include "lda/store/aside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lda/store/message_copy.h"
#include "lda/store/uidlist.h"
#include "maps/base/file.h"

#define DIR_FLAGS	(O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define TIMES		60		/* seconds that may be taken already */
#define KEYWORDS	"dovecot-keywords"

/* FNV-1a: two folders of one second are all that it must keep apart, and for a
 * name that a user chose for its hash the next second is taken. */
static uint64_t
hash(const char *name)
{
	uint64_t h = 14695981039346656037u;

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * 1099511628211u;
	return h;
}

void
aside_name(const char *folder, int64_t now, char *buf, bool *hashed)
{
	int n = snprintf(buf, NAME_MAX + 1, "%lld.%s", (long long)now,
	    *folder == '\0' ? "INBOX" : folder);

	*hashed = n > NAME_MAX || strchr(folder, '/') != NULL;
	if (*hashed)
		(void)snprintf(buf, NAME_MAX + 1, "%lld.%016llx",
		    (long long)now, (unsigned long long)hash(folder));
}

static enum status
open_dir(int at, const char *name, int *fd, struct err *err)
{
	if (mkdirat(at, name, 0700) == -1 && errno != EEXIST)
		return err_sys(err, "mkdir %s", name);
	*fd = openat(at, name, DIR_FLAGS);
	return *fd == -1 ? err_sys(err, "open %s", name) : ST_OK;
}

/* A directory for this mailbox alone, open. */
static enum status
make_own(int top, const char *folder, int64_t now, int *fd, struct err *err)
{
	char name[NAME_MAX + 1];
	enum status st;
	bool hashed;
	int i;

	for (i = 0; i < TIMES; i++) {
		aside_name(folder, now + i, name, &hashed);
		if (mkdirat(top, name, 0700) == 0)
			break;
		if (errno != EEXIST)
			return err_sys(err, "mkdir %s", name);
	}
	if (i == TIMES)
		return err_set(err, ST_AGAIN, "%s was set aside too often",
		    name);
	*fd = openat(top, name, DIR_FLAGS);
	st = *fd == -1 ? err_sys(err, "open %s", name) : ST_OK;
	if (st == ST_OK && hashed)
		st = file_replace(*fd, ASIDE_NAME, folder, strlen(folder), 0600,
		    err);
	return st;
}

static enum status
make(const struct maildir *md, int64_t now, int *fd, struct err *err)
{
	int tmp = -1, top = -1;
	enum status st;

	st = open_dir(md->root, "tmp", &tmp, err);
	if (st == ST_OK)
		st = open_dir(tmp, ASIDE_DIR, &top, err);
	if (st == ST_OK)
		st = make_own(top, md->folder, now, fd, err);
	if (top != -1)
		(void)close(top);
	if (tmp != -1)
		(void)close(tmp);
	return st;
}

/* To another file system. */
static enum status
copy_file(int from, const char *name, int aside, struct err *err)
{
	int in = openat(from, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), out;
	enum status st;

	if (in == -1)
		return err_sys(err, "open %s", name);
	out = openat(aside, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (out == -1) {
		st = err_sys(err, "create %s", name);
		goto out;
	}
	st = message_copy(in, out, NULL, err);
	if (st == ST_OK && fsync(out) == -1)
		st = err_sys(err, "fsync %s", name);
	if (close(out) == -1 && st == ST_OK)
		st = err_sys(err, "close %s", name);
out:
	(void)close(in);
	return st;
}

/* What is not there is nothing to move. */
static enum status
move(int from, const char *name, int aside, struct err *err)
{
	enum status st;

	if (renameat(from, name, aside, name) == 0 || errno == ENOENT)
		return ST_OK;
	if (errno != EXDEV)
		return err_sys(err, "move %s", name);
	st = copy_file(from, name, aside, err);
	if (st == ST_OK && fsync(aside) == -1)
		st = err_sys(err, "fsync");
	if (st == ST_OK && unlinkat(from, name, 0) == -1)
		st = err_sys(err, "unlink %s", name);
	return st;
}

/* Index files are known by their names; they would number what is not
 * theirs. */
static enum status
move_indexes(const struct maildir *md, int aside, struct err *err)
{
	int fd = md->idx == -1 ? -1 : openat(md->idx, ".", DIR_FLAGS);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	enum status st = ST_OK;
	struct dirent *de;

	if (md->idx == -1)
		return ST_OK;
	if (dir == NULL) {
		st = err_sys(err, "read the index directory");
		if (fd != -1)
			(void)close(fd);
		return st;
	}
	for (errno = 0; st == ST_OK && (de = readdir(dir)) != NULL; errno = 0)
		if (strncmp(de->d_name, "dovecot.index", 13) == 0)
			st = move(md->idx, de->d_name, aside, err);
	if (st == ST_OK && errno != 0)
		st = err_sys(err, "read the index directory");
	(void)closedir(dir);
	return st;
}

enum status
aside_mailbox(const struct maildir *md, int64_t now, struct err *err)
{
	enum status st;
	int aside = -1;

	st = make(md, now, &aside, err);
	if (st == ST_OK)
		st = move_indexes(md, aside, err);
	if (st == ST_OK)
		st = move(md->dir, "cur", aside, err);
	if (st == ST_OK)
		st = move(md->dir, "new", aside, err);
	if (st == ST_OK)
		st = move(md->ctl, KEYWORDS, aside, err);
	/* Once the uidlist is gone nothing says any more that these had to go:
	 * no loss of power may bring them back then. */
	if (st == ST_OK && (fsync(aside) == -1 || fsync(md->dir) == -1))
		st = err_sys(err, "fsync");
	if (st == ST_OK)
		st = move(md->ctl, UIDLIST_NAME, aside, err);
	if (aside != -1)
		(void)close(aside);
	return st == ST_OK ? st : err_wrap(err, st, "%s: set aside", md->path);
}
