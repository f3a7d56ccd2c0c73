/* SPDX-License-Identifier: ISC */
/*
 * filter.h - what libmilter calls
 *
 * A session may be on another thread at each call, so all it has hangs on libmilter's
 * private pointer, and a decision is one call long.
 */
#ifndef MILTER_FILTER_H
#define MILTER_FILTER_H

#include <stdbool.h>

/*
 * Tell libmilter of us, before its socket is opened.
 *
 * tcp  the socket is not a unix one.
 */
bool		filter_register(bool tcp);

/* Connections of MTAs at this moment. */
int		filter_sessions(void);

/* Log how often each verdict came, since the start. */
void		filter_log_counts(void);

#endif
