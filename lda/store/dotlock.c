/*
 * dotlock.c - NAME.lock, as Dovecot and everybody takes it
 */
#include "lda/store/dotlock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "maps/base/clock.h"

#define NFS_MAGIC	0x6969
#define DEAD_HOLDER	2		/* seconds */
#define CONTENT		160
#define NAP_MIN		300L		/* microseconds */
#define NAP_MAX		100000L

struct taking {				/* one dotlock_take() */
	struct dotlock	*lk;
	const char	*guarded;
	char		 content[CONTENT];	/* `pid:hostname`, as Dovecot's */
	const char	*host;		/* in content */
	int		 fd;		/* our file, before it has the name */
	char		 temp[300];	/* its name meanwhile; "" where it has none */
	time_t		 now;		/* by the file server's clock */
};

/*
 * Between two looks at a lock that is held: a part of the time that was waited
 * already, so at first shorter than a delivery holds it, and at last what spares a
 * file server; never the same for two who wait.
 */
static void
nap(long long waited)
{
	long us = (long)(waited / 4);
	struct timespec ts = { 0, 0 };

	us = us < NAP_MIN ? NAP_MIN : us > NAP_MAX ? NAP_MAX : us;
	ts.tv_nsec = (us / 2 + (clock_us() ^ getpid()) % (us / 2 + 1)) * 1000L;
	(void)nanosleep(&ts, NULL);
}

/*
 * A file with the content in it and no name yet; where the file system knows no
 * such thing (NFS) one with a name of its own.
 */
