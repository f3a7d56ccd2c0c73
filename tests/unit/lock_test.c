/* SPDX-License-Identifier: ISC */
/*
 * lock_test.c - dotlocks, and the queue in front of them, in a real directory
 */
#include "tests/unit/files.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lda/store/dotlock.h"
#include "lda/store/waiters.h"
#include "lda/store/uidlist.h"

#define QUEUE "a-queue"

static const char *queue;		/* where take() waits, or NULL */

static enum status
take(struct dotlock *lk, long wait, struct err *err)
{
	return dotlock_take(lk, dfd, UIDLIST_LOCK, UIDLIST_NAME,
	    queue == NULL ? -1 : waiters_open(dfd, queue, 0600, (gid_t)-1),
	    wait, err);
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

/* Renamed away, the lock is not ours; given back, it is ours again. */
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

/* The content of a lock whose holder, a process of this host, has died.  The
 * name of the host may get a prefix. */
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

/* To break a lock removes the old files that killed takers left, but no young
 * ones. */
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

	return fstatat(dfd, name, &sb, AT_SYMLINK_NOFOLLOW) == -1 ? 0 :
	    sb.st_ino;
}

static nlink_t
names_of(const char *name)
{
	struct stat sb;

	assert_int_equal(fstatat(dfd, name, &sb, AT_SYMLINK_NOFOLLOW), 0);
	return sb.st_nlink;
}

/* Another process holds the lock for `us`, drops it, and lives on. */
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

/* No process waits for an hour: the one before it leaves, or dies. */
static void
queue_moves(void **state)
{
	const long hour = 3600000000;
	sigset_t set;
	int i, fd;
	pid_t pid;

	(void)state;
	queue = QUEUE;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGRTMIN);	/* as a caller may leave it */
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	for (i = 0; i < 60; i++) {
		pid = holder(i % 3 == 2 ? 1000000000 : (useconds_t)i * 100);
		fd = openat(dfd, QUEUE, O_RDWR);
		assert_int_not_equal(fd, -1);
		assert_false(waiters_behind(fd));
		if (i % 3 == 2) {
			assert_false(waiters_enter(fd, 0));
			assert_false(waiters_enter(fd, 100));
			(void)kill(pid, SIGKILL);
		}
		assert_true(waiters_enter(fd, hour));
		(void)close(fd);
		end(pid);
		(void)unlinkat(dfd, UIDLIST_LOCK, 0);
	}
	(void)unlinkat(dfd, QUEUE, 0);
	queue = NULL;
}

/* The lock is the queue's file, again and again; its content is the
 * holder's. */
static void
queue_is_the_lock(void **state)
{
	struct dotlock lk, other;
	struct err err;
	char want[300];
	ino_t was = 0;
	pid_t pid;
	int i;

	(void)state;
	queue = QUEUE;
	for (i = 0; i < 20; i++) {
		put("x", "another inode");
		pid = holder((useconds_t)i * 200);
		assert_int_equal(take(&lk, 30000, &err), ST_OK);
		assert_int_equal(inode(UIDLIST_LOCK), inode(QUEUE));
		assert_true(was == 0 || was == inode(QUEUE));
		was = inode(QUEUE);
		(void)gethostname(want + snprintf(want, 20, "%ld:",
		    (long)getpid()),
		    200);
		is(UIDLIST_LOCK, want);
		assert_int_equal(take(&other, 0, &err), ST_AGAIN);
		assert_int_equal(dotlock_keep(&lk, &err), ST_OK);
		dotlock_drop(&lk);
		assert_int_equal(names_of(QUEUE), 1);
		assert_int_equal(inode(UIDLIST_LOCK), 0);
		end(pid);
		(void)unlinkat(dfd, "x", 0);
	}
	queue = NULL;
}

/* The lock of a dead holder is broken, a stopped holder is not waited for in
 * the queue, and a holder whose lock was broken notices. */
