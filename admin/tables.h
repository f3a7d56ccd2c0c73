/* SPDX-License-Identifier: ISC */
/*
 * tables.h - what the map says now, as tables for hosts without a
 * mailferry-mapd
 */
#ifndef ADMIN_TABLES_H
#define ADMIN_TABLES_H

#include <stdio.h>

#include "admin/context.h"

struct table;

/* "transport", "access", "passwd-file"; NULL: there is no such table. */
const struct table *table_find(const char *name);

/*
 * Write a table's lines: the user of each address, and the state, are
 * asked of the map as mailferry-mapd's socketmap would.
 *
 * ST_NEVER  also: a user that the table's form cannot hold.
 */
enum status	table_write(struct admin *ad, const struct table *table,
		    FILE *out, struct err *err) MUST_CHECK;

#endif
