/* SPDX-License-Identifier: ISC */
/*
 * passed.c - descriptors that clients pass (SCM_RIGHTS), and that nobody takes
 */
#include "maps/mapd/passed.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "maps/base/err.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS	83		/* Linux 6.16 */
#endif
#define WAKE		SIGUSR1		/* ends a close that sleeps */
#define STACK		(64 * 1024)	/* bytes, of a thread that closes */

struct closing {
	struct closing		*next;
	passed_closed_fn	*closed;
	void			*arg;
	int			 fd;
	bool			 begun;	/* the thread has it */
	pthread_t		 thread;
	atomic_bool		 done;
};

static struct closing *closings;	/* of the loop's thread alone */
static bool refused;			/* the kernel lets nobody pass any */

/* Accepted connections inherit the option. */
void
passed_listener(int fd)
{
	static const int no = 0;

	refused = setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &no,
	    sizeof(no)) == 0;
}

/* Out of line, an urgent byte would be thrown away with what came beside it. */
void
passed_connection(int fd)
{
	static const int yes = 1;

	if (!refused)
		(void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &yes,
		    sizeof(yes));
}

/*
 * A look takes nothing out of the queue, so it closes nothing.  It ends with
 * the first data that has descriptors, and without a buffer for them the
 * kernel sets MSG_CTRUNC.  What was looked at without them can be read.
 *
 * Source: Linux 5.15 to 6.18, net/unix/af_unix.c unix_stream_read_generic(),
 * include/net/scm.h scm_recv().
 */
ssize_t
passed_recv(int fd, void *buf, size_t len)
{
	struct iovec iov = { buf, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (refused)
		return recv(fd, buf, len, MSG_DONTWAIT);
	n = recvmsg(fd, &msg, MSG_PEEK | MSG_DONTWAIT);
	if (n > 0 && (msg.msg_flags & MSG_CTRUNC) != 0) {
		errno = EBADMSG;
		return -1;
	}
	return n <= 0 ? n : recv(fd, buf, (size_t)n, MSG_DONTWAIT);
}

static void *
close_it(void *arg)
{
	struct closing *c = arg;

	(void)close(c->fd);
	atomic_store(&c->done, true);
	return NULL;
}

static void
on_wake(int sig)
{
	(void)sig;
}

/* The thread gets WAKE alone, others are the loop's.  False: no thread now. */
static bool
begin(struct closing *c)
{
	static const struct sigaction wake = { .sa_handler = on_wake };
	pthread_attr_t attr;
	sigset_t all, was;
	bool begun;

	if (pthread_attr_init(&attr) != 0)
		return false;
	(void)sigaction(WAKE, &wake, NULL);
	(void)pthread_attr_setstacksize(&attr, STACK);
	(void)sigfillset(&all);
	(void)sigdelset(&all, WAKE);
	(void)pthread_sigmask(SIG_SETMASK, &all, &was);
	begun = pthread_create(&c->thread, &attr, close_it, c) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &was, NULL);
	(void)pthread_attr_destroy(&attr);
	return begun;
}

/* Nothing can be sent to it any more, so what is empty stays empty. */
static bool
is_empty(int fd)
{
	int unread;

	return refused || (shutdown(fd, SHUT_RD) == 0 &&
	    ioctl(fd, FIONREAD, &unread) == 0 && unread == 0);
}

void
passed_close(int fd, passed_closed_fn *closed, void *arg)
{
	struct closing *c;

	if (is_empty(fd)) {
		(void)close(fd);
		closed(arg);
		return;
	}
	c = must(calloc(1, sizeof(*c)));
	*c = (struct closing){ .next = closings, .closed = closed, .arg = arg,
	    .fd = fd };
	closings = c;
	c->begun = begin(c);
}

void
passed_reap(void)
{
	struct closing **p = &closings, *c;

	while ((c = *p) != NULL) {
		if (!c->begun)
			c->begun = begin(c);
		else if (!atomic_load(&c->done))
			(void)pthread_kill(c->thread, WAKE);
		if (!c->begun || !atomic_load(&c->done)) {
			p = &c->next;
			continue;
		}
		*p = c->next;
		(void)pthread_join(c->thread, NULL);
		c->closed(c->arg);
		free(c);
	}
}
