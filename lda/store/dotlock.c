/* SPDX-License-Identifier: ISC */
/*
 * dotlock.c - NAME.lock, as Dovecot and other programs take it
 */
#include "lda/store/dotlock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "lda/store/waiters.h"
#include "maps/base/clock.h"
#include "maps/base/file.h"

#define DEAD_HOLDER	2		/* seconds */
#define ASK_CLOCK	5		/* seconds */
#define CONTENT		160
#define NAP_MIN		300L		/* microseconds */
#define NAP_MAX		100000L

/* The queue of this host (waiters.h). */
#define QUEUE_LOOK	50000L		/* us between two looks ahead */
#define QUEUE_HELD	1000		/* ms: the head may hold it, ... */
#define QUEUE_IDLE	50		/* ... or not; else we leave */
#define QUEUE_GAP	5000L		/* us left to others, once ... */
#define QUEUE_BUSY	250000L		/* ... in so much time held */

struct taking {				/* one dotlock_take() */
	struct dotlock	*lk;
	const char	*guarded;
	char		 content[CONTENT];	/* `pid:hostname`, as Dovecot */
	const char	*host;		/* in content */
	int		 fd;		/* our file, before it has the name */
	char		 temp[300];	/* its name until then, or "" */
	time_t		 now;		/* the file server's clock ... */
	long long	 asked;		/* ... at that CLOCK_MONOTONIC, in ms */
};

const char *
dotlock_host(void)
{
	static struct utsname uts;

	if (uts.nodename[0] == '\0' && (uname(&uts) == -1 ||
	    uts.nodename[0] == '\0'))
		(void)snprintf(uts.nodename, sizeof(uts.nodename), "localhost");
	return uts.nodename;
}

static const char *
fill_content(char content[CONTENT])
{
	int len = snprintf(content, CONTENT, "%ld:", (long)getpid());

	(void)snprintf(content + len, CONTENT - (size_t)len, "%s",
	    dotlock_host());
	return content + len;
}

/* The file that has a name, as the file server sees it now. */
static int
ask(int dirfd, const char *name, struct statx *sx)
{
	return statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC,
	    STATX_BASIC_STATS, sx);
}

static bool
same_file(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino &&
	    a->stx_dev_major == b->stx_dev_major &&
	    a->stx_dev_minor == b->stx_dev_minor;
}

