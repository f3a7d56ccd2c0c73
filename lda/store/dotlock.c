/* SPDX-License-Identifier: ISC */
/*
 * dotlock.c - NAME.lock, as Dovecot and everybody takes it
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
#define LINE_LOOK	50000L		/* ... in line, between two looks ahead */
#define LINE_HELD	1000		/* ms that its head has the lock, at most ... */
#define LINE_IDLE	50		/* ... and has not: else on with a file of our own */
#define LINE_GAP	5000L		/* microseconds left to others, a gap for every ... */
#define LINE_BUSY	250000L		/* ... that the lock was held */

struct taking {				/* one dotlock_take() */
	struct dotlock	*lk;
	const char	*guarded;
	char		 content[CONTENT];	/* `pid:hostname`, as Dovecot's */
	const char	*host;		/* in content */
	int		 fd;		/* our file, before it has the name */
	char		 temp[300];	/* its name meanwhile; "" where it has none */
	time_t		 now;		/* by the file server's clock, when it was */
	long long	 asked;		/* asked: CLOCK_MONOTONIC, milliseconds */
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

	(void)snprintf(content + len, CONTENT - (size_t)len, "%s", dotlock_host());
	return content + len;
}

/* What has a name, as the server sees it: the file is asked for, not remembered. */
static int
ask(int dirfd, const char *name, struct statx *sx)
{
	return statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC,
	    STATX_BASIC_STATS, sx);
}

static bool
same_file(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major &&
	    a->stx_dev_minor == b->stx_dev_minor;
}

static bool
same_time(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* A number that another process will not have: chance enough for who waits. */
static long
any_below(long most)
{
	return (long)((clock_us() ^ getpid()) % most);
}

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
	if (file_ask(tk->fd, sx) == -1)	/* an NFS client writes it out for this */
		return err_sys(err, "stat %s", tk->lk->name);
	if (sx->stx_size != len && ftruncate(tk->fd, (off_t)len) == -1)
		return err_sys(err, "cut %s", tk->lk->name);
	tk->now = sx->stx_ctime.tv_sec;
	tk->asked = clock_ms();
	return ST_OK;
}

/* Milliseconds; what is yet to come is long ago: somebody set the clock. */
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

/* Microseconds that the last one had the lock: he wrote into the file before, and
 * took its name away at last. */
static long long
was_held(const struct statx *file)
{
	return (file->stx_ctime.tv_sec - file->stx_mtime.tv_sec) * 1000000LL +
	    ((long)file->stx_ctime.tv_nsec - (long)file->stx_mtime.tv_nsec) / 1000;
}

/*
 * Who had to wait leaves a gap now and then: for those who stand in no line (Dovecot, a
 * barrier, other hosts) there would be none.  The chance is the time that the last one
 * had the lock, of LINE_BUSY: one gap in that time, however many and fast we are.
 */
static void
leave_gap(const struct statx *file)
{
	struct timespec gap = { 0, LINE_GAP * 1000 };

	if (any_below(LINE_BUSY) < was_held(file))
		(void)nanosleep(&gap, NULL);
}

/* Does somebody sleep at the head of the line?  He has neither taken nor dropped the
 * lock for longer than one who has it may need, or than one who has not ever does. */
static bool
line_is_stuck(const struct statx *file, bool is_lock)
{
	return ms_since(&file->stx_ctime) >= (is_lock ? LINE_HELD : LINE_IDLE);
}

/* To the head of the line, while it moves.  A file that is the lock then is that of
 * somebody who died. */
static bool
stand_in_line(int fd, const char *name, int dirfd, long wait)
{
	long long begin = clock_us();
	struct statx file, lock;
	bool first, is_lock;
	long look = 0;

	do {
		first = line_wait(fd, look);
		if (file_ask(fd, &file) == -1)
			return false;
		is_lock = ask(dirfd, name, &lock) == 0 && same_file(&file, &lock);
		if (!first && (line_is_stuck(&file, is_lock) ||
		    clock_us() - begin >= wait * 1000LL))
			return false;
		if (first && look != 0 && !is_lock)
			leave_gap(&file);
		look = LINE_LOOK;
	} while (!first);
	return S_ISREG(file.stx_mode) && file.stx_nlink == 1 && !is_lock;
}

/*
 * A file with the content in it: the line's, or one without a name yet; where the file
 * system knows no such thing (NFS) one with a name of its own.
 */
