/* SPDX-License-Identifier: ISC */
/*
 * backend.h - what the files of the LDAP backend share
 *
 * One writable provider is asked for everything; each call blocks, so mapd has
 * them made in workers (maps/mapd/workers.c).
 *
 * A record is on one entry, the user's own one that is there already, or one below
 * `cn=records` of the map's entry where he has none.  A change is one modify of that
 * entry, which LDAP makes whole or not at all, under an assertion (RFC 4528) on
 * version and state.  It carries the change itself with it, mailferryChange:
 * the entry in the history is a copy of that, made right after, or by whoever
 * changes the record next.  So there is no change without history and no history
 * of a change that never was, whoever dies when.
 *
 * Below the map's entry (map_entry, `cn=mailferry,BASE`):
 *	mailferryUser=NAME,cn=records	a record whose user has no entry
 *	mailferrySequence=N,cn=history	a change
 *	mailferryClaim=ADDR,cn=addresses	whose an address is: adding an entry
 *					is what LDAP does for one of two only
 *	cn=ID,cn=imports		an import (map_ldap_import.c)
 * The map's entry counts the changes (mailferrySequence): who has seen a higher
 * number than a server has does not follow that server.
 */
#ifndef MAPS_LDAP_BACKEND_H
#define MAPS_LDAP_BACKEND_H

#include <ldap.h>
#include <stdatomic.h>

#include "maps/backend.h"
#include "maps/ldap/conf.h"
#include "maps/ldap/ldif.h"

#define LDAPM_MODS	24		/* attributes of one change */

/* What the processes of one mapd know in common. */
struct ldapshared {
	_Atomic uint64_t seen;		/* highest number of a change */
	atomic_int	 at;		/* the URI that answered last */
	atomic_int	 trying;	/* the one tried by whom the deadline
					   killed; -1: none */
	atomic_bool	 down;		/* none answered whoever tried last */
	atomic_llong	 next;		/* clock_ms() when one may try again */
	char		 why[400];	/* what he met; for people: it may be read
					   while it is written, and ends in NUL */
};

struct ldapmap {
	struct ldapconf	*conf;
	struct ldapshared *shared;
	LDAP		*ld;		/* NULL: not connected */
	bool		 create;	/* MAP_CREATE: the map's entry, too */
	bool		 unsure;	/* of the last write: it failed, and may
					   have been done or be done yet */
	unsigned	 dials;		/* connections so far */
	long long	 refresh;	/* ms that the last reading of all took */
	long long	 pruned, rolled;	/* clock_ms() */
};

/* map_ldap_conn.c: the connection, and what goes over it. */

/* One attribute's change.  Values are borrowed from the talloc context. */
struct ldapmods {
	TALLOC_CTX	*ctx;
	LDAPMod		*mod[LDAPM_MODS + 1];
	int		 n;
};

void		ldapm_mod_list(struct ldapmods *m, int op, const char *attr,
		    const char *const *values);
/* value NULL: with LDAP_MOD_REPLACE, the attribute goes. */
void		ldapm_mod(struct ldapmods *m, int op, const char *attr,
		    const char *value);
void		ldapm_mod_number(struct ldapmods *m, int op, const char *attr,
		    uint64_t value);

/*
 * Search at the provider.
 *
 * filter  escaped already: ldapm_escape().
 * limit   entries at most, 0: as many as there are.
 * res     to be freed with ldap_msgfree(); NULL unless ST_OK.
 * ST_NONE the search's own base is not there.
 * ST_AGAIN also where the answer is not whole: a limit of the server's, a part of the
 *         tree that is elsewhere.  More than `limit` is no error.
 */
enum status	ldapm_search(struct ldapmap *lm, const char *base, int scope,
		    const char *filter, const char *const *attrs, int limit,
		    LDAPMessage **res, struct err *err) MUST_CHECK;

/*
 * Change one entry.
 *
 * assertion  a filter that must be true of the entry; NULL: none.
 * post       (may be NULL) attribute whose number after the change goes to *number.
 * ST_NONE    the assertion is false, or there is no such entry.
 */
enum status	ldapm_modify(struct ldapmap *lm, const char *dn,
		    struct ldapmods *m, const char *assertion, const char *post,
		    uint64_t *number, struct err *err) MUST_CHECK;
