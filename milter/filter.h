/* SPDX-License-Identifier: ISC */
/*
 * filter.h - what libmilter calls
 *
 * Each call for a session may come on another thread: what belongs to a session
 * hangs on libmilter's private pointer.
 */
#ifndef MILTER_FILTER_H
#define MILTER_FILTER_H

#include <stdbool.h>

/*
 * Register the callbacks with libmilter, before its socket is opened.
 *
 * tcp  the socket is not a unix socket.
 */
bool		filter_register(bool tcp);

/* Open connections from MTAs. */
int		filter_sessions(void);

/* Log how often each verdict was given since the start. */
void		filter_log_counts(void);

#endif
