/* SPDX-License-Identifier: ISC */
/*
 * record_json.h - a record as JSON, for people's tools and for import and
 * export
 *
 * One flat object; its keys are those of the record's text form, with `begin`
 * and `end` for the window (RFC 3339, or seconds UTC) and arrays for what may
 * be there several times.  The canonical form of a record is this object in one
 * line.
 */
#ifndef ADMIN_RECORD_JSON_H
#define ADMIN_RECORD_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "maps/map.h"

/* What export writes: all but the last change.  A new reference. */
json_t	       *record_json(const struct record *rec);

/* What --json shows: `effective`, `leader`, `by`, `at` and `why` with it. */
json_t	       *record_json_shown(const struct record *rec, time_t now);

/* A change: `seq`, `user`, `by`, `at`, `why`, `was` and `is`. */
json_t	       *change_json(const struct change *ch);

/* Its one line, without LF, as a talloc child of ctx; the reference is given
 * back. */
char	       *json_line(TALLOC_CTX *ctx, json_t *json);

/* Print in one line and give the reference back. */
void		json_print(FILE *out, json_t *json);

/*
 * Set what an object says in a record; what it does not name stays as it is,
 * null empties.  Another state than rec's drops rec's window first.
 *
 * rec   new strings are its talloc children.
 * obj   where a text came from CSV, all values are strings: lists are then
 *       separated as record_json_columns says.
 * ST_NEVER  a key that is not known, or a value that is not valid.
 */
enum status	record_json_apply(json_t *obj, struct record *rec,
		    struct err *err) MUST_CHECK;

/* The columns of the CSV form, NULL-terminated, and what separates a list in
 * column i (0: no list). */
extern const char *const record_json_columns[];
char		record_json_separator(const char *column);

#endif
