/* SPDX-License-Identifier: ISC */
/*
 * daemon.h - options of the daemons, and how they report a failed start
 */
#ifndef MAPS_BASE_DAEMON_H
#define MAPS_BASE_DAEMON_H

#include <stdbool.h>

#include "maps/base/conf.h"

struct daemon {
	const char	*name;		/* the program's */
	const char	*config;	/* its file; NULL: the default */
	const char	*log;		/* NULL: as configured */
	bool		 check;		/* only test whether it could start */
};

/* Parse the options.  -1: go on; else the exit status, after all messages. */
int		daemon_options(struct daemon *d, int argc, char **argv);

/* Open the log that d or else conf names.  Returns as daemon_options(). */
int		daemon_log(const struct daemon *d, const struct conf *conf);

/* Report the reason on standard error and in the log; 1, the exit status. */
int		daemon_refuse(const struct daemon *d, const struct err *err);

#endif
