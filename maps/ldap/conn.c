/* SPDX-License-Identifier: ISC */
/*
 * conn.c - the connection to the one writable provider
 *
 * libldap's own list of URIs is of no use here: libldap stays with a server
 * that accepts the connection and does not answer.  So each handle has one URI,
 * and the list is walked here.  CONNECT_ASYNC makes timeouts hold in a TLS
 * handshake, too.
 *
 * A replica answers reads with what was true a moment ago.  So a connection
 * begins with a write, an increment of mailferryConnects of the map's entry.  A
 * replica refuses it (with a referral, which is never followed), and so do a
 * server without mailferry's schema and one without the map.  The answer brings
 * the number of the last change: a server that knows fewer changes than were
 * seen before is a standby that was promoted too early.
 */
#include "maps/ldap/conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "maps/base/clock.h"

#define RETRY_MS 1000			/* after all of them failed */

static const char *
connected_to(const struct ldapmap *lm)
{
	return lm->conf->uri[atomic_load(&lm->shared->at)];
}

void
ldapm_disconnect(struct ldapmap *lm)
{
	if (lm->ld != NULL)
		(void)ldap_unbind_ext(lm->ld, NULL, NULL);
	lm->ld = NULL;
}

/* No answer, or a server that cannot go on: another connection may work. */
static bool
is_lost(int rc)
{
	return LDAP_API_ERROR(rc) || rc == LDAP_UNAVAILABLE || rc == LDAP_BUSY;
}

static enum status
fail(LDAP *ld, const char *uri, int rc, const char *what, struct err *err)
{
	char *said = NULL;
	bool ours = rc == LDAP_INSUFFICIENT_ACCESS ||
	    rc == LDAP_OBJECT_CLASS_VIOLATION || rc == LDAP_INVALID_SYNTAX ||
	    rc == LDAP_CONSTRAINT_VIOLATION;

	(void)ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &said);
	(void)err_set(err, ours ? ST_NEVER : ST_AGAIN, "%s: %s: %s%s%s%s%s",
	    uri, what, ldap_err2string(rc), said != NULL && *said != '\0' ?
	    " (" : "", said != NULL ? said : "", said != NULL && *said != '\0' ?
	    ")" : "", rc == LDAP_UNDEFINED_TYPE ?
	    ": is mailferry's schema there?" : "");
	ldap_memfree(said);
	return ours ? ST_NEVER : ST_AGAIN;
}

/* Read the one attribute of a post-read answer (RFC 4527), a number. */
static bool
read_post(LDAP *ld, LDAPMessage *res, uint64_t *number)
{
	LDAPControl **ctrls = NULL, *c;
	struct berval dn, attr;
	BerVarray vals = NULL;
	BerElement *ber = NULL;
	bool got = false;

	if (ldap_parse_result(ld, res, NULL, NULL, NULL, NULL, &ctrls, 0) !=
	    LDAP_SUCCESS)
		return false;
	c = ldap_control_find(LDAP_CONTROL_POST_READ, ctrls, NULL);
	if (c != NULL)
		ber = ber_init(&c->ldctl_value);
	if (ber != NULL && ber_scanf(ber, "{m{", &dn) != LBER_ERROR &&
	    ber_scanf(ber, "{m", &attr) != LBER_ERROR &&
	    ber_scanf(ber, "[W]", &vals) != LBER_ERROR && vals != NULL) {
		*number = strtoull(vals[0].bv_val, NULL, 10);
		got = true;
	}
	ber_bvarray_free(vals);
	ber_free(ber, 1);
	ldap_controls_free(ctrls);
	return got;
}

/* Assertion and post-read; critical, so a server that lacks them refuses. */
static int
make_controls(LDAP *ld, const char *assertion, const char *post,
    LDAPControl *ctrl[3])
{
	BerElement *ber;
	struct berval *value = NULL;
	int rc = LDAP_SUCCESS, n = 0;

	memset(ctrl, 0, 3 * sizeof(ctrl[0]));
	if (assertion != NULL)
		rc = ldap_create_assertion_control(ld, (char *)(uintptr_t)
		    assertion, 1, &ctrl[n++]);
	if (rc != LDAP_SUCCESS || post == NULL)
		return rc;
	ber = ber_alloc_t(LBER_USE_DER);
	if (ber == NULL || ber_printf(ber, "{s}", post) == -1 ||
	    ber_flatten(ber, &value) == -1)
		rc = LDAP_NO_MEMORY;
	else
		rc = ldap_control_create(LDAP_CONTROL_POST_READ, 1, value, 1,
		    &ctrl[n]);
	ber_free(ber, 1);
	ber_bvfree(value);
	return rc;
}

