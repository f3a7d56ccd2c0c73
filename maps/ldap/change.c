/* SPDX-License-Identifier: ISC */
/*
 * change.c - one change of a record, and the claims of its addresses
 *
 * New addresses are claimed first, then the record changes, then claims that it
 * no longer needs are released.  A claim alone gives no user an address.  A
 * process that dies between claim and record leaves a claim that no record
 * uses; after CLAIM_STALE another user may take it.
 */
#include "maps/ldap/change.h"

#include <stdio.h>
#include <string.h>

#include "maps/change.h"
#include "maps/ldap/history.h"
#include "maps/ldap/ldif.h"

#define CLAIM_STALE	60		/* seconds; a request ends within 9 */

static char *
claim_dn(struct ldapmap *lm, TALLOC_CTX *ctx, const char *addr)
{
	char *rdn = must(talloc_asprintf(ctx, "mailferryClaim=%s",
	    ldap_escape_dn(ctx, addr)));

	return ldapconf_below(ctx, lm->conf, rdn, "addresses");
}

static char *
owner_is(TALLOC_CTX *ctx, const char *user)
{
	return must(talloc_asprintf(ctx, "(mailferryOwner=%s)",
	    ldapm_escape(ctx, user)));
}

static enum status
read_claim(struct ldapmap *lm, TALLOC_CTX *ctx, const char *addr, char **owner,
    time_t *at, struct err *err)
{
	static const char *const attrs[] = { "mailferryOwner", "mailferryAt",
	    NULL };
	LDAPMessage *res, *e;
	enum status st;

	st = ldapm_search(lm, claim_dn(lm, ctx, addr), LDAP_SCOPE_BASE,
	    "(objectClass=*)", attrs, 0, &res, err);
	if (st != ST_OK)
		return st;
	e = ldap_first_entry(lm->ld, res);
	*owner = e == NULL ? NULL : ldapm_value(ctx, lm->ld, e,
	    "mailferryOwner", NULL);
	*at = e == NULL ? 0 : (time_t)ldapm_number(lm->ld, e, "mailferryAt");
	(void)ldap_msgfree(res);
	return *owner == NULL ? ST_NONE : ST_OK;
}

enum status
ldapm_claim_owner(struct ldapmap *lm, TALLOC_CTX *ctx, const char *addr,
    char **owner, struct err *err)
{
	time_t at;

	return read_claim(lm, ctx, addr, owner, &at, err);
}

/*
 * Hand a claim from one user to another, or renew it for the same one.
 *
 * at       when `from` claimed it, -1: at any time.
 * ST_NONE  the claim has changed.
 */
static enum status
hand_over(struct ldapmap *lm, TALLOC_CTX *ctx, const char *addr,
    const char *from, time_t at, const char *to, struct err *err)
{
	struct ldapmods m = { .ctx = ctx };
	char *assertion = owner_is(ctx, from);

	if (at != -1)
		assertion = must(talloc_asprintf(ctx, "(&%s(mailferryAt=%lld))",
		    assertion, (long long)at));
	ldapm_mod(&m, LDAP_MOD_REPLACE, "mailferryOwner", to);
	ldapm_mod_number(&m, LDAP_MOD_REPLACE, "mailferryAt",
	    (uint64_t)time(NULL));
	return ldapm_modify(lm, claim_dn(lm, ctx, addr), &m, assertion, NULL,
	    NULL, err);
}

static enum status
changes_hands(const char *addr, struct err *err)
{
	return err_set(err, ST_AGAIN, "the address %s changes hands", addr);
}

/* used: the owner has the address, or a staged record. */
static enum status
is_used(struct ldapmap *lm, TALLOC_CTX *ctx, const char *addr,
    const char *owner, bool *used, struct err *err)
{
	struct ldapentry ent;
	enum status st;

	st = ldapm_entry(lm, ctx, owner, false, &ent, err);
	*used = st == ST_OK && (record_has_address(ent.rec, addr) ||
	    ent.import != NULL);
	return st == ST_NONE ? ST_OK : st;
}

