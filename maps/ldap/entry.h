/* SPDX-License-Identifier: ISC */
/*
 * entry.h - from an entry of the directory to a record, and back
 *
 * A record is on one entry: the one that the user had before, or, where there
 * is none, one of its own below `cn=records` of the map's entry,
 * `mailferryUser=NAME,cn=records,MAP_ENTRY`.
 */
#ifndef MAPS_LDAP_ENTRY_H
#define MAPS_LDAP_ENTRY_H

#include "maps/ldap/conn.h"
#include "maps/record.h"

struct ldapentry {
	char		*dn;
	bool		 carries;	/* our class is on it */
	uint64_t	 version;	/* the last one; 0: none ever */
	uint64_t	 seq;		/* of the last change */
	char		*state;		/* as its attribute says */
	struct record	*rec;		/* NULL: deleted, or never there */
	char		*change;	/* the text of the last one; NULL */
	char		*import;	/* ID of its import; NULL: none */
	char		*staged;	/* maps/ldap/stage.h; NULL */
};

/* The attributes that ldapm_entry_read() reads; NULL-terminated. */
extern const char *const ldapm_entry_attrs[];

/*
 * The entry of a user.
 *
 * anew  where no entry carries the user's record: the one that could, which may
 *       have to be made (carries is false, dn says where).
 * ent   its parts are talloc children of ctx.
 *
 * ST_NONE   no entry carries a record of the user, and !anew.
 * ST_NEVER  a damaged record, or two.
 */
enum status	ldapm_entry(struct ldapmap *lm, TALLOC_CTX *ctx,
		    const char *user, bool anew, struct ldapentry *ent,
		    struct err *err) MUST_CHECK;

/*
 * The same from one entry of a search.
 *
 * user      NULL: any user's.
 * ST_NEVER  it is another user's, or damaged.
 */
enum status	ldapm_entry_read(struct ldapmap *lm, TALLOC_CTX *ctx,
		    LDAPMessage *e, const char *user, struct ldapentry *ent,
		    struct err *err) MUST_CHECK;

/* Add to a change what an entry needs that carries no record yet. */
void		ldapm_mod_carry(struct ldapmods *m, const struct ldapentry *ent,
		    const char *user);

/*
 * Make or change the entry of a record.
 *
 * m          begun with ldapm_mod_carry().
 * assertion as ldapm_modify(); it counts where the entry carries a record
 * already.
 * ST_NONE    the assertion is false, or the entry was made meanwhile.
 */
enum status	ldapm_write(struct ldapmap *lm, const struct ldapentry *ent,
		    struct ldapmods *m, const char *assertion, struct err *err)
		    MUST_CHECK;

#endif
