/* SPDX-License-Identifier: ISC */
/*
 * locks.c - lockfiles, as other programs of the user take them
 *
 * Made exclusively; one that is older than LOCKTIMEOUT is taken away by force.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lda/recipe/engine.h"
#include "maps/base/clock.h"
#include "maps/base/file.h"

#define LOCK_SIZE_MAX	16		/* bytes of a file that is a lock */
#define TRIES		7		/* while the disk is full or the like */

/* false: a signal, or no time is left for it. */
bool
engine_sleep(struct engine *e, long seconds)
{
	struct timespec ts = { seconds, 0 };

	rclog_flush(e);
	if (clock_ms() - e->began > RUN_MOST * 1000LL) {
		struct err err;

		(void)err_set(&err, ST_AGAIN, "the rc file waited too long for "
		    "a lockfile");
		engine_defer(e, &err);
		return false;
	}
	while (nanosleep(&ts, &ts) == -1 && errno == EINTR) {
		check_signals(e);
		if (e->stop)
			return false;
	}
	return !e->stop;
}

static const char *
dir_of(TALLOC_CTX *ctx, const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash == NULL ? "." :
	    must(talloc_strndup(ctx, name, (size_t)(slash - name) + 1));
}

/* The time of the file system that the lock is on; clocks of hosts differ. */
static time_t
time_there(struct engine *e, const char *name)
{
	struct stat sb;
	int fd = open(dir_of(e->ctx, name), O_TMPFILE | O_WRONLY | O_CLOEXEC,
	    0600);
	time_t now = time(NULL);

	if (fd == -1)
		return now;
	if (write(fd, "", 1) == 1 && fstat(fd, &sb) == 0)
		now = sb.st_mtime;
	(void)close(fd);
	return now;
}

enum attempt { GOT, TAKEN, AGAIN, HOPELESS };

static enum attempt
make_lock(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0444);

	if (fd != -1) {
		(void)!file_write(fd, "0", 1);
		(void)close(fd);
		return GOT;
	}
	switch (errno) {
	case EEXIST:
		return TAKEN;
	case ENOSPC: case EDQUOT: case EIO: case ESTALE:
	case ENOENT: case ENOTDIR:	/* a file system that comes and goes */
		return AGAIN;
	default:
		return HOPELESS;
	}
}

/* Is it forgotten?  Then away with it.  false: that cannot be done. */
static bool
force(struct engine *e, const char *name)
{
	struct stat sb;

	if (e->set.locktimeout == 0 || lstat(name, &sb) == -1 ||
	    sb.st_size > LOCK_SIZE_MAX ||
	    time_there(e, name) - sb.st_mtime <= e->set.locktimeout)
		return true;
	if (S_ISDIR(sb.st_mode) || unlink(name) == -1) {
		diag_of(e, "Forced unlock denied on", name);
		return false;
	}
	diag_of(e, "Forcing lock on", name);
	(void)engine_sleep(e, e->set.suspend);
	return true;
}

static bool
wait_for(struct engine *e, const char *name)
{
	int tries = TRIES;

	for (;;) {
		chat(e, "Locking", name);
		switch (make_lock(name)) {
		case GOT:
			return true;
		case TAKEN:
			if (!force(e, name))
				return false;
			if (faccessat(AT_FDCWD, name, F_OK,
			    AT_SYMLINK_NOFOLLOW) == -1)
				continue;
			tries = TRIES;
			break;
		case AGAIN:
			if (tries-- == 0)
				return false;
			break;
		case HOPELESS:
			return false;
		}
		if (!engine_sleep(e, e->set.locksleep))
			return false;
	}
}

bool
lock_take(struct engine *e, const char *name, char **lock)
{
	bool ok;

	if (*lock != NULL && strcmp(name, *lock) == 0)
		return true;
	lock_drop(e, lock);		/* first, lest two wait for each other */
	if (*name == '\0')
		return true;
	/* Nobody of our rights can lock the system mailbox: not even told. */
	if (e->spool_lock != NULL && strcmp(name, e->spool_lock) == 0 &&
	    faccessat(AT_FDCWD, dir_of(e->ctx, name), W_OK, AT_EACCESS) == -1 &&
	    errno == EACCES) {
		chat(e, "Bypassed locking", name);
		return false;
	}
	ok = wait_for(e, name);
	if (ok)
		*lock = must(talloc_strdup(e, name));
	else if (!e->stop)
		diag_of(e, "Lock failure on", name);
	return ok;
}

/* The lockfile of a recipe: named, or of what it writes to. */
void
lock_local(struct engine *e, const char *named, const char *of)
{
	const char *name = named;

	if (name == NULL && (strcmp(of, "/dev/null") == 0 ||
	    strcmp(of, "|") == 0))
		return;
	if (name == NULL)
		name = must(talloc_asprintf(e->ctx, "%s%s", of,
		    e->set.lockext));
	if (e->global != NULL && strcmp(name, e->global) == 0)
		diag_of(e, "Deadlock attempted on", name);
	else
		(void)lock_take(e, name, &e->local);
}

void
lock_drop(struct engine *e, char **lock)
{
	if (*lock == NULL)
		return;
	chat(e, "Unlocking", *lock);
	if (unlink(*lock) == -1)
		diag_of(e, "Couldn't unlock", *lock);
	talloc_free(*lock);
	*lock = NULL;
}