static void
free_controls(LDAPControl *ctrl[3])
{
	int i;

	for (i = 0; i < 2; i++)
		ldap_control_free(ctrl[i]);
}

/* Wait for the result of one operation; LDAP_SUCCESS or an error. */
static int
wait_for(struct ldapmap *lm, int id, uint64_t *number)
{
	struct timeval tv = { lm->conf->timeout, 0 };
	LDAPMessage *res = NULL;
	int rc, result = LDAP_OTHER;

	rc = ldap_result(lm->ld, id, LDAP_MSG_ALL, &tv, &res);
	if (rc == 0)
		return LDAP_TIMEOUT;
	if (rc == -1) {
		(void)ldap_get_option(lm->ld, LDAP_OPT_RESULT_CODE, &result);
		return LDAP_API_ERROR(result) ? result : LDAP_SERVER_DOWN;
	}
	rc = ldap_parse_result(lm->ld, res, &result, NULL, NULL, NULL, NULL, 0);
	if (rc == LDAP_SUCCESS)
		rc = result;
	if (rc == LDAP_SUCCESS && number != NULL &&
	    !read_post(lm->ld, res, number))
		rc = LDAP_PROTOCOL_ERROR;
	(void)ldap_msgfree(res);
	return rc;
}

static int
modify_once(struct ldapmap *lm, const char *dn, struct ldapmods *m,
    const char *assertion, const char *post, uint64_t *number)
{
	LDAPControl *ctrl[3];
	int rc, id;

	rc = make_controls(lm->ld, assertion, post, ctrl);
	if (rc == LDAP_SUCCESS)
		rc = ldap_modify_ext(lm->ld, dn, m->mod, ctrl, NULL, &id);
	free_controls(ctrl);
	return rc == LDAP_SUCCESS ? wait_for(lm, id, post == NULL ? NULL :
	    number) : rc;
}

static int
add_once(struct ldapmap *lm, const char *dn, struct ldapmods *m)
{
	int rc, id;

	rc = ldap_add_ext(lm->ld, dn, m->mod, NULL, NULL, &id);
	return rc == LDAP_SUCCESS ? wait_for(lm, id, NULL) : rc;
}

/*
 * Make the map's entry and the four below it.  Some of them may be there
 * already: another process may be making them, or have died over it.  The
 * attribute that prove() asks for is added last, so it shows that all entries
 * are there.
 */
static int
create_map(struct ldapmap *lm)
{
	static const char *const below[] = { "records", "history", "addresses",
	    "imports" };
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct ldapmods m = { .ctx = ctx };
	const char *name = strchr(lm->conf->map_entry, '=');
	size_t i;
	int rc;

	ldapm_mod(&m, LDAP_MOD_ADD, "objectClass", "mailferryMap");
	ldapm_mod(&m, LDAP_MOD_ADD, "cn", must(talloc_strndup(ctx, name + 1,
	    strcspn(name + 1, ","))));
	ldapm_mod(&m, LDAP_MOD_ADD, "mailferrySequence", "0");
	rc = add_once(lm, lm->conf->map_entry, &m);
	for (i = 0; i < sizeof(below) / sizeof(below[0]) &&
	    (rc == LDAP_SUCCESS || rc == LDAP_ALREADY_EXISTS); i++) {
		m.n = 0;
		ldapm_mod(&m, LDAP_MOD_ADD, "objectClass", "mailferryMap");
		ldapm_mod(&m, LDAP_MOD_ADD, "cn", below[i]);
		rc = add_once(lm, ldapconf_below(ctx, lm->conf, NULL, below[i]),
		    &m);
	}
	if (rc == LDAP_SUCCESS || rc == LDAP_ALREADY_EXISTS) {
		m.n = 0;
		ldapm_mod(&m, LDAP_MOD_ADD, "mailferryConnects", "0");
		rc = modify_once(lm, lm->conf->map_entry, &m,
		    "(!(mailferryConnects=*))", NULL, NULL);
	}
	talloc_free(ctx);
	return rc == LDAP_ASSERTION_FAILED ? LDAP_SUCCESS : rc;
}