static enum status
make_file(struct taking *tk, int line, long wait, struct err *err)
{
	tk->temp[0] = '\0';
	tk->lk->in_line = line != -1 && stand_in_line(line, tk->lk->name,
	    tk->lk->dirfd, wait);
	if (tk->lk->in_line) {
		tk->fd = line;
		return fill(tk, err);
	}
	if (line != -1)
		(void)close(line);
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

/* Who has the name now? */
static int
look(int dirfd, const char *name, struct statx *sx, char content[CONTENT])
{
	ssize_t n;
	int fd;

	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return -1;
	n = file_ask(fd, sx) == -1 ? -1 : read(fd, content, CONTENT - 1);
	(void)close(fd);
	if (n == -1)
		return -1;
	content[n] = '\0';
	if (sx->stx_nlink > 0)
		return 0;
	/* Gone: an NFS client remembers the name, and somebody has it open. */
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

/* The file server's present time: our own file is touched for it, now and then. */
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
	if (file_ask(tk->lk->dirfd, &sx) == 0 &&	/* the name may be new */
	    ask(tk->lk->dirfd, tk->guarded, &sx) == 0 &&
	    now - changed(&sx) <= DOTLOCK_STALE)
		return false;
	tk->lk->outlived = true;
	return true;
}

/* The own files of takers who were killed before they could remove them. */
static void
sweep(struct taking *tk)
{
	int fd = openat(tk->lk->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	size_t len = strlen(tk->lk->name);
	char content[CONTENT];
	struct dirent *de;
	struct statx sx;

	if (dir == NULL && fd != -1)
		(void)close(fd);
	if (dir == NULL)
		return;
	while ((de = readdir(dir)) != NULL)
		if (strncmp(de->d_name, tk->lk->name, len) == 0 &&
		    de->d_name[len] == '.' && strcmp(de->d_name, tk->temp) != 0 &&
		    look(tk->lk->dirfd, de->d_name, &sx, content) == 0 &&
		    server_time(tk) - changed(&sx) >= (holder_is_dead(tk, content) ?
		    DEAD_HOLDER : DOTLOCK_STALE))
			(void)unlinkat(tk->lk->dirfd, de->d_name, 0);
	(void)closedir(dir);
}

/*
 * Break it: renamed away first, so that of two who saw the same stale lock only
 * one has it in hand, and what was taken by mistake can be given back.  An NFS
 * client thinks that it has renamed the file it knew: the server is asked.
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
		(void)!linkat(tk->lk->dirfd, away, tk->lk->dirfd, tk->lk->name, 0);
	(void)unlinkat(tk->lk->dirfd, away, 0);
	sweep(tk);
}

/*
 * One at a time, and only what is stale still: where two break at once the second
 * would take the first one's new lock away, if for a moment only.  The kernel gives
 * the directory free when we die; where it locks no directories (NFS) it is left to
 * rename_away().
 */
static bool
break_lock(struct taking *tk, const struct statx *stale)
{
	struct statx sx;
	int rc = flock(tk->lk->dirfd, LOCK_EX | LOCK_NB);

	if (rc == -1 && errno == EWOULDBLOCK)
		return false;
	if (ask(tk->lk->dirfd, tk->lk->name, &sx) == 0 &&
	    same_file(&sx, stale) && same_time(&sx.stx_mtime, &stale->stx_mtime))
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
		if (errno == ENOENT && tk->lk->in_line) {
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
			return err_set(err, ST_AGAIN, "%s is held by %s, for %lld s",
			    tk->lk->name, content[0] == '\0' ? "somebody" :
			    content, (long long)(server_time(tk) - changed(&sx)));
		nap(clock_us() - begin);
	}
	return ST_OK;
}

/*
 * Our file has the name.  One that had another before loses it; it is closed first,
 * as an NFS client renames what is open instead.  Any other stays open: we are at the
 * head of the line, or no other file is given its inode number.
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
    const char *guarded, int line, long wait, struct err *err)
{
	long long end = clock_ms() + wait;
	struct taking tk = { .lk = lk, .guarded = guarded, .fd = -1 };
	enum status st;

	*lk = (struct dotlock){ .dirfd = dirfd, .name = name, .fd = -1 };
	tk.host = fill_content(tk.content);
	st = make_file(&tk, line, wait, err);
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

/* The name is looked up at the server.  Somebody may have broken the lock by
 * mistake and given it back. */
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
	if (rc == -1 || !same_file(&sx, &lk->ours) || strcmp(content, ours) != 0)
		return err_set(err, ST_AGAIN, "%s was broken while we held it",
		    lk->name);
	lk->ours = sx;
	return ST_OK;
}

enum status
dotlock_check(struct dotlock *lk, struct err *err)
{
	struct statx sx;

	/* Unlinked, renamed or linked it has another ctime, whatever name an NFS
	 * client remembers it by. */
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
	return lk->held && lk->in_line && line_is_awaited(lk->fd);
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
