/* SPDX-License-Identifier: ISC */
/*
 * tables.c - what the map says now, as tables for hosts without mapd
 *
 * Postfix: `ADDRESS TAB VALUE`, for postmap(1).  Dovecot: passwd-file with the
 * location as an extra field.  Users without a record are in none of them.
 */
#include "admin/tables.h"

#include <pwd.h>
#include <string.h>
#include <time.h>

#include "maps/location.h"
#include "maps/policy.h"
#include "maps/route.h"

struct writing {
	struct admin		*ad;
	const struct table	*table;
	FILE			*out;
	time_t			 now;
};

struct table {
	const char	 *name;
	/* The lines of one record. */
	enum status	(*write)(struct writing *, TALLOC_CTX *,
			    const struct record *, struct err *);
	/* What a Postfix table says of a record.  ST_NONE: nothing. */
	enum status	(*value)(struct writing *, TALLOC_CTX *,
			    const struct record *, char **, struct err *);
};

static enum status
value_transport(struct writing *w, TALLOC_CTX *ctx, const struct record *rec,
    char **value, struct err *err)
{
	return policy_transport(ctx, w->ad->conf, rec->user, rec->state, value,
	    err);
}

static enum status
value_access(struct writing *w, TALLOC_CTX *ctx, const struct record *rec,
    char **value, struct err *err)
{
	struct plan plan;

	(void)err;
	if (route(rec, w->now, &plan) == ST_OK)
		return ST_NONE;
	*value = must(talloc_asprintf(ctx, "450 4.2.1 %s", policy_window(ctx,
	    w->ad->conf, plan.retry_after)));
	return ST_OK;
}

/* A line, unless another user comes first for this address. */
static enum status
put_address(struct writing *w, TALLOC_CTX *ctx, const struct record *of,
    const char *address, struct err *err)
{
	struct record *rec = NULL;
	char *value = NULL;
	enum status st;

	st = map_recipient(w->ad->map, ctx, address, strlen(address), false,
	    w->now, &rec, err);
	if (st == ST_OK)
		st = strcmp(rec->user, of->user) != 0 ? ST_NONE :
		    w->table->value(w, ctx, rec, &value, err);
	if (st != ST_OK)
		return st == ST_NONE ? ST_OK : st;
	/* A key that looks like a comment stands in quotes: postmap(1). */
	(void)fprintf(w->out, *address == '#' ? "\"%s\"\t%s\n" : "%s\t%s\n",
	    address, value);
	return ST_OK;
}

static enum status
write_addresses(struct writing *w, TALLOC_CTX *ctx, const struct record *rec,
    struct err *err)
{
	const char **a;
	enum status st = ST_OK;

	for (a = rec->address; *a != NULL && st == ST_OK; a++)
		st = put_address(w, ctx, rec, *a, err);
	if (strchr(rec->user, '@') != NULL)
		return st == ST_OK ? put_address(w, ctx, rec, rec->user, err) :
		    st;
	for (a = w->ad->conf->domains; *a != NULL && st == ST_OK; a++)
		st = put_address(w, ctx, rec, must(talloc_asprintf(ctx, "%s@%s",
		    rec->user, *a)), err);
	return st;
}

/* The extra field: the location, or a temporary failure in a window. */
static enum status
put_location(struct writing *w, TALLOC_CTX *ctx, struct record *rec,
    char **field, struct err *err)
{
	struct plan plan;
	char *mail;

	if (route(rec, w->now, &plan) != ST_OK) {
		*field = must(talloc_strdup(ctx, "userdb_tempfail=yes"));
		return ST_OK;
	}
	if (rec->side[plan.leader].mail == NULL)
		return err_set(err, ST_NEVER, "%s: the record has no %s "
		    "location, and %s_mail is not set", rec->user,
		    side_name(plan.leader), side_name(plan.leader));
	mail = policy_dovecot(ctx, &rec->side[plan.leader]);
	if (strchr(mail, ' ') != NULL)
		return err_set(err, ST_NEVER, "%s: a passwd-file cannot hold a "
		    "location with a blank in it: %s", rec->user, mail);
	*field = must(talloc_asprintf(ctx, "userdb_mail=%s", mail));
	return ST_OK;
}

/* No password is `*`: the file is no passdb. */
static enum status
write_passwd(struct writing *w, TALLOC_CTX *ctx, const struct record *of,
    struct err *err)
{
	struct passwd *pw = getpwnam(of->user);
	struct record *rec = NULL;
	char *field = NULL;
	enum status st;

	if (strchr(of->user, ':') != NULL || *of->user == '#')
		return err_set(err, ST_NEVER, "%s: a passwd-file cannot hold "
		    "this name", of->user);
	st = map_get(w->ad->map, ctx, of->user, pw == NULL ? HOME_OPEN :
	    pw->pw_dir, w->now, &rec, err);
	if (st == ST_OK)
		st = put_location(w, ctx, rec, &field, err);
	if (st != ST_OK)
		return st;
	(void)fprintf(w->out, "%s:*:", rec->user);
	if (pw != NULL)
		(void)fprintf(w->out, "%lu:%lu::%s::%s\n",
		    (unsigned long)pw->pw_uid, (unsigned long)pw->pw_gid,
		    pw->pw_dir, field);
	else
		(void)fprintf(w->out, ":::::%s\n", field);
	return ST_OK;
}

static const struct table tables[] = {
	{ "transport",	 write_addresses, value_transport },
	{ "access",	 write_addresses, value_access },
	{ "passwd-file", write_passwd,	  NULL },
};

const struct table *
table_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (strcmp(tables[i].name, name) == 0)
			return &tables[i];
	return NULL;
}

static enum status
write_one(const struct record *rec, void *arg, struct err *err)
{
	struct writing *w = arg;
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	enum status st = w->table->write(w, ctx, rec, err);

	talloc_free(ctx);
	return st != ST_OK ? st : ferror(w->out) ? err_sys(err, "write") :
	    ST_OK;
}

enum status
table_write(struct admin *ad, const struct table *table, FILE *out,
    struct err *err)
{
	struct writing w = { ad, table, out, time(NULL) };

	return map_each(ad->map, write_one, &w, err);
}