static enum status
too_old(struct ldapmap *lm, const char *uri, uint64_t seq, struct err *err)
{
	return err_set(err, ST_AGAIN, "%s: has %llu changes, %llu were seen: "
	    "it lags behind; let it catch up, or, if the others are lost, "
	    "restart mailferry-mapd on every host", uri,
	    (unsigned long long)seq,
	    (unsigned long long)atomic_load(&lm->shared->seen));
}

void
ldapm_saw(struct ldapmap *lm, uint64_t seq)
{
	uint64_t seen = atomic_load(&lm->shared->seen);

	while (seen < seq && !atomic_compare_exchange_weak(&lm->shared->seen,
	    &seen, seq))
		continue;
}

/* Prove by a write that it is the provider and has the schema and the map. */
static enum status
prove(struct ldapmap *lm, const char *uri, bool first, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct ldapmods m = { .ctx = ctx };
	uint64_t seq = 0;
	enum status st = ST_OK;
	int rc;

	ldapm_mod(&m, LDAP_MOD_INCREMENT, "mailferryConnects", "1");
	rc = modify_once(lm, lm->conf->map_entry, &m, NULL, "mailferrySequence",
	    &seq);
	/*
	 * A map is only made at the first server of the list: an empty server
	 * that is tried after others have failed must not look like a map.
	 */
	if ((rc == LDAP_NO_SUCH_OBJECT || rc == LDAP_NO_SUCH_ATTRIBUTE) &&
	    lm->create && first &&
	    atomic_load(&lm->shared->seen) == 0) {
		rc = create_map(lm);
		if (rc == LDAP_SUCCESS)
			rc = modify_once(lm, lm->conf->map_entry, &m, NULL,
			    "mailferrySequence", &seq);
	}
	if (rc == LDAP_REFERRAL)
		st = err_set(err, ST_AGAIN,
		    "%s: is a replica, not the provider", uri);
	else if (rc != LDAP_SUCCESS)
		st = fail(lm->ld, uri, rc, lm->conf->map_entry, err);
	else if (seq < atomic_load(&lm->shared->seen))
		st = too_old(lm, uri, seq, err);
	else
		ldapm_saw(lm, seq);
	talloc_free(ctx);
	return st == ST_NEVER ? ST_AGAIN : st;
}

static int
set_options(LDAP *ld, const struct ldapconf *conf)
{
	struct timeval tv = { conf->timeout, 0 };
	int version = 3, require = conf->tls_require ? LDAP_OPT_X_TLS_DEMAND :
	    LDAP_OPT_X_TLS_NEVER, client = 0, rc = 0;

	rc |= ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);
	rc |= ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
	rc |= ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &tv);
	rc |= ldap_set_option(ld, LDAP_OPT_TIMEOUT, &tv);
	rc |= ldap_set_option(ld, LDAP_OPT_CONNECT_ASYNC, LDAP_OPT_ON);
	rc |= ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &require);
	if (conf->tls_ca != NULL)
		rc |= ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE,
		    conf->tls_ca);
	if (conf->tls_cert != NULL) {
		rc |= ldap_set_option(ld, LDAP_OPT_X_TLS_CERTFILE,
		    conf->tls_cert);
		rc |= ldap_set_option(ld, LDAP_OPT_X_TLS_KEYFILE,
		    conf->tls_key);
	}
	return rc | ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client);
}

/* With CONNECT_ASYNC the result may be "connecting": then repeat. */
static int
bind_as(struct ldapmap *lm, const char *dn, const char *mech,
    struct berval *cred)
{
	long long end = clock_ms() + lm->conf->timeout * 1000LL;
	int rc, id = -1;

	do
		rc = ldap_sasl_bind(lm->ld, dn, mech, cred, NULL, NULL, &id);
	while (rc == LDAP_X_CONNECTING && clock_ms() < end);
	return rc == LDAP_SUCCESS ? wait_for(lm, id, NULL) : rc;
}

