/* SPDX-License-Identifier: ISC */
/*
 * lockfile.c - lockfiles, as other programs of the user take them
 */
#include "lda/recipe/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lda/recipe/engine.h"
#include "maps/base/file.h"

#define LOCK_SIZE_MAX	16		/* bytes of a file that is a lock */
#define TRIES		7		/* while the disk is full or the like */

static const char *
dir_of(TALLOC_CTX *ctx, const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash == NULL ? "." :
	    must(talloc_strndup(ctx, name, (size_t)(slash - name) + 1));
}

/* The time by the file system of the lock; the clocks of hosts differ. */
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

/* Remove the lockfile if it is too old.  false: that cannot be done. */
static bool
force(struct engine *e, const char *name)
{
	struct stat sb;

	if (e->locks.timeout == 0 || lstat(name, &sb) == -1 ||
	    sb.st_size > LOCK_SIZE_MAX ||
	    time_there(e, name) - sb.st_mtime <= e->locks.timeout)
		return true;
	if (S_ISDIR(sb.st_mode) || unlink(name) == -1) {
		rclog_say_of(&e->log, "Forced unlock denied on", name);
		return false;
	}
	rclog_say_of(&e->log, "Forcing lock on", name);
	(void)engine_sleep(e, e->locks.suspend);
	return true;
}

static bool
wait_for(struct engine *e, const char *name)
{
	int tries = TRIES;

	for (;;) {
		rclog_verbose(&e->log, "Locking", name);
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
		if (!engine_sleep(e, e->locks.sleep))
			return false;
	}
}

bool
lockfile_take(struct engine *e, const char *name, char **lock)
{
	bool ok;

	if (*lock != NULL && strcmp(name, *lock) == 0)
		return true;
	/* First, lest two processes wait for each other. */
	lockfile_drop(e, lock);
	if (*name == '\0')
		return true;
	/* No user can lock the system mailbox: only VERBOSE reports it. */
	if (e->locks.spool != NULL && strcmp(name, e->locks.spool) == 0 &&
	    faccessat(AT_FDCWD, dir_of(e->ctx, name), W_OK, AT_EACCESS) == -1 &&
	    errno == EACCES) {
		rclog_verbose(&e->log, "Bypassed locking", name);
		return false;
	}
	ok = wait_for(e, name);
	if (ok)
		*lock = must(talloc_strdup(e, name));
	else if (!e->end.stop)
		rclog_say_of(&e->log, "Lock failure on", name);
	return ok;
}

void
lockfile_local(struct engine *e, const char *named, const char *of)
{
	const char *name = named;

	if (name == NULL && (strcmp(of, "/dev/null") == 0 ||
	    strcmp(of, "|") == 0))
		return;
	if (name == NULL)
		name = must(talloc_asprintf(e->ctx, "%s%s", of,
		    e->locks.ext));
	if (e->locks.global != NULL && strcmp(name, e->locks.global) == 0)
		rclog_say_of(&e->log, "Deadlock attempted on", name);
	else
		(void)lockfile_take(e, name, &e->locks.local);
}

void
lockfile_drop(struct engine *e, char **lock)
{
	if (*lock == NULL)
		return;
	rclog_verbose(&e->log, "Unlocking", *lock);
	if (unlink(*lock) == -1)
		rclog_say_of(&e->log, "Couldn't unlock", *lock);
	talloc_free(*lock);
	*lock = NULL;
}

void
lockfile_forget(struct engine *e)
{
	e->locks.local = e->locks.global = NULL;
}
