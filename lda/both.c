/* SPDX-License-Identifier: ISC */
/*
 * both.c - wait for two filers at once
 *
 * A second thread waits for the second filer.  If a filer hangs, the thread
 * hangs in the kernel, and the LDA's deadline ends the process.  The thread is
 * made at the first wait and sleeps between two waits.
 */
#include "lda/both.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

#define STACK	(64 * 1024)		/* fsync() and a struct err */

static struct {
	pid_t		 in;		/* process of the thread; 0: none */
	sem_t		 go, done;
	both_fn		*fn;		/* what the thread has to call */
	void		*arg;
	enum status	 st;		/* its result */
	struct err	 err;
} other;

static void
wait_on(sem_t *sem)
{
	while (sem_wait(sem) == -1 && errno == EINTR)
		continue;
}

static void *
run_other(void *arg)
{
	(void)arg;
	for (;;) {
		wait_on(&other.go);
		other.st = other.fn(other.arg, &other.err);
		(void)sem_post(&other.done);
	}
	return NULL;
}

/* fork() does not copy the thread: a child makes its own.  Signals are blocked
 * in it, so that handlers run in the first thread only. */
static bool
have_other(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, was;

	if (other.in == getpid())
		return true;
	(void)sem_init(&other.go, 0, 0);
	(void)sem_init(&other.done, 0, 0);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &was);
	other.in = pthread_create(&thread, &attr, run_other, NULL) == 0 ?
	    getpid() : 0;
	(void)pthread_sigmask(SIG_SETMASK, &was, NULL);
	(void)pthread_attr_destroy(&attr);
	return other.in != 0;
}

enum status
both(both_fn *fn, void *a, void *b, struct err *err)
{
	bool beside = b != NULL && have_other();
	enum status st;

	if (beside) {
		other.fn = fn;
		other.arg = b;
		(void)sem_post(&other.go);
	}
	st = fn(a, err);
	if (beside)
		wait_on(&other.done);
	else if (b != NULL)		/* no thread: one after the other */
		other.st = fn(b, &other.err);
	if (st == ST_OK && b != NULL && other.st != ST_OK) {
		*err = other.err;
		st = other.st;
	}
	return st;
}
