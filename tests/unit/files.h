/* SPDX-License-Identifier: ISC */
/*
 * files.h - small files in a directory of the test's own
 *
 * For tests of one program each: everything is static.
 */
#ifndef TESTS_UNIT_FILES_H
#define TESTS_UNIT_FILES_H

#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static char dir[] = "/tmp/mfstore.XXXXXX";
static int dfd;

static void
put(const char *name, const char *text)
{
	int fd = openat(dfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

static void
is(const char *name, const char *want)
{
	char buf[4096];
	int fd = openat(dfd, name, O_RDONLY);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	assert_true(n >= 0);
	buf[n] = '\0';
	(void)close(fd);
	assert_string_equal(buf, want);
}

/* Runs the tests with dfd open; they leave nothing but `last`, or NULL. */
static int
run_files(const struct CMUnitTest *tests, size_t n, const char *last)
{
	int rc;

	if (mkdtemp(dir) == NULL)
		return 1;
	dfd = open(dir, O_RDONLY | O_DIRECTORY);
	rc = _cmocka_run_group_tests("files", tests, n, NULL, NULL);
	if (last != NULL)
		(void)unlinkat(dfd, last, 0);
	return rmdir(dir) == -1 ? 1 : rc;
}

#endif
