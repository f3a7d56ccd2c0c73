/* SPDX-License-Identifier: ISC */
/*
 * lock_test.c - dotlocks, and the line in front of them, in a real directory
 */
#include "tests/unit/files.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lda/store/dotlock.h"
#include "lda/store/waiters.h"
#include "lda/store/uidlist.h"

#define LINE "a-line"

static const char *line;		/* where take() stands, for some tests */

static enum status
take(struct dotlock *lk, long wait, struct err *err)
{
	return dotlock_take(lk, dfd, UIDLIST_LOCK, UIDLIST_NAME, line == NULL ? -1 :
	    line_open(dfd, line, 0600, (gid_t)-1), wait, err);
}

static void
lock_has_its_content(void **state)
{
	char want[300], host[200];
	struct dotlock lk, other;
	struct err err;

	(void)state;
	assert_int_equal(take(&lk, 0, &err), ST_OK);
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	(void)snprintf(want, sizeof(want), "%ld:%s", (long)getpid(), host);
	is(UIDLIST_LOCK, want);
	assert_int_equal(take(&other, 0, &err), ST_AGAIN);
	assert_non_null(strstr(err.text, want));
	assert_int_equal(dotlock_check(&lk, &err), ST_OK);
	assert_int_equal(dotlock_keep(&lk, &err), ST_OK);
	dotlock_drop(&lk);
	assert_int_equal(faccessat(dfd, UIDLIST_LOCK, F_OK, 0), -1);
}

/* One that was broken and taken by another is not ours to write under, or to
 * remove. */
static void
broken_lock_is_noticed(void **state)
{
	struct dotlock lk;
	struct err err;

	(void)state;
	assert_int_equal(take(&lk, 0, &err), ST_OK);
	assert_int_equal(unlinkat(dfd, UIDLIST_LOCK, 0), 0);
	assert_int_equal(dotlock_check(&lk, &err), ST_AGAIN);
	put(UIDLIST_LOCK, "1:other.host");
	assert_int_equal(dotlock_check(&lk, &err), ST_AGAIN);
	dotlock_drop(&lk);
	is(UIDLIST_LOCK, "1:other.host");
	assert_int_equal(unlinkat(dfd, UIDLIST_LOCK, 0), 0);
}

/* Renamed away it is not ours; given back by who took it by mistake, it is. */
static void
lock_is_given_back(void **state)
{
	struct dotlock lk;
	struct err err;

	(void)state;
	assert_int_equal(take(&lk, 0, &err), ST_OK);
	assert_int_equal(renameat(dfd, UIDLIST_LOCK, dfd, "away"), 0);
	assert_int_equal(dotlock_check(&lk, &err), ST_AGAIN);
	assert_int_equal(linkat(dfd, "away", dfd, UIDLIST_LOCK, 0), 0);
	assert_int_equal(unlinkat(dfd, "away", 0), 0);
	assert_int_equal(dotlock_check(&lk, &err), ST_OK);
	dotlock_drop(&lk);
	assert_int_equal(faccessat(dfd, UIDLIST_LOCK, F_OK, 0), -1);
}

/* What a lock says whose holder died: on this host, whose name may get a prefix. */
static void
of_the_dead(char text[300], const char *prefix)
{
	char host[200];
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	(void)snprintf(text, 300, "%ld:%s%s", (long)pid, prefix, host);
}

/* Who breaks a lock removes what other takers left who died: not what is young. */
static void
leavings_are_swept(void **state)
{
	static const char dead[] = UIDLIST_LOCK ".here.7.1",
	    alive[] = UIDLIST_LOCK ".there.7.1";
	struct dotlock lk;
	struct err err;
	char text[300];

	(void)state;
	of_the_dead(text, "");
	put(dead, text);
	put(UIDLIST_LOCK, text);
	put(alive, "7:there");
	assert_int_equal(take(&lk, 10000, &err), ST_OK);
	assert_false(lk.outlived);
	dotlock_drop(&lk);
	assert_int_equal(faccessat(dfd, dead, F_OK, 0), -1);
	assert_int_equal(unlinkat(dfd, alive, 0), 0);
}

/* Whose holder died here: after two seconds; another host's: not before 120. */
static void
stale_locks(void **state)
{
	struct dotlock lk;
	struct err err;
	char text[300];

	(void)state;
	of_the_dead(text, "");
	put(UIDLIST_LOCK, text);
	assert_int_equal(take(&lk, 0, &err), ST_AGAIN);
	assert_int_equal(take(&lk, 10000, &err), ST_OK);
	dotlock_drop(&lk);
	of_the_dead(text, "not-");
	put(UIDLIST_LOCK, text);
	assert_int_equal(take(&lk, 3000, &err), ST_AGAIN);
	assert_int_equal(unlinkat(dfd, UIDLIST_LOCK, 0), 0);
}