static bool
same_time(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* A number that hardly any other process has at this moment. */
static long
any_below(long most)
{
	return (long)((clock_us() ^ getpid()) % most);
}

/*
 * Between two looks at a lock that is held: a part of the time that was waited
 * already.  The first is shorter than a delivery holds the lock, the later ones
 * spare the file server, and two processes never sleep equally long.
 */
static void
nap(long long waited)
{
	long us = (long)(waited / 4);
	struct timespec ts = { 0, 0 };

	us = us < NAP_MIN ? NAP_MIN : us > NAP_MAX ? NAP_MAX : us;
	ts.tv_nsec = (us / 2 + any_below(us / 2 + 1)) * 1000L;
	(void)nanosleep(&ts, NULL);
}

static enum status
fill(struct taking *tk, struct err *err)
{
	struct statx *sx = &tk->lk->ours;
	size_t len = strlen(tk->content);

	if (file_pwrite(tk->fd, tk->content, len, 0) == -1)
		return err_sys(err, "write %s", tk->lk->name);
	if (file_ask(tk->fd, sx) == -1)	/* makes an NFS client write it out */
		return err_sys(err, "stat %s", tk->lk->name);
	if (sx->stx_size != len && ftruncate(tk->fd, (off_t)len) == -1)
		return err_sys(err, "cut %s", tk->lk->name);
	tk->now = sx->stx_ctime.tv_sec;
	tk->asked = clock_ms();
	return ST_OK;
}

/* Milliseconds; a time in the future counts as long ago: the clock was set. */
static long long
ms_since(const struct statx_timestamp *then)
{
	struct timespec now;
	long long ms;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	ms = (now.tv_sec - then->tv_sec) * 1000LL +
	    (now.tv_nsec - (long)then->tv_nsec) / 1000000;
	return ms < 0 ? LLONG_MAX : ms;
}

/* Microseconds for which the last holder had the lock: the file was written
 * before it, and lost its name as the lock at its end. */
static long long
was_held(const struct statx *file)
{
	return (file->stx_ctime.tv_sec - file->stx_mtime.tv_sec) * 1000000LL +
	    ((long)file->stx_ctime.tv_nsec -
	    (long)file->stx_mtime.tv_nsec) / 1000;
}

/*
 * A process that had to queue leaves a gap now and then: programs outside the
 * queue (Dovecot, a barrier, other hosts) would never find the lock free.  The
 * chance is the time for which the last holder had the lock, of QUEUE_BUSY, so
 * that there is one gap in that time, however many and fast we are.
 */
static void
leave_gap(const struct statx *file)
{
	struct timespec gap = { 0, QUEUE_GAP * 1000 };

	if (any_below(QUEUE_BUSY) < was_held(file))
		(void)nanosleep(&gap, NULL);
}

/* Does the process at the head sleep?  It has neither taken nor dropped the
 * lock for longer than a holder may need, or than any process that has not got
 * it. */
static bool
queue_is_stuck(const struct statx *file, bool is_lock)
{
	return ms_since(&file->stx_ctime) >=
	    (is_lock ? QUEUE_HELD : QUEUE_IDLE);
}

/* Come to the head of the queue, while it moves.  Where the file is the lock
 * then, its last holder died. */
static bool
come_to_head(int fd, const char *name, int dirfd, long wait)
{
	long long begin = clock_us();
	struct statx file, lock;
	bool first, is_lock;
	long look = 0;

	do {
		first = waiters_enter(fd, look);
		if (file_ask(fd, &file) == -1)
			return false;
		is_lock = ask(dirfd, name, &lock) == 0 &&
		    same_file(&file, &lock);
		if (!first && (queue_is_stuck(&file, is_lock) ||
		    clock_us() - begin >= wait * 1000LL))
			return false;
		if (first && look != 0 && !is_lock)
			leave_gap(&file);
		look = QUEUE_LOOK;
	} while (!first);
	return S_ISREG(file.stx_mode) && file.stx_nlink == 1 && !is_lock;
}

/*
 * A file with the content in it: the queue's, or one without a name yet; where
 * the file system knows no such thing (NFS) one with a name of its own.
 */
static enum status
make_file(struct taking *tk, int queue, long wait, struct err *err)
{
	tk->temp[0] = '\0';
	tk->lk->at_head = queue != -1 && come_to_head(queue, tk->lk->name,
	    tk->lk->dirfd, wait);
	if (tk->lk->at_head) {
		tk->fd = queue;
		return fill(tk, err);
	}
	if (queue != -1)
		(void)close(queue);
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
	return fill(tk, err);
}

/* The lock as it is now: its file, and what it says of its holder. */
static int
look(int dirfd, const char *name, struct statx *sx, char content[CONTENT])
{
	ssize_t n;
	int fd;

	fd = openat(dirfd, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return -1;
	n = file_ask(fd, sx) == -1 ? -1 : read(fd, content, CONTENT - 1);
	(void)close(fd);
	if (n == -1)
		return -1;
	content[n] = '\0';
	if (sx->stx_nlink > 0)
		return 0;
	/* Gone: an NFS client remembers the name, and a process has it open. */
	(void)!file_ask(dirfd, sx);
	errno = ENOENT;
	return -1;
}

/* Give our file the name, unless it is taken. */
static bool
name_it(struct taking *tk)
{
	char proc[64];
	struct statx sx;
	int rc, code;

	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", tk->fd);
	rc = tk->temp[0] != '\0' ?
	    linkat(tk->lk->dirfd, tk->temp, tk->lk->dirfd, tk->lk->name, 0) :
	    linkat(AT_FDCWD, proc, tk->lk->dirfd, tk->lk->name,
	    AT_SYMLINK_FOLLOW);
	if (rc == 0)
		return true;
	/* A reply that was lost: it is ours, whatever link() said. */
	code = errno;
	if (tk->temp[0] != '\0' && ask(tk->lk->dirfd, tk->lk->name, &sx) == 0 &&
	    same_file(&sx, &tk->lk->ours))
		return true;
	errno = code;
	return false;
}

static time_t
changed(const struct statx *sx)
{
	return sx->stx_ctime.tv_sec > sx->stx_mtime.tv_sec ?
	    sx->stx_ctime.tv_sec : sx->stx_mtime.tv_sec;
}

/* The file server's present time: now and then our own file is touched for
 * it. */
static time_t
server_time(struct taking *tk)
{
	struct statx sx;

	if (clock_ms() - tk->asked >= ASK_CLOCK * 1000 &&
	    futimens(tk->fd, NULL) == 0 && file_ask(tk->fd, &sx) == 0) {
		tk->now = sx.stx_ctime.tv_sec;
		tk->asked = clock_ms();
	}
	return tk->now + (time_t)((clock_ms() - tk->asked) / 1000);
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
is_stale(struct taking *tk, const struct statx *lock, const char *content)
{
	time_t now = server_time(tk), last = changed(lock);
	struct statx sx;

	if (holder_is_dead(tk, content))
		return now - last >= DEAD_HOLDER;
	if (now - last <= DOTLOCK_STALE)
		return false;
	/* The list may have its name since a moment ago. */
	if (file_ask(tk->lk->dirfd, &sx) == 0 &&
	    ask(tk->lk->dirfd, tk->guarded, &sx) == 0 &&
	    now - changed(&sx) <= DOTLOCK_STALE)
		return false;
	tk->lk->outlived = true;
	return true;
}

/* A taker's own file, left when it was killed. */
static bool
is_left_over(struct taking *tk, const char *name)
{
	size_t len = strlen(tk->lk->name);
	char content[CONTENT];
	struct statx sx;

	return strncmp(name, tk->lk->name, len) == 0 && name[len] == '.' &&
	    strcmp(name, tk->temp) != 0 &&
	    look(tk->lk->dirfd, name, &sx, content) == 0 &&
	    server_time(tk) - changed(&sx) >= (holder_is_dead(tk, content) ?
	    DEAD_HOLDER : DOTLOCK_STALE);
}

static void
sweep(struct taking *tk)
{
	int fd = openat(tk->lk->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (dir == NULL && fd != -1)
		(void)close(fd);
	if (dir == NULL)
		return;
	while ((de = readdir(dir)) != NULL)
		if (is_left_over(tk, de->d_name))
			(void)unlinkat(tk->lk->dirfd, de->d_name, 0);
	(void)closedir(dir);
}

/*
 * Break it: renamed away first, so that of two processes that saw the same
 * stale lock only one has it in hand, and what was taken by mistake can be
 * given back. An NFS client believes that it renamed the file that it knew: the
 * server is asked.
 */
static void
rename_away(struct taking *tk, const struct statx *stale)
{
	char away[300];
	struct statx sx;

	(void)snprintf(away, sizeof(away), "%s.%s.%ld.stale", tk->lk->name,
	    tk->host, (long)getpid());
	if (renameat(tk->lk->dirfd, tk->lk->name, tk->lk->dirfd, away) == -1)
		return;
	if (ask(tk->lk->dirfd, away, &sx) == 0 && (sx.stx_nlink == 0 ||
	    !same_file(&sx, stale) || !same_time(&sx.stx_mtime,
	    &stale->stx_mtime)))
		(void)!linkat(tk->lk->dirfd, away, tk->lk->dirfd,
		    tk->lk->name, 0);
	(void)unlinkat(tk->lk->dirfd, away, 0);
	sweep(tk);
}

/*
 * One process at a time, and only what is stale still: where two break at once,
 * the second would take the new lock of the first away, if for a moment only.
 * The kernel frees the directory when we die; where it locks no directories
 * (NFS) rename_away() has to do.
 */
static bool
break_lock(struct taking *tk, const struct statx *stale)
{
	struct statx sx;
	int rc = flock(tk->lk->dirfd, LOCK_EX | LOCK_NB);

	if (rc == -1 && errno == EWOULDBLOCK)
		return false;
	if (ask(tk->lk->dirfd, tk->lk->name, &sx) == 0 &&
	    same_file(&sx, stale) &&
	    same_time(&sx.stx_mtime, &stale->stx_mtime))
		rename_away(tk, stale);
	if (rc == 0)
		(void)flock(tk->lk->dirfd, LOCK_UN);
	return true;
}

static enum status
try_until(struct taking *tk, long long end, struct err *err)
{
	char content[CONTENT] = "";
	long long begin = clock_us();
	struct statx sx;

	while (!name_it(tk)) {
		if (errno == ENOENT && tk->lk->at_head) {
			(void)close(tk->fd);	/* no name is left of it */
			if (make_file(tk, -1, 0, err) != ST_OK)
				return ST_AGAIN;
			continue;
		}
		if (errno != EEXIST && errno != ENOENT)
			return err_sys(err, "take %s", tk->lk->name);
		if (look(tk->lk->dirfd, tk->lk->name, &sx, content) == -1) {
			if (errno != ENOENT && errno != ESTALE)
				return err_sys(err, "read %s", tk->lk->name);
		} else if (is_stale(tk, &sx, content)) {
			if (!break_lock(tk, &sx))
				nap(clock_us() - begin);
			continue;
		}
		if (clock_ms() >= end)
			return err_set(err, ST_AGAIN,
			    "%s is held by %s, for %lld s", tk->lk->name,
			    content[0] == '\0' ? "somebody" : content,
			    (long long)(server_time(tk) - changed(&sx)));
		nap(clock_us() - begin);
	}
	return ST_OK;
}

/*
 * Our file has the name.  Where it had another name before, it loses that one;
 * it is closed first, as an NFS client renames an open file instead.  Any other
 * stays open: we are at the head of the queue, or no other file shall be given
 * its inode number.
 */
static enum status
hold(struct taking *tk, struct err *err)
{
	struct dotlock *lk = tk->lk;

	if (tk->temp[0] == '\0')
		lk->fd = tk->fd;
	else {
		(void)close(tk->fd);
		(void)unlinkat(lk->dirfd, tk->temp, 0);
	}
	lk->held = true;
	lk->touched = clock_ms();
	if (ask(lk->dirfd, lk->name, &lk->ours) == 0)
		return ST_OK;
	(void)err_sys(err, "stat %s", lk->name);
	dotlock_drop(lk);
	return ST_AGAIN;
}

enum status
dotlock_take(struct dotlock *lk, int dirfd, const char *name,
    const char *guarded, int queue, long wait, struct err *err)
{
	long long end = clock_ms() + wait;
	struct taking tk = { .lk = lk, .guarded = guarded, .fd = -1 };
	enum status st;

	*lk = (struct dotlock){ .dirfd = dirfd, .name = name, .fd = -1 };
	tk.host = fill_content(tk.content);
	st = make_file(&tk, queue, wait, err);
	if (st == ST_OK)
		st = try_until(&tk, end, err);
	if (st == ST_OK)
		return hold(&tk, err);
	if (tk.fd != -1)
		(void)close(tk.fd);
	if (tk.temp[0] != '\0')
		(void)unlinkat(dirfd, tk.temp, 0);
	return st;
}

/* The name is looked up at the server: the lock may have been broken by
 * mistake, and given back. */
static enum status
look_again(struct dotlock *lk, struct err *err)
{
	char ours[CONTENT], content[CONTENT];
	struct statx sx;
	int rc;

	(void)fill_content(ours);
	rc = file_ask(lk->dirfd, &sx);
	if (rc == 0)
		rc = look(lk->dirfd, lk->name, &sx, content);
	if (rc == -1 && errno != ENOENT && errno != ESTALE)
		return err_sys(err, "stat %s", lk->name);
	if (rc == -1 || !same_file(&sx, &lk->ours) ||
	    strcmp(content, ours) != 0)
		return err_set(err, ST_AGAIN, "%s was broken while we held it",
		    lk->name);
	lk->ours = sx;
	return ST_OK;
}

enum status
dotlock_check(struct dotlock *lk, struct err *err)
{
	struct statx sx;

	/* Unlinked, renamed or linked it has another ctime, whatever name an
	 * NFS client remembers it by. */
	if (ask(lk->dirfd, lk->name, &sx) == 0 && sx.stx_nlink > 0 &&
	    same_file(&sx, &lk->ours) &&
	    same_time(&sx.stx_ctime, &lk->ours.stx_ctime))
		return ST_OK;
	return look_again(lk, err);
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
	return look_again(lk, err);
}

bool
dotlock_awaited(const struct dotlock *lk)
{
	return lk->held && lk->at_head && waiters_behind(lk->fd);
}

void
dotlock_drop(struct dotlock *lk)
{
	struct err err;

	if (!lk->held)
		return;
	if (dotlock_check(lk, &err) == ST_OK)
		(void)unlinkat(lk->dirfd, lk->name, 0);
	if (lk->fd != -1)
		(void)close(lk->fd);
	lk->held = false;
}
