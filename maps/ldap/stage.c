/* SPDX-License-Identifier: ISC */
/*
 * stage.c - a record that is staged for an import, on its own entry
 */
#include "maps/ldap/stage.h"

#include <stdio.h>
#include <string.h>

#include "maps/backend.h"
#include "maps/change.h"
#include "maps/ldap/attrs.h"
#include "maps/ldap/change.h"
#include "maps/ldap/run.h"

#define TOUCH		10		/* seconds between signs of life */

/* `WAS_VERSION AT LF BY LF WHY LF RECORD` */
static char *
staged_format(TALLOC_CTX *ctx, uint64_t was_version, const struct record *is,
    const struct change_by *by)
{
	return must(talloc_asprintf(ctx, "%llu %lld\n%s\n%s\n%s",
	    (unsigned long long)was_version, (long long)by->at,
	    record_escape(ctx, by->by), record_escape(ctx, by->why),
	    record_format(ctx, is)));
}

enum status
ldapm_staged_parse(TALLOC_CTX *ctx, const struct ldapentry *ent,
    const char *user, struct record **is, struct change_by *by, struct err *err)
{
	char *text = must(talloc_strdup(ctx, ent->staged == NULL ? "" :
	    ent->staged));
	char *head = change_cut_line(&text), *who, *why;
	unsigned long long was;
	long long at;

	who = head == NULL ? NULL : change_cut_line(&text);
	why = who == NULL ? NULL : change_cut_line(&text);
	if (why == NULL || sscanf(head, "%llu %lld", &was, &at) != 2)
		return err_set(err, ST_AGAIN, "%s: what is staged is damaged",
		    ent->dn);
	change_unescape(who);
	change_unescape(why);
	*by = (struct change_by){ who, (time_t)at, why };
	return record_parse(ctx, user, text, strlen(text), is, err);
}

enum status
ldapm_unstage(struct ldapmap *lm, TALLOC_CTX *ctx, const struct ldapentry *ent,
    struct err *err)
{
	struct ldapmods m = { .ctx = ctx };
	char *assertion = must(talloc_asprintf(ctx, "(mailferryImport=%s)",
	    ldapm_escape(ctx, ent->import)));

	ldapm_mod(&m, LDAP_MOD_REPLACE, "mailferryImport", NULL);
	ldapm_mod(&m, LDAP_MOD_REPLACE, "mailferryStaged", NULL);
	ldapm_mod(&m, LDAP_MOD_REPLACE, "mailferryStagedAddress", NULL);
	return ldapm_modify(lm, ent->dn, &m, assertion, NULL, NULL, err);
}

static enum status
given_up(struct err *err)
{
	return err_set(err, ST_AGAIN, "the import was given up (it paused for "
	    "%d seconds, or one of its records was changed meanwhile): nothing "
	    "of it was done", IMPORT_IDLE);
}

/* Read the import, which must be open for more. */
static enum status
read_open(struct ldapmap *lm, TALLOC_CTX *ctx, const char *id,
    struct ldaprun *run, struct err *err)
{
	enum status st;

	st = ldapm_run_read(lm, ctx, id, run, err);
	if (st == ST_NONE || (st == ST_OK && !ldapm_run_is(run, "open")))
		return given_up(err);
	if (st == ST_OK && run->at + TOUCH < time(NULL))
		st = ldapm_run_set(lm, ctx, id, "open", "open", 0, err);
	return st == ST_NONE ? given_up(err) : st;
}

