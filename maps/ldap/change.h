/* SPDX-License-Identifier: ISC */
/*
 * change.h - one change of a record, and the claims of its addresses
 *
 * A change is one modify of the record's entry, which LDAP makes whole or not
 * at all, under an assertion (RFC 4528) on version and state.  The change
 * itself goes with it, in mailferryChange; its entry in the history is a copy
 * of that, made right after, or before the record's next change.  So there is
 * no change without history and no history of a change that never was,
 * whichever process dies when.
 *
 * `mailferryClaim=ADDR,cn=addresses,MAP_ENTRY` says which user has an address:
 * of two processes that add the same entry, LDAP lets one.
 */
#ifndef MAPS_LDAP_CHANGE_H
#define MAPS_LDAP_CHANGE_H

#include "maps/ldap/entry.h"
#include "maps/map.h"

/*
 * Make one change: compare and swap on ent, its history, its addresses.
 *
 * seq      from ldapm_sequence().
 * decided  part of an import that was committed: the assertion is on
 *          ent->import then, and an address that another user has is taken.
 * ch       what was changed; its parts are talloc children of ctx.
 *
 * ST_AGAIN somebody else was first, or it may or may not be done: err says
 * which.
 * ST_NEVER  another user has one of the addresses; the record is too long.
 */
enum status	ldapm_change(struct ldapmap *lm, TALLOC_CTX *ctx,
		    struct ldapentry *ent, const char *user,
		    const struct record *is, const struct change_by *by,
		    uint64_t seq, bool decided, struct change *ch,
		    struct err *err) MUST_CHECK;

/* Copy the user's last change into the history where that copy is missing. */
enum status	ldapm_complete_history(struct ldapmap *lm, const char *user,
		    struct err *err) MUST_CHECK;

/*
 * Claim an address for a user.
 * ST_NONE  *owner has it; talloc child of ctx.
 */
enum status	ldapm_claim(struct ldapmap *lm, TALLOC_CTX *ctx,
		    const char *addr, const char *user, char **owner,
		    struct err *err) MUST_CHECK;

/*
 * The user who has claimed an address; talloc child of ctx.  ST_NONE: nobody.
 */
enum status	ldapm_claim_owner(struct ldapmap *lm, TALLOC_CTX *ctx,
		    const char *addr, char **owner, struct err *err) MUST_CHECK;

#endif
