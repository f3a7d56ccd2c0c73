/* SPDX-License-Identifier: ISC */
/*
 * maildir.c - the files of one Maildir: named, found, copied
 */
#include "lda/store/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lda/store/dotlock.h"
#include "lda/store/message_copy.h"
#include "maps/base/file.h"

#define HOST_MAX 80			/* leaves room for ,S= and ,W= */
#define LOG_HEADER 40			/* bytes, of dovecot.index.log */

char *
maildir_unique(TALLOC_CTX *ctx)
{
	static unsigned count;
	char host[HOST_MAX + 8], *out = host;
	struct timespec ts;
	unsigned random;
	const char *p;

	for (p = dotlock_host(); *p != '\0' && out < host + HOST_MAX; p++) {
		if (*p == '/' || *p == ':' || *p == ',' || *p <= ' ')
			out += snprintf(out, 8, "\\%03o", (unsigned char)*p);
		else
			*out++ = *p;
	}
	*out = '\0';
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (getentropy(&random, sizeof(random)) == -1)
		random = (unsigned)ts.tv_nsec;
	return must(talloc_asprintf(ctx, "%lld.M%ldP%ldQ%uR%08x.%s",
	    (long long)ts.tv_sec, ts.tv_nsec / 1000, (long)getpid(), ++count,
	    random, host));
}

/* Calls fn for each name until it returns true; the directory is read anew. */
static enum status
look_through(int at, bool (*fn)(const char *name, void *arg), void *arg,
    bool *found, struct err *err)
{
	int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	enum status st = ST_OK;
	struct dirent *de;

	*found = false;
	if (dir == NULL) {
		st = err_sys(err, "read a directory");
		if (fd != -1)
			(void)close(fd);
		return st;
	}
	for (errno = 0; !*found && (de = readdir(dir)) != NULL; errno = 0)
		*found = fn(de->d_name, arg);
	if (!*found && errno != 0)
		st = err_sys(err, "read a directory");
	(void)closedir(dir);
	return st;
}

static bool
is_file(const char *name, void *arg)
{
	(void)arg;
	return name[0] != '.';
}

enum status
maildir_has_mail(const struct maildir *md, bool *mail, struct err *err)
{
	enum status st;

	st = look_through(md->cur, is_file, NULL, mail, err);
	if (st == ST_OK && !*mail)
		st = look_through(md->new, is_file, NULL, mail, err);
	return st;
}

/*
 * A file that remembers UIDs.  A transaction log of a header alone does not: a
 * client's CREATE leaves one in an inbox that nobody has opened yet.
 *
 * Source: struct mail_transaction_log_header of Dovecot 2.3.19.
 */
static bool
is_index(const char *name, void *arg)
{
	const int *at = arg;
	struct stat sb;

	if (strncmp(name, "dovecot.index", 13) != 0)
		return false;
	return strcmp(name, "dovecot.index.log") != 0 ||
	    fstatat(*at, name, &sb, AT_SYMLINK_NOFOLLOW) == -1 ||
	    !S_ISREG(sb.st_mode) || sb.st_size > LOG_HEADER;
}

enum status
maildir_empty(const struct maildir *md, bool *empty, struct err *err)
{
	bool found = false;
	enum status st;
	int idx = md->idx;

	st = maildir_has_mail(md, &found, err);
	if (st == ST_OK && !found && idx != -1)
		st = look_through(idx, is_index, &idx, &found, err);
	*empty = !found;
	return st;
}

static bool
exists(int at, const char *name)
{
	struct stat sb;

	return fstatat(at, name, &sb, AT_SYMLINK_NOFOLLOW) == 0;
}

struct finding {
	TALLOC_CTX	*ctx;
	const char	*base;
	size_t		 len;
	char		*file;
};

static bool
is_base(const char *name, void *arg)
{
	struct finding *f = arg;

	if (strncmp(name, f->base, f->len) != 0 || (name[f->len] != ':' &&
	    name[f->len] != '\0'))
		return false;
	f->file = must(talloc_strdup(f->ctx, name));
	return true;
}