static enum status
authenticate(struct ldapmap *lm, const char *uri, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct berval cred = { 0, (char *)(uintptr_t)"" };
	char *password = NULL;
	enum status st = ST_OK;
	size_t len = 0;
	int rc;

	if (lm->conf->bind_dn != NULL)
		st = ldapconf_password(ctx, lm->conf, &password, &len, err);
	if (st == ST_OK && lm->conf->bind_dn != NULL) {
		cred.bv_val = password;
		cred.bv_len = len;
		rc = bind_as(lm, lm->conf->bind_dn, LDAP_SASL_SIMPLE, &cred);
		if (rc != LDAP_SUCCESS)
			st = fail(lm->ld, uri, rc, lm->conf->bind_dn, err);
	} else if (st == ST_OK) {
		rc = bind_as(lm, NULL, "EXTERNAL", &cred);
		if (rc != LDAP_SUCCESS)
			st = fail(lm->ld, uri, rc, "SASL EXTERNAL", err);
	}
	talloc_free(ctx);
	return st;
}

static enum status
connect_to(struct ldapmap *lm, int i, struct err *err)
{
	const char *uri = lm->conf->uri[i];
	enum status st;
	int rc;

	rc = ldap_initialize(&lm->ld, uri);
	if (rc != LDAP_SUCCESS)
		return err_set(err, ST_AGAIN, "%s: %s", uri,
		    ldap_err2string(rc));
	if (set_options(lm->ld, lm->conf) != LDAP_OPT_SUCCESS)
		return err_set(err, ST_AGAIN, "%s: cannot set up TLS: look at "
		    "tls_ca, tls_cert and tls_key of %s", uri, lm->conf->path);
	if (lm->conf->starttls && strncmp(uri, "ldap:", 5) == 0) {
		rc = ldap_start_tls_s(lm->ld, NULL, NULL);
		if (rc != LDAP_SUCCESS)
			return fail(lm->ld, uri, rc, "STARTTLS", err);
	}
	st = authenticate(lm, uri, err);
	return st == ST_OK ? prove(lm, uri, i == 0, err) : st;
}

static int
count_uris(const struct ldapconf *conf)
{
	int n = 0;

	while (conf->uri[n] != NULL)
		n++;
	return n;
}

/*
 * While no server answers, one process at a time tries them again.  The others
 * report that at once, since Postfix waits for their answer.
 */
static enum status
may_dial(struct ldapmap *lm, struct err *err)
{
	struct ldapshared *sh = lm->shared;
	long long now = clock_ms(), next = atomic_load(&sh->next);

	if (!atomic_load(&sh->down) || (now >= next &&
	    atomic_compare_exchange_strong(&sh->next, &next, now +
	    lm->conf->patience * 1000LL)))
		return ST_OK;
	return err_set(err, ST_AGAIN, "no LDAP server of %s is of use: %s",
	    lm->conf->path, sh->why);
}

/*
 * Try the URIs from the first on, so that a provider that returns is used
 * again; or from the one after that at which a worker met its deadline.
 */
static enum status
dial(struct ldapmap *lm, struct err *err)
{
	struct ldapshared *sh = lm->shared;
	int n = count_uris(lm->conf), i, k;
	enum status st = may_dial(lm, err);
	struct err all = { 0, "" }, former;
	int from;

	if (st != ST_OK)
		return st;
	from = atomic_exchange(&sh->trying, -1) + 1;
	for (k = 0; k < n && lm->ld == NULL; k++) {
		i = (from + k) % n;
		atomic_store(&sh->trying, i);
		st = connect_to(lm, i, err);
		if (st != ST_OK) {
			ldapm_disconnect(lm);
			former = all;
			(void)err_set(&all, ST_AGAIN, "%s%s%s", former.text,
			    k == 0 ? "" : "; ", err->text);
			continue;
		}
		atomic_store(&sh->at, i);
		lm->dials++;
	}
	if (st != ST_OK) {
		*err = all;
		(void)snprintf(sh->why, sizeof(sh->why), "%.*s",
		    (int)sizeof(sh->why) - 1, all.text);
	}
	atomic_store(&sh->trying, -1);
	atomic_store(&sh->next, clock_ms() + RETRY_MS);
	atomic_store(&sh->down, st != ST_OK);
	return st == ST_OK ? ST_OK : ST_AGAIN;
}

