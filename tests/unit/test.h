/* SPDX-License-Identifier: ISC */
/*
 * test.h - cmocka with what it wants included before it
 */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Tests that work on mailboxes of their own as who they are: root's command
 * works on nobody's as root. */
static inline int
as_nobody(void)
{
	return geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0);
}

#endif
