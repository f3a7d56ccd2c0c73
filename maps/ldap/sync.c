/* SPDX-License-Identifier: ISC */
/*
 * sync.c - every record and its changes, as they come (RFC 4533)
 *
 * refreshAndPersist: all records first, then each one that changes.  A server
 * is silent while nothing changes, and also while it is stopped; so each second
 * a question over the same connection proves that it answers.  A record is
 * rarely removed from the directory; then the following begins anew.
 */
#include "maps/ldap/sync.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "maps/backend.h"
#include "maps/base/clock.h"
#include "maps/ldap/attrs.h"
#include "maps/ldap/conn.h"
#include "maps/ldap/history.h"

#define HEARTBEAT	1000		/* ms */
#define REFRESH_MAX	60		/* seconds for all records, at most */
#define SPREAD		10		/* times the last refresh */

struct following {
	struct ldapmap	*lm;
	follow_fn	*fn;
	void		*arg;
	enum status	 st;
	struct err	*err;
	bool		 again;		/* a record is gone: begin anew */
	bool		 news;		/* a change with a new number */
};

static int
give(struct following *f, LDAPMessage *msg)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	LDAP *ld = f->lm->ld;
	struct followed rec;
	size_t len = 0, named = 0;

	rec = (struct followed){
		.user = ldapm_value(ctx, ld, msg, "mailferryUser", &named),
		.version = ldapm_number(ld, msg, "mailferryVersion"),
		.text = ldapm_value(ctx, ld, msg, "mailferryText", &len),
		.seq = ldapm_number(ld, msg, "mailferrySequence"),
		.change = ldapm_value(ctx, ld, msg, "mailferryChange", NULL),
	};
	f->news = f->news || rec.seq > atomic_load(&f->lm->shared->seen);
	rec.staged = ldapm_value(ctx, ld, msg, "mailferryImport", NULL) != NULL;
	/* With a NUL in it, it would look like another user's. */
	if (rec.user != NULL && strlen(rec.user) == named && f->st == ST_OK)
		f->st = f->fn(FOLLOW_RECORD, &rec, f->arg);
	talloc_free(ctx);
	return f->st == ST_OK ? LDAP_SUCCESS : LDAP_OTHER;
}

static int
on_entry(ldap_sync_t *ls, LDAPMessage *msg, struct berval *uuid,
    ldap_sync_refresh_t phase)
{
	struct following *f = ls->ls_private;

	(void)uuid;
	if (phase == LDAP_SYNC_CAPI_ADD || phase == LDAP_SYNC_CAPI_MODIFY)
		return give(f, msg);
	if (phase == LDAP_SYNC_CAPI_DELETE)
		f->again = true;
	return LDAP_SUCCESS;
}

static int
on_reference(ldap_sync_t *ls, LDAPMessage *msg)
{
	(void)ls;
	(void)msg;
	return LDAP_PARTIAL_RESULTS;	/* not all of it is here */
}

static int
on_intermediate(ldap_sync_t *ls, LDAPMessage *msg, BerVarray uuids,
    ldap_sync_refresh_t phase)
{
	struct following *f = ls->ls_private;

	(void)msg;
	(void)uuids;
	if (phase == LDAP_SYNC_CAPI_DELETES_IDSET)
		f->again = true;
	return LDAP_SUCCESS;
}

static int
on_result(ldap_sync_t *ls, LDAPMessage *msg, int deletes)
{
	(void)ls;
	(void)msg;
	(void)deletes;
	return LDAP_SUCCESS;
}

/* A read of the map's entry shows that the server answers; it connects, too. */
static enum status
heartbeat(struct following *f)
{
	uint64_t last;

	f->news = false;
	return ldapm_last(f->lm, &last, f->err);
}

static enum status
persist(struct following *f, ldap_sync_t *ls)
{
	long long beat = 0;
	unsigned dials = f->lm->dials;
	int rc;

	ls->ls_timeout = 1;
	while (f->st == ST_OK && !f->again) {
		if (f->news || clock_ms() - beat >= HEARTBEAT) {
			f->st = heartbeat(f);
			if (f->st == ST_OK && f->lm->dials != dials)
				return err_set(f->err, ST_AGAIN,
				    "the connection was lost");
			if (f->st == ST_OK)
				f->st = f->fn(FOLLOW_ALIVE, NULL, f->arg);
			beat = clock_ms();
			continue;
		}
		rc = ldap_sync_poll(ls);
		if (rc != LDAP_SUCCESS && f->st == ST_OK)
			return err_set(f->err, ST_AGAIN, "sync: %s",
			    ldap_err2string(rc));
	}
	return f->st;
}

/*
 * When a server restarts, all hosts lose it at the same moment.  If all of them
 * then asked for all records, say twenty times a hundred thousand, no delivery
 * would get an answer.  So each waits for a random time; its copy is leased
 * meanwhile.
 */
static void
spread(const struct ldapmap *lm)
{
	long long most = lm->refresh * SPREAD, lease = lm->conf->lease * 100LL;
	unsigned r = 0;

	if (most > lease)
		most = lease;
	if (most > 0 && getrandom(&r, sizeof(r), 0) == (ssize_t)sizeof(r))
		(void)usleep((useconds_t)(r % (unsigned long long)most) * 1000);
}

/* Follow until a record is gone (ST_OK), or the connection. */
static enum status
follow_once(struct following *f)
{
	ldap_sync_t ls;
	long long began;
	enum status st;
	int rc;

	spread(f->lm);
	f->again = false;
	f->st = heartbeat(f);
	if (f->st == ST_OK)
		f->st = f->fn(FOLLOW_BEGIN, NULL, f->arg);
	if (f->st != ST_OK)
		return f->st;
	(void)ldap_sync_initialize(&ls);
	ls.ls_ld = f->lm->ld;
	ls.ls_base = ldap_strdup(f->lm->conf->base);
	ls.ls_scope = LDAP_SCOPE_SUBTREE;
	ls.ls_filter = ldap_strdup("(objectClass=mailferryRecord)");
	ls.ls_timeout = REFRESH_MAX;
	ls.ls_search_entry = on_entry;
	ls.ls_search_reference = on_reference;
	ls.ls_intermediate = on_intermediate;
	ls.ls_search_result = on_result;
	ls.ls_private = f;
	began = clock_ms();
	rc = ldap_sync_init(&ls, LDAP_SYNC_REFRESH_AND_PERSIST);
	f->lm->refresh = clock_ms() - began;
	if (rc == LDAP_SUCCESS && ls.ls_refreshPhase != LDAP_SYNC_CAPI_DONE)
		rc = LDAP_TIMEOUT;
	if (f->st == ST_OK && rc != LDAP_SUCCESS)
		f->st = err_set(f->err, ST_AGAIN, "sync: %s (is the overlay "
		    "syncprov there?)", ldap_err2string(rc));
	if (f->st == ST_OK)
		f->st = f->fn(FOLLOW_COMPLETE, NULL, f->arg);
	st = f->st == ST_OK ? persist(f, &ls) : f->st;
	ls.ls_ld = NULL;		/* it stays */
	ldap_sync_destroy(&ls, 0);
	ldapm_disconnect(f->lm);	/* ends the search, too */
	return st;
}

enum status
ldapm_follow(struct map *map, follow_fn *fn, void *arg, struct err *err)
{
	struct following f = { .lm = map->handle, .fn = fn, .arg = arg,
	    .err = err };
	enum status st;

	if (f.lm->conf->lease == 0)
		return err_set(err, ST_NEVER, "lease = 0");
	do
		st = follow_once(&f);
	while (st == ST_OK);
	return st;
}
