/* SPDX-License-Identifier: ISC */
/*
 * follow.h - keep the table of windows up to date by following the map
 */
#ifndef MILTER_FOLLOW_H
#define MILTER_FOLLOW_H

#include "milter/windows.h"

/*
 * Start a thread that reads all records once, and from then on every change.
 * When the connection to mailferry-mapd is lost, the table is incomplete until
 * the thread has read all records again.
 *
 * This needs a map whose changes all pass through our mapd (map = tdb).  With
 * another one no thread is started, and the table is never complete.
 *
 * w, conf  live as long as the process.
 */
enum status	follow_start(struct windows *w, const struct conf *conf,
		    struct err *err) MUST_CHECK;

#endif
