/* SPDX-License-Identifier: ISC */
/*
 * rights.c - may we work on a user's mailboxes?
 */
#include "admin/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lda/store/asuser.h"

#define PATIENCE	10		/* seconds for both filers */

static enum status
check_path(const char *path, struct err *err)
{
	if (path == NULL || faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK,
	    AT_EACCESS) == 0 || (errno != EACCES && errno != EPERM))
		return ST_OK;
	(void)err_sys(err, "uid %ld may not work on %s", (long)geteuid(), path);
	return ST_NEVER;
}

/* In the child. */
static enum status
check_both(void *arg, int out, struct err *err)
{
	const struct record *rec = arg;
	enum status st = ST_OK;
	int side;

	(void)out;
	for (side = OLD; side <= NEW && st == ST_OK; side++) {
		st = check_path(rec->side[side].mail, err);
		if (st == ST_OK && rec->side[side].mail != NULL)
			st = check_path(rec->side[side].control, err);
	}
	return st;
}

static void
no_line(const char *line, void *arg)
{
	(void)line;
	(void)arg;
}

enum status
rights_check(const struct record *rec, const struct conf *conf,
    struct err *err)
{
	struct record *copy = record_copy(NULL, rec);
	enum status st;

	st = as_user(rec, conf, PATIENCE, check_both, copy, no_line, NULL,
	    err);
	talloc_free(copy);
	return st == ST_NEVER ? st : ST_OK;
}
