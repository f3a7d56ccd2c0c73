/* SPDX-License-Identifier: ISC */
/*
 * conn.h - the connection to the one writable provider, and what goes over it
 *
 * The provider is asked for everything.  Each call blocks, so mapd has them
 * made in workers (maps/mapd/workers.c).  A connection is made where there is
 * none.
 */
#ifndef MAPS_LDAP_CONN_H
#define MAPS_LDAP_CONN_H

#include <ldap.h>
#include <stdatomic.h>

#include "maps/base/err.h"
#include "maps/ldap/attrs.h"
#include "maps/ldap/conf.h"

/* What the processes of one mapd know in common. */
struct ldapshared {
	_Atomic uint64_t seen;		/* highest number of a change */
	atomic_int	 at;		/* index of the URI that answered */
	atomic_int	 trying;	/* index of the URI at which a worker
					   met its deadline; -1: none */
	atomic_bool	 down;		/* no server answered */
	atomic_llong	 next;		/* clock_ms() of the next attempt */
	char		 why[400];	/* the reason, for people: it may be
					   read while it is written; ends in
					   NUL */
};

/* The handle of an LDAP map. */
struct ldapmap {
	struct ldapconf	*conf;
	struct ldapshared *shared;
	LDAP		*ld;		/* NULL: not connected */
	bool		 create;	/* MAP_CREATE: the map's entry, too */
	bool		 unsure;	/* the last write failed, and may have
					   been done, or be done yet */
	unsigned	 dials;		/* connections so far */
	long long	 refresh;	/* ms that the last reading of all
					   records took */
	long long	 pruned, rolled;	/* clock_ms() */
};

/*
 * Search at the provider.
 *
 * filter  escaped already: ldapm_escape().
 * limit   entries at most, 0: as many as there are.
 * res     to be freed with ldap_msgfree(); NULL unless ST_OK.
 *
 * ST_NONE   the search's own base is not there.
 * ST_AGAIN  no server answers, or the answer is not whole: a limit of the
 *           server's, a part of the tree that is elsewhere.  More than `limit`
 *           is no error.
 */
enum status	ldapm_search(struct ldapmap *lm, const char *base, int scope,
		    const char *filter, const char *const *attrs, int limit,
		    LDAPMessage **res, struct err *err) MUST_CHECK;

/*
 * Change one entry.
 *
 * assertion  a filter that must be true of the entry; NULL: none.
 * post       attribute whose number after the change goes to *number; NULL:
 *            none.
 *
 * ST_NONE   the assertion is false, or there is no such entry.
 * ST_AGAIN  with lm->unsure: it may have been done nevertheless.
 */
enum status	ldapm_modify(struct ldapmap *lm, const char *dn,
		    struct ldapmods *m, const char *assertion, const char *post,
		    uint64_t *number, struct err *err) MUST_CHECK;

/*
 * Make one entry.  ST_NONE: it is there already.  ST_AGAIN: as ldapm_modify().
 */
enum status	ldapm_add(struct ldapmap *lm, const char *dn,
		    struct ldapmods *m, struct err *err) MUST_CHECK;

/* Delete one entry.  Results as ldapm_modify(). */
enum status	ldapm_delete(struct ldapmap *lm, const char *dn,
		    const char *assertion, struct err *err) MUST_CHECK;

/* Close the connection, if there is one. */
void		ldapm_disconnect(struct ldapmap *lm);

/*
 * There have been `seq` changes: from now on a server that knows fewer is
 * refused.
 */
void		ldapm_saw(struct ldapmap *lm, uint64_t seq);

#endif
