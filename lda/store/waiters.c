/* SPDX-License-Identifier: ISC */
/*
 * waiters.c - a file at which the processes of one host queue
 *
 * flock(2) wakes them in the order in which they came, and at once.  It knows
 * no time limit: the signal of a timer ends it.  The timer repeats, as its
 * first signal may come before flock() sleeps.
 */
#include "lda/store/waiters.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "maps/base/file.h"

int
waiters_open(int dirfd, const char *name, mode_t mode, gid_t gid)
{
	const int how = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = openat(dirfd, name, how);

	if (fd != -1 || errno != ENOENT)
		return fd;
	fd = openat(dirfd, name, how | O_CREAT | O_EXCL, 0600);
	if (fd != -1)
		(void)!file_permit(fd, mode, gid);
	return fd;
}

static void
wake(int sig)
{
	(void)sig;
}

/* A signal that nothing else uses; SIGALRM is the deadline's. */
static bool
set_timer(timer_t *timer, long us)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
	    .sigev_signo = SIGRTMIN };
	struct sigaction sa = { .sa_handler = wake };	/* no SA_RESTART */
	struct itimerspec its;
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGRTMIN);
	if (sigaction(SIGRTMIN, &sa, NULL) == -1 ||
	    sigprocmask(SIG_UNBLOCK, &set, NULL) == -1 ||
	    timer_create(CLOCK_MONOTONIC, &ev, timer) == -1)
		return false;
	its.it_value = its.it_interval = (struct timespec){ us / 1000000,
	    us % 1000000 * 1000 };
	if (timer_settime(*timer, 0, &its, NULL) == 0)
		return true;
	(void)timer_delete(*timer);
	return false;
}

/* A process that waits holds another lock, that of the first byte, which ends
 * with the process. */
static void
say_waiting(int fd, bool yes)
{
	struct flock fl = { .l_type = yes ? F_RDLCK : F_UNLCK, .l_len = 1 };

	(void)fcntl(fd, F_OFD_SETLK, &fl);
}

bool
waiters_enter(int fd, long us)
{
	timer_t timer;
	bool ours;

	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (us <= 0)
		return false;
	if (!set_timer(&timer, us)) {
		(void)usleep((useconds_t)us);
		return false;
	}
	say_waiting(fd, true);
	ours = flock(fd, LOCK_EX) == 0;
	(void)timer_delete(timer);
	say_waiting(fd, false);
	return ours;
}

bool
waiters_behind(int fd)
{
	struct flock fl = { .l_type = F_WRLCK, .l_len = 1 };

	return fcntl(fd, F_OFD_GETLK, &fl) == 0 && fl.l_type != F_UNLCK;
}