/* Killed at any moment a taker leaves a lock with content, or none. */
static void
never_an_empty_lock(void **state)
{
	struct dotlock lk;
	struct stat sb;
	struct err err;
	pid_t pid;
	int i;

	(void)state;
	for (i = 0; i < 200; i++) {
		pid = fork();
		if (pid == 0)
			for (;;)
				if (take(&lk, 0, &err) == ST_OK)
					dotlock_drop(&lk);
		(void)usleep((useconds_t)(500 + i * 131 % 1500));
		(void)kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		if (fstatat(dfd, UIDLIST_LOCK, &sb, 0) == 0) {
			assert_true(sb.st_size > 0);
			(void)unlinkat(dfd, UIDLIST_LOCK, 0);
		}
	}
}

static ino_t
inode(const char *name)
{
	struct stat sb;

	return fstatat(dfd, name, &sb, AT_SYMLINK_NOFOLLOW) == -1 ? 0 : sb.st_ino;
}

static nlink_t
names_of(const char *name)
{
	struct stat sb;

	assert_int_equal(fstatat(dfd, name, &sb, AT_SYMLINK_NOFOLLOW), 0);
	return sb.st_nlink;
}

/* Somebody else holds the lock; he goes on for `us`, drops it, and stays. */
static pid_t
holder(useconds_t us)
{
	struct dotlock lk;
	struct err err;
	int p[2];
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (take(&lk, 0, &err) != ST_OK || write(p[1], "", 1) != 1)
			_exit(1);
		(void)usleep(us);
		dotlock_drop(&lk);
		(void)pause();
	}
	assert_int_equal(read(p[0], &(char){ 0 }, 1), 1);
	(void)close(p[0]);
	(void)close(p[1]);
	return pid;
}

static void
end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Nobody waits for an hour: who is before us goes, or dies. */
static void
line_moves(void **state)
{
	const long hour = 3600000000;
	sigset_t set;
	int i, fd;
	pid_t pid;

	(void)state;
	line = LINE;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGRTMIN);	/* as who called us may have left it */
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	for (i = 0; i < 60; i++) {
		pid = holder(i % 3 == 2 ? 1000000000 : (useconds_t)i * 100);
		fd = openat(dfd, LINE, O_RDWR);
		assert_int_not_equal(fd, -1);
		assert_false(line_is_awaited(fd));
		if (i % 3 == 2) {
			assert_false(line_wait(fd, 0));
			assert_false(line_wait(fd, 100));
			(void)kill(pid, SIGKILL);
		}
		assert_true(line_wait(fd, hour));
		(void)close(fd);
		end(pid);
		(void)unlinkat(dfd, UIDLIST_LOCK, 0);
	}
	(void)unlinkat(dfd, LINE, 0);
	line = NULL;
}

/* The lock is the line's file, again and again; its content is the holder's. */
static void
line_is_the_lock(void **state)
{
	struct dotlock lk, other;
	struct err err;
	char want[300];
	ino_t was = 0;
	pid_t pid;
	int i;

	(void)state;
	line = LINE;
	for (i = 0; i < 20; i++) {
		put("x", "another inode");
		pid = holder((useconds_t)i * 200);
		assert_int_equal(take(&lk, 30000, &err), ST_OK);
		assert_int_equal(inode(UIDLIST_LOCK), inode(LINE));
		assert_true(was == 0 || was == inode(LINE));
		was = inode(LINE);
		(void)gethostname(want + snprintf(want, 20, "%ld:", (long)getpid()),
		    200);
		is(UIDLIST_LOCK, want);
		assert_int_equal(take(&other, 0, &err), ST_AGAIN);
		assert_int_equal(dotlock_keep(&lk, &err), ST_OK);
		dotlock_drop(&lk);
		assert_int_equal(names_of(LINE), 1);
		assert_int_equal(inode(UIDLIST_LOCK), 0);
		end(pid);
		(void)unlinkat(dfd, "x", 0);
	}
	line = NULL;
}

/* Who died with it is broken, who is stopped is gone round, and who is robbed
 * notices. */