enum status
ldapm_claim(struct ldapmap *lm, TALLOC_CTX *ctx, const char *addr,
    const char *user, char **owner, struct err *err)
{
	struct ldapmods m = { .ctx = ctx };
	time_t at = 0;
	enum status st;
	bool used;

	*owner = NULL;
	ldapm_mod(&m, LDAP_MOD_ADD, "objectClass", "mailferryAddressClaim");
	ldapm_mod(&m, LDAP_MOD_ADD, "mailferryClaim", addr);
	ldapm_mod(&m, LDAP_MOD_ADD, "mailferryOwner", user);
	ldapm_mod_number(&m, LDAP_MOD_ADD, "mailferryAt", (uint64_t)time(NULL));
	st = ldapm_add(lm, claim_dn(lm, ctx, addr), &m, err);
	if (st != ST_NONE)
		return st;
	st = read_claim(lm, ctx, addr, owner, &at, err);
	if (st != ST_OK)
		return st == ST_NONE ? changes_hands(addr, err) : st;
	if (strcmp(*owner, user) != 0) {
		if (at + CLAIM_STALE > time(NULL))
			return ST_NONE;
		st = is_used(lm, ctx, addr, *owner, &used, err);
		if (st != ST_OK || used)
			return st == ST_OK ? ST_NONE : st;
	}
	/*
	 * A process that is about to take or release this claim finds it
	 * renewed.
	 */
	st = hand_over(lm, ctx, addr, *owner, at, user, err);
	return st == ST_NONE ? changes_hands(addr, err) : st;
}

static enum status
claim_for(struct ldapmap *lm, TALLOC_CTX *ctx, const char *addr,
    const char *user, bool decided, struct err *err)
{
	char *owner = NULL;
	enum status st;

	st = ldapm_claim(lm, ctx, addr, user, &owner, err);
	if (st != ST_NONE)
		return st;
	if (!decided)
		return err_set(err, ST_NEVER, "%s: the address %s is %s's",
		    user, addr, owner);
	/* The owner gives it up in the same import. */
	st = hand_over(lm, ctx, addr, owner, -1, user, err);
	return st == ST_NONE ? changes_hands(addr, err) : st;
}

static enum status
claim_all(struct ldapmap *lm, TALLOC_CTX *ctx, const struct record *was,
    const struct record *is, bool decided, struct err *err)
{
	enum status st = ST_OK;
	const char **a;

	for (a = is == NULL ? NULL : is->address; a != NULL && *a != NULL &&
	    st == ST_OK; a++)
		if (!record_has_address(was, *a))
			st = claim_for(lm, ctx, *a, is->user, decided, err);
	return st;
}

/*
 * In two steps, first to "claimed long ago": if the same user claims it in
 * between, the claim stays.  After a failure a claim is left that no record
 * uses.
 */
static void
release(struct ldapmap *lm, TALLOC_CTX *ctx, const char *addr, const char *user)
{
	struct ldapmods m = { .ctx = ctx };
	char *dn = claim_dn(lm, ctx, addr), *mine = owner_is(ctx, user);
	struct err err;

	ldapm_mod(&m, LDAP_MOD_REPLACE, "mailferryAt", "0");
	if (ldapm_modify(lm, dn, &m, mine, NULL, NULL, &err) == ST_OK)
		(void)!ldapm_delete(lm, dn, must(talloc_asprintf(ctx,
		    "(&%s(mailferryAt=0))", mine)), &err);
}

static void
release_all(struct ldapmap *lm, TALLOC_CTX *ctx, const struct record *was,
    const struct record *is, const char *user)
{
	const char **a;

	for (a = was == NULL ? NULL : was->address; a != NULL && *a != NULL;
	    a++)
		if (!record_has_address(is, *a))
			release(lm, ctx, *a, user);
}

/* `(ATTR=VALUE)`, or that there is none. */
static char *
value_is(TALLOC_CTX *ctx, const char *attr, const char *value)
{
	return must(value == NULL ? talloc_asprintf(ctx, "(!(%s=*))", attr) :
	    talloc_asprintf(ctx, "(%s=%s)", attr, ldapm_escape(ctx, value)));
}

/* What must still be true of the entry when it is changed. */
static char *
assertion_for(TALLOC_CTX *ctx, const struct ldapentry *ent, bool decided)
{
	return must(talloc_asprintf(ctx, "(&(mailferryVersion=%llu)%s%s)",
	    (unsigned long long)ent->version,
	    value_is(ctx, "mailferryImport", ent->import),
	    decided ? "" : value_is(ctx, "mailferryState", ent->state)));
}