static void
queue_of_the_dead(void **state)
{
	struct dotlock lk;
	struct err err;
	pid_t pid;

	(void)state;
	queue = QUEUE;
	pid = holder(1000000000);
	end(pid);
	assert_int_equal(names_of(QUEUE), 2);
	assert_int_equal(take(&lk, 0, &err), ST_AGAIN);
	assert_int_equal(take(&lk, 30000, &err), ST_OK);	/* 2 s later */
	assert_int_not_equal(inode(UIDLIST_LOCK), inode(QUEUE));
	dotlock_drop(&lk);
	assert_int_equal(names_of(QUEUE), 1);

	pid = holder(1000000000);
	(void)kill(pid, SIGSTOP);
	/* As if for its age. */
	assert_int_equal(unlinkat(dfd, UIDLIST_LOCK, 0), 0);
	assert_int_equal(take(&lk, 30000, &err), ST_OK);
	assert_int_not_equal(inode(UIDLIST_LOCK), inode(QUEUE));
	dotlock_drop(&lk);
	end(pid);

	assert_int_equal(take(&lk, 0, &err), ST_OK);
	assert_int_equal(inode(UIDLIST_LOCK), inode(QUEUE));
	assert_int_equal(unlinkat(dfd, UIDLIST_LOCK, 0), 0);
	assert_int_equal(dotlock_check(&lk, &err), ST_AGAIN);
	put(UIDLIST_LOCK, "1:elsewhere");
	assert_int_equal(dotlock_check(&lk, &err), ST_AGAIN);
	dotlock_drop(&lk);
	is(UIDLIST_LOCK, "1:elsewhere");
	(void)unlinkat(dfd, UIDLIST_LOCK, 0);
	queue = NULL;
}

/* Its file is removed while the lock is a name of it, and the holder dies; or
 * while the lock of another process is waited for. */
static void
queue_is_removed(void **state)
{
	struct dotlock lk;
	struct err err;
	pid_t pid;
	int fd;

	(void)state;
	queue = QUEUE;
	pid = holder(1000000000);
	fd = waiters_open(dfd, QUEUE, 0600, (gid_t)-1);
	assert_int_not_equal(fd, -1);
	assert_int_equal(unlinkat(dfd, QUEUE, 0), 0);
	end(pid);
	assert_int_equal(dotlock_take(&lk, dfd, UIDLIST_LOCK, UIDLIST_NAME, fd,
	    30000, &err), ST_OK);
	dotlock_drop(&lk);

	put(UIDLIST_LOCK, "1:elsewhere");
	pid = fork();
	if (pid == 0) {
		while (unlinkat(dfd, QUEUE, 0) == -1)
			(void)usleep(1000);
		(void)usleep(100000);
		(void)unlinkat(dfd, UIDLIST_LOCK, 0);
		_exit(0);
	}
	assert_int_equal(take(&lk, 30000, &err), ST_OK);
	dotlock_drop(&lk);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	(void)unlinkat(dfd, QUEUE, 0);
	queue = NULL;
}

/* Any other file in its place is left as it is; the lock is taken without
 * it. */
static void
queue_that_is_none(void **state)
{
	struct dotlock lk;
	struct err err;
	int i;

	(void)state;
	queue = QUEUE;
	put("precious", "of somebody");
	for (i = 0; i < 4; i++) {
		(void)unlinkat(dfd, QUEUE, 0);
		assert_int_equal(
		    i == 0 ? linkat(dfd, "precious", dfd, QUEUE, 0) :
		    i == 1 ? symlinkat("precious", dfd, QUEUE) :
		    i == 2 ? mkfifoat(dfd, QUEUE, 0600) :
		    mkdirat(dfd, QUEUE, 0700), 0);
		assert_int_equal(take(&lk, 0, &err), ST_OK);
		assert_int_not_equal(inode(UIDLIST_LOCK), inode(QUEUE));
		dotlock_drop(&lk);
		is("precious", "of somebody");
	}
	(void)unlinkat(dfd, QUEUE, AT_REMOVEDIR);
	(void)unlinkat(dfd, "precious", 0);
	queue = NULL;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock_has_its_content),
		cmocka_unit_test(broken_lock_is_noticed),
		cmocka_unit_test(lock_is_given_back),
		cmocka_unit_test(leavings_are_swept),
		cmocka_unit_test(queue_moves),
		cmocka_unit_test(queue_is_the_lock),
		cmocka_unit_test(queue_of_the_dead),
		cmocka_unit_test(queue_is_removed),
		cmocka_unit_test(queue_that_is_none),
		cmocka_unit_test(stale_locks),
		cmocka_unit_test(never_an_empty_lock),
	};

	return run_files(tests, sizeof(tests) / sizeof(tests[0]), UIDLIST_NAME);
}