static void
line_of_the_dead(void **state)
{
	struct dotlock lk;
	struct err err;
	pid_t pid;

	(void)state;
	line = LINE;
	pid = holder(1000000000);
	end(pid);
	assert_int_equal(names_of(LINE), 2);
	assert_int_equal(take(&lk, 0, &err), ST_AGAIN);
	assert_int_equal(take(&lk, 30000, &err), ST_OK);	/* 2 s later */
	assert_int_not_equal(inode(UIDLIST_LOCK), inode(LINE));
	dotlock_drop(&lk);
	assert_int_equal(names_of(LINE), 1);

	pid = holder(1000000000);
	(void)kill(pid, SIGSTOP);
	assert_int_equal(unlinkat(dfd, UIDLIST_LOCK, 0), 0);	/* as if for its age */
	assert_int_equal(take(&lk, 30000, &err), ST_OK);
	assert_int_not_equal(inode(UIDLIST_LOCK), inode(LINE));
	dotlock_drop(&lk);
	end(pid);

	assert_int_equal(take(&lk, 0, &err), ST_OK);
	assert_int_equal(inode(UIDLIST_LOCK), inode(LINE));
	assert_int_equal(unlinkat(dfd, UIDLIST_LOCK, 0), 0);
	assert_int_equal(dotlock_check(&lk, &err), ST_AGAIN);
	put(UIDLIST_LOCK, "1:elsewhere");
	assert_int_equal(dotlock_check(&lk, &err), ST_AGAIN);
	dotlock_drop(&lk);
	is(UIDLIST_LOCK, "1:elsewhere");
	(void)unlinkat(dfd, UIDLIST_LOCK, 0);
	line = NULL;
}

/* Its file is removed while the lock is a name of it, and the holder dies; or while
 * somebody else's lock is waited for. */
static void
line_is_removed(void **state)
{
	struct dotlock lk;
	struct err err;
	pid_t pid;
	int fd;

	(void)state;
	line = LINE;
	pid = holder(1000000000);
	fd = line_open(dfd, LINE, 0600, (gid_t)-1);
	assert_int_not_equal(fd, -1);
	assert_int_equal(unlinkat(dfd, LINE, 0), 0);
	end(pid);
	assert_int_equal(dotlock_take(&lk, dfd, UIDLIST_LOCK, UIDLIST_NAME, fd,
	    30000, &err), ST_OK);
	dotlock_drop(&lk);

	put(UIDLIST_LOCK, "1:elsewhere");
	pid = fork();
	if (pid == 0) {
		while (unlinkat(dfd, LINE, 0) == -1)
			(void)usleep(1000);
		(void)usleep(100000);
		(void)unlinkat(dfd, UIDLIST_LOCK, 0);
		_exit(0);
	}
	assert_int_equal(take(&lk, 30000, &err), ST_OK);
	dotlock_drop(&lk);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	(void)unlinkat(dfd, LINE, 0);
	line = NULL;
}

/* What somebody put in its place is left as it is, and the lock taken without it. */
static void
line_that_is_none(void **state)
{
	struct dotlock lk;
	struct err err;
	int i;

	(void)state;
	line = LINE;
	put("precious", "of somebody");
	for (i = 0; i < 4; i++) {
		(void)unlinkat(dfd, LINE, 0);
		assert_int_equal(i == 0 ? linkat(dfd, "precious", dfd, LINE, 0) :
		    i == 1 ? symlinkat("precious", dfd, LINE) :
		    i == 2 ? mkfifoat(dfd, LINE, 0600) : mkdirat(dfd, LINE, 0700), 0);
		assert_int_equal(take(&lk, 0, &err), ST_OK);
		assert_int_not_equal(inode(UIDLIST_LOCK), inode(LINE));
		dotlock_drop(&lk);
		is("precious", "of somebody");
	}
	(void)unlinkat(dfd, LINE, AT_REMOVEDIR);
	(void)unlinkat(dfd, "precious", 0);
	line = NULL;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock_has_its_content),
		cmocka_unit_test(broken_lock_is_noticed),
		cmocka_unit_test(lock_is_given_back),
		cmocka_unit_test(leavings_are_swept),
		cmocka_unit_test(line_moves),
		cmocka_unit_test(line_is_the_lock),
		cmocka_unit_test(line_of_the_dead),
		cmocka_unit_test(line_is_removed),
		cmocka_unit_test(line_that_is_none),
		cmocka_unit_test(stale_locks),
		cmocka_unit_test(never_an_empty_lock),
	};

	return run_files(tests, sizeof(tests) / sizeof(tests[0]), UIDLIST_NAME);
}