/* ST_NONE: it is there already. */
enum status	ldapm_add(struct ldapmap *lm, const char *dn,
		    struct ldapmods *m, struct err *err) MUST_CHECK;
/* ST_NONE: as ldapm_modify(). */
enum status	ldapm_delete(struct ldapmap *lm, const char *dn,
		    const char *assertion, struct err *err) MUST_CHECK;

void		ldapm_disconnect(struct ldapmap *lm);

/* So many changes there were: a server that knows fewer is not followed from now on. */
void		ldapm_saw(struct ldapmap *lm, uint64_t seq);

/* map_ldap_entry.c: entries and records. */

/* For a filter; talloc child of ctx. */
char	       *ldapm_escape(TALLOC_CTX *ctx, const char *value);

/* An attribute's first value, talloc child of ctx, with a NUL after it; NULL: none.
 * Number: 0 where there is none. */
char	       *ldapm_value(TALLOC_CTX *ctx, LDAP *ld, LDAPMessage *e,
		    const char *attr, size_t *len);
uint64_t	ldapm_number(LDAP *ld, LDAPMessage *e, const char *attr);
bool		ldapm_has_value(LDAP *ld, LDAPMessage *e, const char *attr,
		    const char *value);

struct ldapentry {
	char		*dn;
	bool		 carries;	/* our class is on it */
	uint64_t	 version;	/* the last one; 0: there never was one */
	uint64_t	 seq;		/* of the last change */
	char		*state;		/* as its attribute says */
	struct record	*rec;		/* NULL: deleted, or never there */
	char		*change;	/* the last one's text; NULL */
	char		*import;	/* staged for it; NULL */
	char		*staged;	/* map_ldap_import.c */
};

/*
 * The entry of a user: the one that carries his record, or where `anew` the one
 * that could, which may have to be made (carries is false, dn is where).
 *
 * ent  its parts are talloc children of ctx.
 * ST_NONE  there is none, and !anew.
 * ST_NEVER a damaged record, or two.
 */
enum status	ldapm_entry(struct ldapmap *lm, TALLOC_CTX *ctx,
		    const char *user, bool anew, struct ldapentry *ent,
		    struct err *err) MUST_CHECK;
/* From one entry of a search; user NULL: whoever it is. */
enum status	ldapm_entry_read(struct ldapmap *lm, TALLOC_CTX *ctx,
		    LDAPMessage *e, const char *user, struct ldapentry *ent,
		    struct err *err) MUST_CHECK;
extern const char *const ldapm_entry_attrs[];

/* `cn=WHAT,MAP_ENTRY`; talloc child of ctx. */
char	       *ldapm_below(TALLOC_CTX *ctx, const struct ldapmap *lm,
		    const char *rdn, const char *what);

/* What a record's entry gets that carries none yet. */
void		ldapm_mod_carry(struct ldapmods *m, const struct ldapentry *ent,
		    const char *user);
/* Make or change the record's entry; m: ldapm_mod_carry() first; `assertion` counts
 * where it carries a record already. */
enum status	ldapm_write(struct ldapmap *lm, const struct ldapentry *ent,
		    struct ldapmods *m, const char *assertion, struct err *err)
		    MUST_CHECK;

/* map_ldap_sync.c */
enum status	ldapm_follow(struct map *map, follow_fn *fn, void *arg,
		    struct err *err);

/* map_ldap_history.c */

/* The numbers of `n` changes to come: the last of them. */
enum status	ldapm_sequence(struct ldapmap *lm, unsigned n, uint64_t *last,
		    struct err *err) MUST_CHECK;
/* The number of the last change, as the map's entry says: others change, too, and who
 * only reads must not follow a server either that has less than he acted on. */
enum status	ldapm_last(struct ldapmap *lm, uint64_t *last, struct err *err)
		    MUST_CHECK;
/* Copy a change into the history; it may be there. */
enum status	ldapm_history_add(struct ldapmap *lm, uint64_t seq,
		    const char *user, const char *change, struct err *err)
		    MUST_CHECK;
enum status	ldapm_history(struct map *map, const char *user, int limit,
		    map_change_fn *fn, void *arg, struct err *err);
