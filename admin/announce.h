/* SPDX-License-Identifier: ISC */
/*
 * announce.h - what the command waits for, once it has waited for a second
 */
#ifndef ADMIN_ANNOUNCE_H
#define ADMIN_ANNOUNCE_H

/*
 * Print a line on the standard error in a second from now, unless the wait is
 * over by then.  A step_progress_fn.
 *
 * text  NULL: it is over.
 * arg   not used.
 */
void		announce(const char *text, void *arg);

#endif
