/* SPDX-License-Identifier: ISC */
/*
 * cohort.c - a list of users in a file
 */
#include "admin/cohort.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t\r\n\v\f";

/* The one word of a line, in place; NULL: the line is empty.  false: the line
 * has more than one, or a NUL byte. */
static bool
read_line(char *line, size_t len, const char **user)
{
	char *word = line + strspn(line, blanks), *rest;

	*user = NULL;
	if (strlen(line) != len)
		return false;
	if (*word == '\0' || *word == '#')
		return true;
	rest = word + strcspn(word, blanks);
	if (*rest != '\0')
		*rest++ = '\0';
	rest += strspn(rest, blanks);
	*user = word;
	return *rest == '\0' || *rest == '#';
}

/* Trying again does not mend the name. */
static enum status
cannot_read(const char *what, const char *file, struct err *err)
{
	(void)err_sys(err, "%s %s", what, file);
	return ST_NEVER;
}

enum status
cohort_each(const char *file, cohort_fn *fn, void *arg, struct err *err)
{
	FILE *in = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	enum status st = ST_OK;
	const char *user;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int n = 0;

	if (in == NULL)
		return cannot_read("open", file, err);
	while (st == ST_OK && (len = getline(&line, &size, in)) > 0) {
		n++;
		if (!read_line(line, (size_t)len, &user))
			st = err_set(err, ST_NEVER, "%s:%d: one user a line",
			    file, n);
		else if (user != NULL)
			fn(user, arg);
	}
	if (st == ST_OK && ferror(in))
		st = cannot_read("read", file, err);
	if (in != stdin)
		(void)fclose(in);
	free(line);
	return st;
}