/* The owner must give the address up in the same import. */
static enum status
take_address(struct ldapmap *lm, TALLOC_CTX *ctx, const char *id,
    const char *addr, const char *user, const char *owner, struct err *err)
{
	struct ldapmods m = { .ctx = ctx };
	char *assertion = must(talloc_asprintf(ctx, "(&(mailferryState=open)"
	    "(!(mailferryTaken=%s)))", ldapm_escape(ctx, addr)));
	struct ldapentry ent;
	enum status st;

	st = ldapm_entry(lm, ctx, owner, false, &ent, err);
	if (st != ST_OK && st != ST_NONE)
		return st;
	if (st == ST_OK && ent.import != NULL && strcmp(ent.import, id) == 0 &&
	    strstr(ent.staged, must(talloc_asprintf(ctx, "\naddress %s\n",
	    addr))))
		return err_set(err, ST_NEVER,
		    "%s: %s gets the address %s in the same import", user,
		    owner, addr);
	ldapm_mod(&m, LDAP_MOD_ADD, "mailferryTaken", addr);
	st = ldapm_modify(lm, ldapm_run_dn(ctx, lm, id), &m, assertion, NULL,
	    NULL, err);
	return st == ST_NONE ? err_set(err, ST_NEVER,
	    "%s: two get the address %s in the same import", user, addr) : st;
}

static enum status
stage(struct ldapmap *lm, TALLOC_CTX *ctx, const char *id,
    struct ldapentry *ent, uint64_t was_version, const struct record *is,
    const struct change_by *by, struct err *err)
{
	struct ldapmods m = { .ctx = ctx };
	char *assertion = must(talloc_asprintf(ctx, "(&(mailferryVersion=%llu)"
	    "(!(mailferryImport=*)))", (unsigned long long)ent->version));
	enum status st;

	ldapm_mod_carry(&m, ent, is->user);
	if (!ent->carries)
		ldapm_mod_number(&m, LDAP_MOD_REPLACE, "mailferryVersion", 0);
	ldapm_mod(&m, LDAP_MOD_REPLACE, "mailferryImport", id);
	ldapm_mod(&m, LDAP_MOD_REPLACE, "mailferryStaged", staged_format(ctx,
	    was_version, is, by));
	ldapm_mod_list(&m, LDAP_MOD_REPLACE, "mailferryStagedAddress",
	    is->address);
	st = ldapm_write(lm, ent, &m, assertion, err);
	return st == ST_NONE ? err_set(err, ST_AGAIN,
	    "somebody else changed the record of %s", is->user) : st;
}

static enum status
put(struct ldapmap *lm, TALLOC_CTX *ctx, const char *id, uint64_t was_version,
    const struct record *is, const struct change_by *by, struct err *err)
{
	struct ldapentry ent;
	struct ldaprun run;
	char *owner;
	enum status st;
	const char **a;

	st = read_open(lm, ctx, id, &run, err);
	if (st == ST_OK)
		st = ldapm_entry(lm, ctx, is->user, true, &ent, err);
	if (st != ST_OK)
		return st;
	if (ent.import != NULL && strcmp(ent.import, id) == 0)
		return err_set(err, ST_NEVER, "%s is there twice", is->user);
	if (ent.import != NULL) {	/* left by an import that ended */
		st = ldapm_unstage(lm, ctx, &ent, err);
		ent.import = NULL;
		if (st != ST_OK && st != ST_NONE)
			return st;
	}
	if ((ent.rec == NULL ? 0 : ent.rec->version) != was_version)
		return err_set(err, ST_AGAIN,
		    "somebody else changed the record of %s", is->user);
	st = ST_OK;
	for (a = is->address; *a != NULL && st == ST_OK; a++) {
		if (record_has_address(ent.rec, *a))
			continue;
		st = ldapm_claim(lm, ctx, *a, is->user, &owner, err);
		if (st == ST_NONE)
			st = take_address(lm, ctx, id, *a, is->user, owner,
			    err);
	}
	return st == ST_OK ? stage(lm, ctx, id, &ent, was_version, is, by,
	    err) : st;
}

enum status
ldapm_import_put(struct map *map, const char *id, uint64_t was_version,
    const struct record *is, const struct change_by *by, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	enum status st = put(map->handle, ctx, id, was_version, is, by, err);

	talloc_free(ctx);
	return st;
}
