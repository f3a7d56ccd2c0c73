/* SPDX-License-Identifier: ISC */
/*
 * run.h - the entry of an import, which says how far it is
 *
 * `cn=ID,cn=imports,MAP_ENTRY`.  Its states: open, then decided and done, or
 * broken and gone.  The map's entry names the one import that may be under way:
 * its place.
 */
#ifndef MAPS_LDAP_RUN_H
#define MAPS_LDAP_RUN_H

#include "maps/ldap/conn.h"

struct ldaprun {
	char		*state;		/* open, broken, gone, decided, done */
	time_t		 at;		/* its last sign of life, seconds UTC */
	uint64_t	 left;		/* records not yet applied */
	char		**taken;	/* addresses that other users have;
					   NULL-terminated */
};

/* Its DN; talloc child of ctx. */
char	       *ldapm_run_dn(TALLOC_CTX *ctx, const struct ldapmap *lm,
		    const char *id);

/*
 * Read it; the parts of run are talloc children of ctx.
 * ST_NONE  there is no such import (any more).
 */
enum status	ldapm_run_read(struct ldapmap *lm, TALLOC_CTX *ctx,
		    const char *id, struct ldaprun *run, struct err *err)
		    MUST_CHECK;

bool		ldapm_run_is(const struct ldaprun *run, const char *state);

/* True if it is done or gone. */
bool		ldapm_run_over(const struct ldaprun *run);

/*
 * From one state to another, with a sign of life.  ST_NONE: it is not in
 * `from`.
 */
enum status	ldapm_run_set(struct ldapmap *lm, TALLOC_CTX *ctx,
		    const char *id, const char *from, const char *to,
		    uint64_t left, struct err *err) MUST_CHECK;

/*
 * Give the map's place to another import.
 *
 * from, to  IDs; NULL: the place is free, or becomes it.
 * ST_NONE   the place is not held by `from`.
 */
enum status	ldapm_run_take_place(struct ldapmap *lm, TALLOC_CTX *ctx,
		    const char *from, const char *to, struct err *err)
		    MUST_CHECK;

/* The import that has the place; talloc child of ctx.  ST_NONE: it is free. */
enum status	ldapm_run_in_place(struct ldapmap *lm, TALLOC_CTX *ctx,
		    char **id, struct err *err) MUST_CHECK;

#endif