static void
make_mods(struct ldapmods *m, const struct ldapentry *ent, const char *user,
    const struct record *is, uint64_t version, uint64_t seq, const char *change)
{
	ldapm_mod_carry(m, ent, user);
	ldapm_mod_number(m, LDAP_MOD_REPLACE, "mailferryVersion", version);
	ldapm_mod(m, LDAP_MOD_REPLACE, "mailferryState", is == NULL ? "none" :
	    state_name(is->state));
	ldapm_mod(m, LDAP_MOD_REPLACE, "mailferryText", is == NULL ? NULL :
	    record_format(m->ctx, is));
	ldapm_mod_list(m, LDAP_MOD_REPLACE, "mailferryAddress", is == NULL ?
	    NULL : is->address);
	ldapm_mod_number(m, LDAP_MOD_REPLACE, "mailferrySequence", seq);
	ldapm_mod(m, LDAP_MOD_REPLACE, "mailferryChange", change);
	if (ent->import != NULL) {
		ldapm_mod(m, LDAP_MOD_REPLACE, "mailferryImport", NULL);
		ldapm_mod(m, LDAP_MOD_REPLACE, "mailferryStaged", NULL);
		ldapm_mod(m, LDAP_MOD_REPLACE, "mailferryStagedAddress", NULL);
	}
}

static enum status
lost_race(const char *user, struct err *err)
{
	return err_set(err, ST_AGAIN, "somebody else changed the record of %s",
	    user);
}

/* The answer to the write was lost: the entry shows whether it was done. */
static enum status
was_it_done(struct ldapmap *lm, TALLOC_CTX *ctx, const char *user,
    uint64_t seq, enum status st, struct err *err)
{
	struct ldapentry ent;
	struct err other;

	if (!lm->unsure || ldapm_entry(lm, ctx, user, false, &ent,
	    &other) != ST_OK)
		return st;
	if (ent.seq == seq)
		return ST_OK;
	return err_wrap(err, st, "the change of %s may or may not be done",
	    user);
}

enum status
ldapm_change(struct ldapmap *lm, TALLOC_CTX *ctx, struct ldapentry *ent,
    const char *user, const struct record *is, const struct change_by *by,
    uint64_t seq, bool decided, struct change *ch, struct err *err)
{
	struct ldapmods m = { .ctx = ctx };
	enum status st = ST_OK;
	char *change;
	size_t len;

	if (ent->change != NULL)
		st = ldapm_history_add(lm, ent->seq, user, ent->change, err);
	if (st != ST_OK)
		return st;
	if (is != NULL)
		is = change_finish(ctx, is, ent->version, by);
	*ch = (struct change){ seq, must(talloc_strdup(ctx, user)), *by,
	    ent->rec, is, decided };
	change = change_format(ctx, ch, ent->seq, &len);
	if (len > 2 * RECORD_TEXT_MAX + 4096 || (is != NULL &&
	    strlen(record_format(ctx, is)) > RECORD_TEXT_MAX))
		return err_set(err, ST_NEVER, "the record of %s is too long",
		    user);
	make_mods(&m, ent, user, is, is != NULL ? is->version :
	    ent->version + 1, seq, change);
	st = claim_all(lm, ctx, ent->rec, is, decided, err);
	if (st == ST_OK)
		st = ldapm_write(lm, ent, &m, assertion_for(ctx, ent,
		    decided), err);
	if (st == ST_AGAIN)
		st = was_it_done(lm, ctx, user, seq, st, err);
	if (st == ST_NONE)		/* another process won */
		return lost_race(user, err);
	if (st != ST_OK)
		return st;
	/* The change is made.  What is missing the next change adds. */
	(void)!ldapm_history_add(lm, seq, user, change, err);
	release_all(lm, ctx, ent->rec, is, user);
	return ST_OK;
}

enum status
ldapm_complete_history(struct ldapmap *lm, const char *user, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct ldapentry ent;
	enum status st;

	st = ldapm_entry(lm, ctx, user, false, &ent, err);
	if (st == ST_OK && ent.change != NULL)
		st = ldapm_history_add(lm, ent.seq, user, ent.change, err);
	talloc_free(ctx);
	return st == ST_NONE ? ST_OK : st;
}
