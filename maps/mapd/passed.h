/* SPDX-License-Identifier: ISC */
/*
 * passed.h - descriptors that clients pass (SCM_RIGHTS), and that nobody takes
 *
 * The last close of a descriptor may sleep for as long as its former owner
 * likes: a TCP socket with SO_LINGER and unsent data does, for instance.  And
 * the kernel closes a passed descriptor in the process that reads over it, or
 * that closes a connection on which it was not read.  The event loop must do
 * neither.
 *
 * Linux 6.16 refuses descriptors for us (SO_PASSRIGHTS).  With an older kernel
 * data is looked at before it is read, and a connection with unread data is
 * closed by a thread.
 */
#ifndef MAPS_MAPD_PASSED_H
#define MAPS_MAPD_PASSED_H

#include <stddef.h>
#include <sys/types.h>

/* Prepare a unix socket; call it before listen(2). */
void		passed_listener(int fd);

/* Prepare a connection that was accepted, before anything is read. */
void		passed_connection(int fd);

/*
 * recv(2) without waiting.  -1 with errno EBADMSG: the client passes a
 * descriptor; nothing more can be read, and the connection is to be closed.
 */
ssize_t		passed_recv(int fd, void *buf, size_t len);

/*
 * Close a connection.
 *
 * closed  called once with `arg` when the descriptor is free: at once, or by
 *         passed_reap().
 */
typedef void passed_closed_fn(void *arg);
void		passed_close(int fd, passed_closed_fn *closed, void *arg);

/* Each second: report the connections that threads have closed, and wake the
 * threads that sleep in a close. */
void		passed_reap(void);

#endif
