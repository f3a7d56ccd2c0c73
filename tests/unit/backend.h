/* SPDX-License-Identifier: ISC */
/*
 * backend.h - the kinds of map that one test-suite is run against
 *
 * tdb: a file, owned here.  ldap: a slapd of our own below a temporary
 * directory, reached by ldapi.  socket: a mailferry-mapd of our own over one of
 * the two.
 */
#ifndef TESTS_UNIT_BACKEND_H
#define TESTS_UNIT_BACKEND_H

#include "tests/unit/test.h"

#include <sys/types.h>

#include "maps/backend.h"

enum kind { TDB, LDAP_, SOCKET, SOCKET_LDAP };

/* Once before and after all tests of a kind; -1: cannot be. */
int		backend_begin(enum kind kind);
void		backend_end(void);

/* An empty map, and its configuration until the next call. */
struct map     *backend_fresh(void);
extern struct conf *backend_conf;
/* The same map once more. */
struct map     *backend_open(void);

/* The slapd of an LDAP kind: its URI, the base of the present map, its pid. */
const char     *backend_uri(void);
const char     *backend_base(void);
pid_t		backend_slapd(void);

#endif
