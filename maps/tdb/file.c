/* SPDX-License-Identifier: ISC */
/*
 * file.c - the open file of a map: its owner, its look-ups, its transactions
 */
#include "maps/tdb/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maps/base/clock.h"
#include "maps/tdb/values.h"

#define LOCK_TRIES	100		/* two seconds */
#define LOCK_REST	20		/* ms */

/*
 * Root opens a map's files as the owner of their directory: files that it makes
 * must be mailferry-mapd's, and a link that this user put there must lead no
 * further than the user gets.
 */
static bool
become_owner(const char *path)
{
	char *copy = must(talloc_strdup(NULL, path));
	struct stat sb;
	bool on;

	on = geteuid() == 0 && stat(dirname(copy), &sb) == 0 &&
	    sb.st_uid != 0 && setegid(sb.st_gid) == 0;
	if (on && seteuid(sb.st_uid) == -1) {
		(void)setegid(0);
		on = false;
	}
	talloc_free(copy);
	return on;
}

static void
become_root(bool on)
{
	int was = errno;

	if (on && (seteuid(0) == -1 || setegid(0) == -1))
		abort();		/* no call after this would be safe */
	errno = was;
}

struct tdb_context *
tdbm_file_open(const char *path, int hash_size, int tdb_flags, int open_flags)
{
	struct tdb_context *tdb;
	bool on = become_owner(path);

	/* The environment must not turn durability off. */
	(void)unsetenv("TDB_NO_FSYNC");
	tdb = tdb_open(path, hash_size, TDB_INCOMPATIBLE_HASH | tdb_flags,
	    open_flags, 0600);
	become_root(on);
	return tdb;
}

/* A process that can open a tdb file to read can block its writers. */
static enum status
check_directory(const char *path, struct err *err)
{
	char *copy = must(talloc_strdup(NULL, path)), *dir = dirname(copy);
	enum status st = ST_OK;
	struct stat sb;

	if (stat(dir, &sb) == -1)
		st = err_sys(err, "%s", dir);
	else if ((sb.st_mode & 077) != 0)
		st = err_set(err, ST_NEVER, "%s: others may enter it: chmod "
		    "700 the directory of the map", dir);
	else if (sb.st_uid != geteuid() && geteuid() != 0)
		st = err_set(err, ST_NEVER, "%s: belongs to uid %ld, not to us",
		    dir, (long)sb.st_uid);
	talloc_free(copy);
	return st;
}

/* Neither a second mapd nor a command beside mapd may open the file. */
static enum status
lock_owner(struct tdbmap *tm, struct err *err)
{
	char *name = must(talloc_asprintf(tm, "%s.lock", tm->path));
	bool on = become_owner(name);
	int tries = 0;

	tm->lock = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	become_root(on);
	if (tm->lock == -1)
		return err_sys(err, "open %s", name);
	/* A command, or a mapd that ends, may hold it for a moment. */
	while (flock(tm->lock, LOCK_EX | LOCK_NB) == -1 && tries++ < LOCK_TRIES)
		(void)poll(NULL, 0, LOCK_REST);
	if (tries <= LOCK_TRIES)
		return ST_OK;
	return errno == EWOULDBLOCK ? err_set(err, ST_AGAIN,
	    "%s: mailferry-mapd (or another command) has it open", tm->path) :
	    err_sys(err, "lock %s", name);
}

enum status
tdbm_file_own(struct tdbmap *tm, struct err *err)
{
	enum status st = check_directory(tm->path, err);

	return st == ST_OK ? lock_owner(tm, err) : st;
}

enum status
tdbm_check_size(struct tdbmap *tm, struct err *err)
{
	struct stat sb;

	if (fstat(tm->fd, &sb) == -1)
		return err_sys(err, "%s", tm->path);
	if (sb.st_size < tm->size)
		return err_set(err, ST_AGAIN,
		    "%s was cut: stop mailferry-mapd and restore it", tm->path);
	tm->size = sb.st_size;
	return ST_OK;
}

enum status
tdbm_look(struct tdbmap *tm, bool rests, struct err *err)
{
	enum status st;

	if (tm->seen || (tm->looking && tm->seen_at == clock_ms()))
		return ST_OK;
	st = tdbm_check_size(tm, err);
	if (st == ST_OK && rests) {
		tm->seen = true;
		tm->seen_at = clock_ms();
		if (!tm->looking)
			tm->looking = tdb_lockall_read(tm->tdb) == 0;
	}
	return st;
}

static void
end_look(struct tdbmap *tm)
{
	if (tm->looking)
		(void)tdb_unlockall_read(tm->tdb);
	tm->looking = tm->seen = false;
}

enum status
tdbm_begin(struct tdbmap *tm, struct err *err)
{
	end_look(tm);		/* a transaction allows no other lock */
	return tdb_transaction_start(tm->tdb) == -1 ?
	    tdbm_error(tm->tdb, err, "begin a transaction") : ST_OK;
}

enum status
tdbm_end(struct tdbmap *tm, enum status st, struct err *err)
{
	if (st != ST_OK)
		(void)tdb_transaction_cancel(tm->tdb);
	else if (tdb_transaction_commit(tm->tdb) == -1)
		st = tdbm_error(tm->tdb, err, "commit");
	return st;
}
