/* SPDX-License-Identifier: ISC */
/*
 * show.h - a record as `show` prints it
 */
#ifndef ADMIN_SHOW_H
#define ADMIN_SHOW_H

#include "maps/record.h"

/* Print it on the standard output: `key value` lines. */
void		show_record(const struct record *rec, time_t now);

#endif