/* The outcome of an operation; a connection that is of no use is closed. */
static enum status
outcome(struct ldapmap *lm, int rc, const char *what, struct err *err)
{
	enum status st;

	if (rc == LDAP_SUCCESS)
		return ST_OK;
	if (rc == LDAP_ASSERTION_FAILED || rc == LDAP_NO_SUCH_OBJECT)
		return ST_NONE;
	if (rc == LDAP_REFERRAL)
		st = err_set(err, ST_AGAIN, "%s: is not the provider any more",
		    connected_to(lm));
	else
		st = fail(lm->ld, connected_to(lm), rc, what, err);
	if (rc == LDAP_TIMEOUT)		/* the next one is tried first */
		atomic_store(&lm->shared->trying, atomic_load(&lm->shared->at));
	if (is_lost(rc) || rc == LDAP_REFERRAL ||
	    rc == LDAP_UNWILLING_TO_PERFORM)
		ldapm_disconnect(lm);
	return st;
}

/* An answer that is not whole is an error. */
static int
whole(LDAP *ld, LDAPMessage *res, int rc, int limit)
{
	if (rc == LDAP_SIZELIMIT_EXCEEDED && limit > 0 &&
	    ldap_count_entries(ld, res) >= limit)
		rc = LDAP_SUCCESS;
	if (rc == LDAP_SUCCESS && ldap_count_references(ld, res) > 0)
		rc = LDAP_PARTIAL_RESULTS;
	return rc;
}

/* If a kept connection was closed meanwhile, search again on a new one. */
enum status
ldapm_search(struct ldapmap *lm, const char *base, int scope,
    const char *filter, const char *const *attrs, int limit, LDAPMessage **res,
    struct err *err)
{
	struct timeval tv = { lm->conf->timeout, 0 };
	bool kept = lm->ld != NULL;
	enum status st;
	int rc;

	*res = NULL;
	st = kept ? ST_OK : dial(lm, err);
	if (st != ST_OK)
		return st;
	rc = ldap_search_ext_s(lm->ld, base, scope, filter,
	    (char **)(uintptr_t)attrs, 0, NULL, NULL, &tv, limit, res);
	rc = whole(lm->ld, *res, rc, limit);
	st = outcome(lm, rc, base, err);
	if (st == ST_OK)
		return ST_OK;
	(void)ldap_msgfree(*res);
	*res = NULL;
	return lm->ld == NULL && kept ? ldapm_search(lm, base, scope, filter,
	    attrs, limit, res, err) : st;
}

/* A write without an answer is not repeated: it may have been done. */
static enum status
written(struct ldapmap *lm, int rc, const char *dn, struct err *err)
{
	lm->unsure = is_lost(rc);
	return outcome(lm, rc, dn, err);
}

enum status
ldapm_modify(struct ldapmap *lm, const char *dn, struct ldapmods *m,
    const char *assertion, const char *post, uint64_t *number, struct err *err)
{
	enum status st = lm->ld == NULL ? dial(lm, err) : ST_OK;

	lm->unsure = false;
	return st == ST_OK ? written(lm, modify_once(lm, dn, m, assertion, post,
	    number), dn, err) : st;
}

enum status
ldapm_add(struct ldapmap *lm, const char *dn, struct ldapmods *m,
    struct err *err)
{
	enum status st = lm->ld == NULL ? dial(lm, err) : ST_OK;
	int rc;

	lm->unsure = false;
	if (st != ST_OK)
		return st;
	rc = add_once(lm, dn, m);
	if (rc == LDAP_ALREADY_EXISTS)
		return ST_NONE;
	st = written(lm, rc, dn, err);
	return st != ST_NONE ? st : err_set(err, ST_AGAIN,
	    "%s: the entry above it is not there", dn);
}

enum status
ldapm_delete(struct ldapmap *lm, const char *dn, const char *assertion,
    struct err *err)
{
	enum status st = lm->ld == NULL ? dial(lm, err) : ST_OK;
	LDAPControl *ctrl[3];
	int rc, id;

	lm->unsure = false;
	if (st != ST_OK)
		return st;
	rc = make_controls(lm->ld, assertion, NULL, ctrl);
	if (rc == LDAP_SUCCESS)
		rc = ldap_delete_ext(lm->ld, dn, ctrl, NULL, &id);
	free_controls(ctrl);
	if (rc == LDAP_SUCCESS)
		rc = wait_for(lm, id, NULL);
	return written(lm, rc, dn, err);
}