static enum status
make_file(struct taking *tk, struct err *err)
{
	struct stat sb;

	tk->temp[0] = '\0';
	tk->fd = openat(tk->lk->dirfd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC,
	    0600);
	if (tk->fd == -1 && (errno == EOPNOTSUPP || errno == EISDIR ||
	    errno == ENOENT || errno == EINVAL)) {
		(void)snprintf(tk->temp, sizeof(tk->temp), "%s.%s.%ld.%lld",
		    tk->lk->name, tk->host, (long)getpid(), clock_ms());
		tk->fd = openat(tk->lk->dirfd, tk->temp,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	}
	if (tk->fd == -1)
		return err_sys(err, "create %s", tk->lk->name);
	if (write(tk->fd, tk->content, strlen(tk->content)) !=
	    (ssize_t)strlen(tk->content))
		return err_sys(err, "write %s", tk->lk->name);
	if (fstat(tk->fd, &sb) == -1)
		return err_sys(err, "stat %s", tk->lk->name);
	tk->lk->dev = sb.st_dev;
	tk->lk->ino = sb.st_ino;
	tk->now = sb.st_ctime;
	return ST_OK;
}

/* What has the name now?  By open(), which asks an NFS server. */
static int
look(const struct dotlock *lk, struct stat *sb, char *content, size_t room)
{
	ssize_t n = 0;
	int fd;

	fd = openat(lk->dirfd, lk->name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if (fstat(fd, sb) == -1 ||
	    (room > 0 && (n = read(fd, content, room - 1)) == -1)) {
		(void)close(fd);
		return -1;
	}
	if (room > 0)
		content[n] = '\0';
	(void)close(fd);
	return 0;
}

/* Give our file the name, unless it is taken. */
static bool
name_it(struct taking *tk)
{
	char proc[64];
	struct stat sb;
	int rc;

	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", tk->fd);
	rc = tk->temp[0] != '\0' ?
	    linkat(tk->lk->dirfd, tk->temp, tk->lk->dirfd, tk->lk->name, 0) :
	    linkat(AT_FDCWD, proc, tk->lk->dirfd, tk->lk->name,
	    AT_SYMLINK_FOLLOW);
	if (rc == 0)
		return true;
	/* A reply that was lost: it is ours, whatever link() said. */
	return tk->temp[0] != '\0' && look(tk->lk, &sb, NULL, 0) == 0 &&
	    sb.st_dev == tk->lk->dev && sb.st_ino == tk->lk->ino;
}

static time_t
changed(const struct stat *sb)
{
	return sb->st_ctime > sb->st_mtime ? sb->st_ctime : sb->st_mtime;
}

/* The file server's present time: our own file is touched for it. */
static void
read_clock(struct taking *tk)
{
	struct stat sb;

	if (futimens(tk->fd, NULL) == 0 && fstat(tk->fd, &sb) == 0)
		tk->now = sb.st_ctime;
}

static bool
holder_is_dead(const struct taking *tk, const char *content)
{
	char *end;
	long pid = strtol(content, &end, 10);

	return *end == ':' && strcmp(end + 1, tk->host) == 0 && pid > 0 &&
	    kill((pid_t)pid, 0) == -1 && errno == ESRCH;
}

static bool
is_stale(struct taking *tk, const struct stat *lock, const char *content)
{
	struct stat sb;
	time_t last = changed(lock);

	read_clock(tk);
	if (holder_is_dead(tk, content))
		return tk->now - last >= DEAD_HOLDER;
	if (fstatat(tk->lk->dirfd, tk->guarded, &sb, AT_SYMLINK_NOFOLLOW) == 0 &&
	    changed(&sb) > last)
		last = changed(&sb);
	return tk->now - last > DOTLOCK_STALE;
}

/*
 * Break it: renamed away first, so that of two who saw the same stale lock only
 * one has it in hand, and what was taken by mistake can be given back.
 */
static void
break_lock(struct taking *tk, const struct stat *stale)
{
	char away[300];
	struct stat sb;

	(void)snprintf(away, sizeof(away), "%s.%s.%ld.stale", tk->lk->name,
	    tk->host, (long)getpid());
	if (renameat(tk->lk->dirfd, tk->lk->name, tk->lk->dirfd, away) == -1)
		return;
	if (fstatat(tk->lk->dirfd, away, &sb, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (sb.st_dev != stale->st_dev || sb.st_ino != stale->st_ino))
		(void)!linkat(tk->lk->dirfd, away, tk->lk->dirfd, tk->lk->name, 0);
	(void)unlinkat(tk->lk->dirfd, away, 0);
}

static enum status
try_until(struct taking *tk, long long end, struct err *err)
{
	char content[CONTENT] = "";
	long long begin = clock_us();
	struct stat sb;

	while (!name_it(tk)) {
		if (errno != EEXIST && errno != ENOENT)
			return err_sys(err, "take %s", tk->lk->name);
		if (look(tk->lk, &sb, content, sizeof(content)) == -1) {
			if (errno != ENOENT)
				return err_sys(err, "read %s", tk->lk->name);
		} else if (is_stale(tk, &sb, content)) {
			break_lock(tk, &sb);
			continue;
		}
		if (clock_ms() >= end)
			return err_set(err, ST_AGAIN, "%s is held by %s, for %lld s",
			    tk->lk->name, content[0] == '\0' ? "somebody" :
			    content, (long long)(tk->now - changed(&sb)));
		nap(clock_us() - begin);
	}
	return ST_OK;
}

enum status
dotlock_take(struct dotlock *lk, int dirfd, const char *name,
    const char *guarded, long wait, struct err *err)
{
	struct taking tk = { .lk = lk, .guarded = guarded, .fd = -1 };
	static struct utsname uts;
	struct statfs fs;
	enum status st;
	int len;

	if (uts.nodename[0] == '\0' && uname(&uts) == -1)
		return err_sys(err, "uname");
	*lk = (struct dotlock){ .dirfd = dirfd, .name = name, .fd = -1 };
	lk->on_nfs = fstatfs(dirfd, &fs) == 0 && fs.f_type == NFS_MAGIC;
	len = snprintf(tk.content, sizeof(tk.content), "%ld:", (long)getpid());
	(void)snprintf(tk.content + len, sizeof(tk.content) - (size_t)len, "%s",
	    uts.nodename);
	tk.host = tk.content + len;
	st = make_file(&tk, err);
	if (st == ST_OK)
		st = try_until(&tk, clock_ms() + wait, err);
	if (tk.temp[0] != '\0')
		(void)unlinkat(dirfd, tk.temp, 0);
	lk->held = st == ST_OK;
	if (lk->held)
		lk->fd = tk.fd;
	else if (tk.fd != -1)
		(void)close(tk.fd);
	lk->touched = clock_ms();
	return st;
}

enum status
dotlock_check(const struct dotlock *lk, struct err *err)
{
	struct stat sb;
	int rc;

	rc = lk->on_nfs ? look(lk, &sb, NULL, 0) :
	    fstatat(lk->dirfd, lk->name, &sb, AT_SYMLINK_NOFOLLOW);
	if (rc == -1 && errno != ENOENT)
		return err_sys(err, "stat %s", lk->name);
	if (rc == -1 || sb.st_dev != lk->dev || sb.st_ino != lk->ino)
		return err_set(err, ST_AGAIN, "%s was broken while we held it",
		    lk->name);
	return ST_OK;
}

enum status
dotlock_keep(struct dotlock *lk, struct err *err)
{
	enum status st = dotlock_check(lk, err);

	if (st != ST_OK || clock_ms() - lk->touched < DOTLOCK_TOUCH * 1000)
		return st;
	if (utimensat(lk->dirfd, lk->name, NULL, AT_SYMLINK_NOFOLLOW) == -1)
		return err_sys(err, "touch %s", lk->name);
	lk->touched = clock_ms();
	return ST_OK;
}

void
dotlock_drop(struct dotlock *lk)
{
	struct err err;

	if (!lk->held)
		return;
	if (dotlock_check(lk, &err) == ST_OK)
		(void)unlinkat(lk->dirfd, lk->name, 0);
	(void)close(lk->fd);
	lk->held = false;
}
