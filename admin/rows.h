/* SPDX-License-Identifier: ISC */
/*
 * rows.h - the files that import reads: JSON Lines and CSV
 */
#ifndef ADMIN_ROWS_H
#define ADMIN_ROWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "maps/base/err.h"

enum format { FORMAT_JSONL, FORMAT_CSV, FORMAT_LDIF };

/* "jsonl", "csv", "ldif" (for export only); false for any other word. */
bool		rows_format(const char *name, enum format *format);

/* By the file's name: CSV where it ends in `.csv`, else JSON Lines. */
enum format	rows_format_of(const char *file);

/*
 * One line's object, borrowed until the function returns; line counts from 1.
 * In CSV an empty field is not there, and every value is a string.  ST_OK: go
 * on.
 */
typedef enum status rows_fn(json_t *obj, int line, void *arg, struct err *err);

/*
 * Read a file to its end, or until fn says otherwise: that is the result then.
 *
 * file   "-" is the standard input.
 * ST_NEVER  it cannot be read: `err` names file and line.
 */
enum status	rows_each(const char *file, enum format format, rows_fn *fn,
		    void *arg, struct err *err) MUST_CHECK;

/* One field, quoted where it must be. */
void		rows_put_csv(FILE *out, const char *text);

#endif
