/* SPDX-License-Identifier: ISC */
/*
 * daemon.h - how the daemons are called, and how they say that they cannot
 * begin
 */
#ifndef MAPS_BASE_DAEMON_H
#define MAPS_BASE_DAEMON_H

#include <stdbool.h>

#include "maps/base/conf.h"

struct daemon {
	const char	*name;		/* the program's */
	const char	*config;	/* its file; NULL: the one that is built in */
	const char	*log;		/* NULL: as configured */
	bool		 check;		/* look whether it could start, no more */
};

/* -1: go on; else the exit status, and what there is to say is said. */
int		daemon_options(struct daemon *d, int argc, char **argv);

/* Opens the log where d or else conf says; as daemon_options(). */
int		daemon_log(const struct daemon *d, const struct conf *conf);

/* The reason, to standard error and the log.  Returns 1, the exit status. */
int		daemon_refuse(const struct daemon *d, const struct err *err);

#endif