enum status
maildir_find(TALLOC_CTX *ctx, const struct maildir *md, const char *base,
    const char **sub, char **file, struct err *err)
{
	static const char *const usual[] = { ":2,S", ":2,", "" };
	struct finding f = { ctx, base, strlen(base), NULL };
	enum status st;
	bool found;
	size_t i;
	int tries;

	for (tries = 0; tries < 2; tries++) {
		if (exists(md->new, base)) {
			*sub = "new";
			*file = must(talloc_strdup(ctx, base));
			return ST_OK;
		}
		*sub = "cur";
		for (i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
			*file = must(talloc_asprintf(ctx, "%s%s", base,
			    usual[i]));
			if (exists(md->cur, *file))
				return ST_OK;
			talloc_free(*file);
		}
		*file = NULL;
		st = look_through(md->cur, is_base, &f, &found, err);
		if (st == ST_OK && !found) {	/* clients of the files */
			*sub = "new";
			st = look_through(md->new, is_base, &f, &found, err);
		}
		if (st != ST_OK)
			return st;
		if (found) {
			*file = f.file;
			return ST_OK;
		}
	}
	return ST_NONE;
}

enum status
maildir_open_message(TALLOC_CTX *ctx, const struct maildir *md,
    const char *base, const char **sub, char **file, int *fd, struct err *err)
{
	enum status st = ST_NONE;
	int tries;

	for (tries = 0; tries < 5; tries++) {
		st = maildir_find(ctx, md, base, sub, file, err);
		if (st != ST_OK)
			return st;
		/* O_NONBLOCK: a fifo in its place must not hold the locks. */
		*fd = openat(strcmp(*sub, "new") == 0 ? md->new : md->cur,
		    *file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (*fd != -1)
			return ST_OK;
		st = err_sys(err, "%s: open %s/%s", md->path, *sub, *file);
		if (err->code != ENOENT)
			return st;
		talloc_free(*file);
		*file = NULL;
	}
	return st;
}

enum status
maildir_in_tmp(const struct maildir *md, const char *name, bool *there,
    struct err *err)
{
	struct statx sx;
	int fd;

	/* An NFS client may remember names from before another host's
	 * rename(). */
	if (md->on_nfs && file_ask(md->tmp, &sx) == -1)
		return err_sys(err, "%s: stat tmp/", md->path);
	fd = openat(md->tmp, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	*there = fd != -1;
	if (fd != -1)
		(void)close(fd);
	else if (errno != ENOENT)
		return err_sys(err, "%s: open tmp/%s", md->path, name);
	return ST_OK;
}

/* Whole and synced in tmp/, where no client looks. */
static enum status
copy_to_tmp(const struct maildir *md, int from, const char *name,
    struct err *err)
{
	enum status st;
	int fd;

	(void)unlinkat(md->tmp, name, 0);	/* of a try before this one */
	fd = openat(md->tmp, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd == -1)
		return err_sys(err, "create");
	st = message_copy(from, fd, NULL, err);
	if (st == ST_OK && file_permit(fd, md->fmode, md->gid) == -1)
		st = err_sys(err, "chmod");
	if (st == ST_OK && fsync(fd) == -1)
		st = err_sys(err, "fsync");
	if (close(fd) == -1 && st == ST_OK)	/* quota and NFS speak here */
		st = err_sys(err, "close");
	return st;
}

enum status
maildir_copy_in(const struct maildir *md, int from, const char *name,
    const char *sub, const char *file, struct err *err)
{
	int dst = strcmp(sub, "new") == 0 ? md->new : md->cur;
	enum status st;

	st = copy_to_tmp(md, from, name, err);
	if (st == ST_OK && renameat(md->tmp, name, dst, file) == -1)
		st = err_sys(err, "rename to %s/%s", sub, file);
	if (st == ST_OK && fsync(dst) == -1)
		st = err_sys(err, "fsync %s/", sub);
	if (st == ST_OK)
		return st;
	(void)unlinkat(md->tmp, name, 0);
	return err_wrap(err, st, "%s: copy tmp/%s", md->path, name);
}

char *
maildir_without_keywords(TALLOC_CTX *ctx, const char *file)
{
	char *copy = must(talloc_strdup(ctx, file)), *in, *out;

	in = out = strstr(copy, ":2,");
	if (in == NULL)
		return copy;
	for (; *in != '\0'; in++)
		if (*in < 'a' || *in > 'z')
			*out++ = *in;
	*out = '\0';
	return copy;
}

enum status
maildir_count(const struct maildir *md, off_t bytes, int count,
    struct err *err)
{
	enum status st = ST_OK;
	struct statx sx;
	char line[64];
	int fd, len;

	fd = openat(md->root, "maildirsize",
	    O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT ? ST_OK : err_sys(err, "maildirsize");
	if (md->on_nfs)
		(void)!file_ask(fd, &sx);	/* its end as it is now */
	len = snprintf(line, sizeof(line), "%lld %d\n", (long long)bytes,
	    count);
	if (write(fd, line, (size_t)len) != len)
		st = err_sys(err, "maildirsize");
	(void)close(fd);
	return st;
}
