/* SPDX-License-Identifier: ISC */
/*
 * filtering.c - the rc files that decide where a message goes
 */
#include "lda/filtering.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lda/place.h"
#include "maps/map.h"
#include "maps/route.h"

/* Are there assignments that only lda/recipe understands?  Then it runs also
 * where there is no rc file. */
static bool
needs_engine(const struct filtering *f)
{
	const struct envelope *env = f->env;
	struct place place;
	struct err err;
	size_t i;

	for (i = 0; i < env->nset; i++)
		if (strcmp(env->set[i].name, "DEFAULT") != 0 &&
		    strcmp(env->set[i].name, "ORGMAIL") != 0 &&
		    strcmp(env->set[i].name, "MAILDIR") != 0)
			return true;
	return env->nset > 0 && place_choose(f->env, env, f->to->user,
	    f->to->home, NULL, &place, &err) != ST_OK;
}

enum status
filtering_wanted(const struct filtering *f, bool *wanted, struct err *err)
{
	const struct recipient *to = f->to;
	enum status st;

	st = recipe_wanted(f->env, f->mapped || to->account == NULL ?
	    to->home : to->account->home, wanted, err);
	if (st == ST_OK && !*wanted && !f->mapped)
		*wanted = needs_engine(f);
	return st;
}

/* With a map nothing runs while the mailbox is being moved.  Destinations of
 * rc files below the user's mail roots are delivered by the plan. */
static enum status
begin_plan(struct filtering *f, struct map *map, const struct mail *mail,
    struct plan_sink *ps, struct err *err)
{
	struct recipient *to = f->to;
	struct plan plan;
	enum status st;

	st = recipient_check_uid(f->env, to, f->rec, err);
	if (st == ST_OK)
		st = recipient_account(f->env, to, err);
	if (st != ST_OK)
		return st;
	if (route(f->rec, time(NULL), &plan) != ST_OK) {
		f->retry_after = plan.retry_after;
		return err_set(err, ST_AGAIN, "mailbox of %s is being moved, "
		    "try again in %lld s", to->user, f->retry_after);
	}
	ps->dv = (struct delivery){ .ctx = f->env, .map = map,
	    .conf = f->conf, .user = to->user, .home = to->home,
	    .plan = plan, .recipient = recipient_address(f->env, to) };
	ps->rec = f->rec;
	ps->input = message_in_memory(f->env, mail->b.p, mail->b.len, NULL);
	ps->delivered = f->delivered;
	ps->arg = f->arg;
	plan_sink_begin(ps);
	return ST_OK;
}

/* The name for DEFAULT and ORGMAIL, if no rc file sets them. */
static const char *
default_name(const struct filtering *f)
{
	const char *mail = f->rec->side[record_leader(f->rec)].mail;
	const char *folder = f->mapped && f->conf->extension_mailboxes ?
	    place_folder(f->env, f->env->extension) : "";

	if (mail == NULL)
		return must(talloc_asprintf(f->env, PLACE_SPOOL "/%s",
		    f->to->account->name));
	return must(talloc_asprintf(f->env, "%s/%s%s", mail, folder,
	    *folder == '\0' ? "" : "/"));
}

static enum status
run(struct filtering *f, struct mail *mail, const struct sink *sink,
    struct err *err)
{
	struct recipe_setup setup = { .env = f->env, .account = f->to->account,
	    .privileged = f->to->privileged, .def = default_name(f),
	    .mail = mail, .sink = sink, .deadline = f->conf->deadline };

	recipe_run(f->env, &setup, &f->result);
	if (!f->result.failed)
		return ST_OK;
	*err = f->result.err;
	return ST_AGAIN;
}

enum status
filtering_run(struct filtering *f, struct err *err)
{
	struct plan_sink ps = { .pid = 0 };
	struct map *map = NULL;
	struct mail *mail;
	enum status st;

	st = mail_read(f->env, f->env, STDIN_FILENO, &mail, err);
	if (st == ST_OK)
		st = map_open(f->env, f->conf, 0, &map, err);
	if (st == ST_OK)
		st = map_get(map, f->env, f->to->user, f->to->home, time(NULL),
		    &f->rec, err);
	if (st == ST_OK && f->mapped)
		st = begin_plan(f, map, mail, &ps, err);
	if (st == ST_OK)
		st = run(f, mail, f->mapped ? &ps.sink : NULL, err);
	if (f->retry_after == 0)
		f->retry_after = ps.dv.plan.retry_after;
	return st;
}