/* A few that are older than the configuration keeps; ST_NONE: there are none. */
enum status	ldapm_prune(struct map *map, struct err *err) MUST_CHECK;

/* map_ldap_change.c */

/*
 * One change: CAS on ent, its history, its addresses.
 *
 * seq      ldapm_sequence().
 * decided  part of an import that stands: ent->import is the assertion then, and an
 *          address of another user's is taken.
 * ch       (talloc children of ctx) what was changed.
 * ST_AGAIN somebody else was first.
 */
enum status	ldapm_change(struct ldapmap *lm, TALLOC_CTX *ctx,
		    struct ldapentry *ent, const char *user,
		    const struct record *is, const struct change_by *by,
		    uint64_t seq, bool decided, struct change *ch,
		    struct err *err) MUST_CHECK;

/* Claim an address; *owner (talloc child of ctx) is set with ST_NONE: another's. */
enum status	ldapm_claim(struct ldapmap *lm, TALLOC_CTX *ctx,
		    const char *addr, const char *user, char **owner,
		    struct err *err) MUST_CHECK;
enum status	ldapm_claim_owner(struct ldapmap *lm, TALLOC_CTX *ctx,
		    const char *addr, char **owner, struct err *err) MUST_CHECK;

/* map_ldap_stage.c */
struct ldaprun {			/* an import's own entry */
	char		*state;		/* open, broken, gone, decided, done */
	time_t		 at;		/* last sign of life */
	uint64_t	 left;
	char		**taken;	/* addresses of others */
};

/* Its DN; talloc child of ctx. */
char	       *ldapm_run_dn(TALLOC_CTX *ctx, const struct ldapmap *lm,
		    const char *id);
/* ST_NONE: there is no such import (any more). */
enum status	ldapm_run_read(struct ldapmap *lm, TALLOC_CTX *ctx,
		    const char *id, struct ldaprun *run, struct err *err)
		    MUST_CHECK;
bool		ldapm_run_is(const struct ldaprun *run, const char *state);
/* ST_NONE: it is not in the state `from`. */
enum status	ldapm_run_set(struct ldapmap *lm, TALLOC_CTX *ctx,
		    const char *id, const char *from, const char *to,
		    uint64_t left, struct err *err) MUST_CHECK;
/* What is staged on an entry; talloc children of ctx. */
enum status	ldapm_staged_parse(TALLOC_CTX *ctx, const struct ldapentry *ent,
		    const char *user, struct record **is, struct change_by *by,
		    struct err *err) MUST_CHECK;
/* Take the mark of ent->import away. */
enum status	ldapm_unstage(struct ldapmap *lm, TALLOC_CTX *ctx,
		    const struct ldapentry *ent, struct err *err) MUST_CHECK;

/* map_ldap_import.c */
enum status	ldapm_import_begin(struct map *map, TALLOC_CTX *ctx, char **id,
		    struct err *err);
enum status	ldapm_import_put(struct map *map, const char *id,
		    uint64_t was_version, const struct record *is,
		    const struct change_by *by, struct err *err);
enum status	ldapm_import_commit(struct map *map, const char *id,
		    uint64_t *left, struct err *err);
enum status	ldapm_import_abort(struct map *map, const char *id,
		    struct err *err);
/* Does the import that ent is staged for stand?  *is is then what it makes of it
 * (talloc child of ctx); ST_NONE: not yet, or never. */
enum status	ldapm_import_stands(struct ldapmap *lm, TALLOC_CTX *ctx,
		    const struct ldapentry *ent, const char *user,
		    struct record **is, struct err *err) MUST_CHECK;
/* Bring one to its place.  ST_NONE: it is, or the import does not stand. */
enum status	ldapm_import_settle(struct map *map, TALLOC_CTX *ctx,
		    struct ldapentry *ent, const char *user, struct err *err)
		    MUST_CHECK;
/* Somebody changes a record that is staged: the import can not stand any more. */
enum status	ldapm_import_break(struct ldapmap *lm, const char *id,
		    const char *user, struct err *err) MUST_CHECK;
/* A batch of what waits; ST_NONE: nothing does. */
enum status	ldapm_import_roll(struct map *map, struct err *err) MUST_CHECK;

#endif
