/* SPDX-License-Identifier: ISC */
/*
 * follow.h - keep the table of windows true, by following the map
 */
#ifndef MILTER_FOLLOW_H
#define MILTER_FOLLOW_H

#include "milter/windows.h"

/*
 * Start a thread that reads all records once and every change from then on; whenever
 * it loses mailferry-mapd, the table is not complete until it has done so again.
 *
 * Only where all changes come through our mapd (map = tdb): else nothing is started, and
 * the table is never complete.
 *
 * w, conf  live as long as the process.
 */
enum status	follow_start(struct windows *w, const struct conf *conf,
		    struct err *err) MUST_CHECK;

#endif
