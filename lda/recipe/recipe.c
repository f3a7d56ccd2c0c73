/* SPDX-License-Identifier: ISC */
/*
 * recipe.c - which rc files are run, in which order, and how a run ends
 */
#include "lda/recipe/recipe.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lda/recipe/abstract.h"
#include "lda/recipe/assign.h"
#include "lda/recipe/comsat.h"
#include "lda/recipe/destination.h"
#include "lda/recipe/engine.h"
#include "lda/recipe/expand.h"
#include "lda/recipe/lockfile.h"
#include "lda/recipe/rcfiles.h"
#include "lda/recipe/run.h"
#include "maps/base/clock.h"

#define ETC_RC		"/etc/procmailrc"
#define ETC_PATH	"/usr/local/bin:/usr/bin:/bin"
#define INITIAL_UMASK	077
#define POOL_RUN	(1024 * 1024)	/* bytes, for a run and a statement: */
#define POOL_STATEMENT	(64 * 1024)	/* musl maps each piece by itself */
#define NAMES_MOST	65536		/* bytes of DEFAULT or ORGMAIL */

static bool
is_assignment(const char *arg)
{
	return strchr(arg, '=') != NULL;
}

static void
assign_argument(struct engine *e, const char *arg)
{
	const char *eq = strchr(arg, '=');
	struct words w;
	char *name;

	engine_drop_root(e);
	name = must(talloc_strndup(e->ctx, arg, (size_t)(eq - arg)));
	words_begin(&w, e->ctx, e->linebuf);
	if (*name != '\0' && expand(e, &w, eq + 1, strlen(eq + 1), WORDS_LINE))
		assign(e, name, w.buf);
}

/* $1 and on: NULL-terminated, borrowed. */
static void
set_arguments(struct engine *e, const char *const *arg)
{
	e->special.arg = arg;
	for (e->special.narg = 0; arg[e->special.narg] != NULL;)
		e->special.narg++;
}

/* Do the assignments; with -m only those before the rc file, after which its
 * arguments follow. */
static void
command_line(struct engine *e)
{
	const struct envelope *env = e->su->env;
	const char *const *arg = env->operands;

	if (env->recipient_user != NULL)
		return;
	for (; *arg != NULL && !e->end.stop; arg++) {
		if (is_assignment(*arg))
			assign_argument(e, *arg);
		else if (env->mailfilter)
			break;
	}
	if (env->mailfilter && *arg != NULL)
		set_arguments(e, arg + 1);
}

static bool
another_file(const char *const *arg)
{
	while (*arg != NULL && is_assignment(*arg))
		arg++;
	return *arg != NULL;
}

static enum ended
run_named(struct engine *e)
{
	const char *const *arg = e->su->env->operands, *path;
	enum rc_type type;
	bool warn = true;

	for (; *arg != NULL && !e->end.stop; arg++) {
		if (is_assignment(*arg))
			continue;
		path = *arg;
		type = RC_ABSOLUTE;
		if (strncmp(path, "./", 2) == 0)
			type = RC_CURRENT;
		else if (*path != '/')
			path = must(talloc_asprintf(e->ctx, "%s/%s",
			    e->su->account->home, path));
		if (!rcfiles_open(e, path, type, warn)) {
			warn = false;
			continue;
		}
		switch (run_files(e)) {
		case ENDED_DELIVERED:
			return ENDED_DELIVERED;
		case ENDED_EOF:
			return ENDED_EOF;
		case ENDED_LEFT:
			break;
		}
		if (!another_file(arg + 1))
			return ENDED_LEFT;	/* counts as delivered */
	}
	return ENDED_EOF;
}

static enum ended
run_filter(struct engine *e)
{
	const char *const *arg = e->su->env->operands;

	while (*arg != NULL && is_assignment(*arg))
		arg++;
	if (*arg != NULL && rcfiles_open(e, *arg, **arg == '/' ? RC_ABSOLUTE :
	    RC_CURRENT, true))
		return run_files(e);
	return ENDED_EOF;
}

static enum ended
run_default(struct engine *e)
{
	char *path = must(talloc_asprintf(e->ctx, "%s/.procmailrc",
	    e->su->account->home));

	return rcfiles_open(e, path, RC_DEFAULT, false) ? run_files(e) :
	    ENDED_EOF;
}

static bool
has_file(const struct envelope *env)
{
	return env->rcfiles[0] != NULL || env->no_rcfile;
}

static enum ended
run_etc(struct engine *e)
{
	enum ended ended = ENDED_EOF;

	if (e->su->env->preserve_env || has_file(e->su->env) || e->end.stop ||
	    !rcfiles_open_etc(e, ETC_RC))
		return ended;
	vars_set(e->vars, "PATH", ETC_PATH);
	ended = run_files(e);
	vars_set(e->vars, "PATH", must(talloc_asprintf(e->ctx, "%s/bin:"
	    ETC_PATH, e->su->account->home)));
	/* HOST ends this file only. */
	return ended == ENDED_LEFT ? ENDED_EOF : ended;
}

/* To a folder that no recipe names.  name is a list of one word. */
static bool
to_folder(struct engine *e, const char *name, bool lock)
{
	struct part all = mail_whole(e->mail);
	struct words w;

	words_begin(&w, e->ctx, NAMES_MOST);
	words_put(&w, name, strlen(name) + 1);
	return destination_write(e, &w, &all, false, lock);
}

/* No recipe has delivered: to DEFAULT, or at last to ORGMAIL. */
static bool
to_default(struct engine *e)
{
	const char *org = vars_text(e->vars, "ORGMAIL"), *def = e->folders.def;
	bool ok = false;

	lockfile_drop(e, &e->locks.local);
	engine_drop_root(e);
	if (!e->process.chdir_done)
		(void)!chdir(e->su->account->home);
	mail_unfold(e->mail, false);	/* the abstract, too, reads it */
	if (*def != '\0' && !e->end.stop)
		ok = to_folder(e, def, true);
	if (!ok && !e->end.stop && *org != '\0' && strcmp(org, def) != 0)
		ok = to_folder(e, org, false);
	return ok && !e->end.stop;
}

static void
all_files(struct engine *e)
{
	const struct envelope *env = e->su->env;
	enum ended ended;

	command_line(e);
	ended = run_etc(e);
	if (ended == ENDED_EOF && !e->end.stop) {
		if (env->mailfilter)
			ended = run_filter(e);
		else if (has_file(env))
			ended = run_named(e);
		else
			ended = run_default(e);
	}
	if (e->end.stop)
		return;
	if (ended != ENDED_EOF || to_default(e))
		e->end.status = EX_OK;
}

/* Obey EXITCODE and run TRAP, whose exit status counts if EXITCODE is empty. */
static void
run_trap(struct engine *e)
{
	const char *text = vars_get(e->vars, "EXITCODE");
	long forced = -1;
	struct child_end end;
	struct program p;
	struct part in;

	if (e->end.exitcode_set && text != NULL) {
		forced = vars_number(-2, text);
		if (forced >= 0)
			e->end.status = (int)(forced & 0xff);
	} else if (*e->end.trap != '\0')
		vars_set(e->vars, "EXITCODE", must(talloc_asprintf(e, "%d",
		    e->end.status)));
	if (*e->end.trap == '\0')
		return;
	expand_command(e, e->end.trap, &p);
	in = mail_whole(e->mail);
	child_run(e, &p, &in, NULL, true, true, &end);
	if (end.waited && end.code != 0 && forced == -2)
		e->end.status = end.code & 0xff;
}

/* End the run; returns the exit status. */
static int
finish(struct engine *e)
{
	const char *folder = vars_text(e->vars, "LASTFOLDER");

	if (e->end.status != EX_OK) {
		e->last.tell = -1;
		folder = e->end.lost != LOST_NOT ? "**Lost**" :
		    e->end.status == EX_TEMPFAIL ? "**Requeued**" :
		    "**Bounced**";
	}
	comsat_send(e, folder);
	abstract_write(e, folder);
	if (!e->end.stop)
		run_trap(e);
	lockfile_drop(e, &e->locks.local);
	lockfile_drop(e, &e->locks.global);
	rclog_flush(&e->log);
	return e->end.lost == LOST_SIGQUIT ? EX_OK : e->end.status;
}

/* May the error pass, so that it does not say whether there is a file? */
static bool
may_pass(int error)
{
	return error == EIO || error == ESTALE || error == ETIMEDOUT ||
	    error == ENOMEM || error == ENFILE || error == EMFILE ||
	    error == EINTR || error == EAGAIN || error == EHOSTDOWN;
}

enum status
recipe_wanted(const struct envelope *env, const char *home, bool *wanted,
    struct err *err)
{
	enum status st = ST_OK;
	char *path;

	*wanted = env->mailfilter || env->rcfiles[0] != NULL;
	if (*wanted || env->no_rcfile)
		return ST_OK;
	*wanted = !env->preserve_env && access(ETC_RC, F_OK) == 0;
	if (*wanted || home == NULL)
		return ST_OK;
	path = must(talloc_asprintf(NULL, "%s/.procmailrc", home));
	/* The engine reports other reasons why it cannot be opened. */
	*wanted = true;
	if (access(path, F_OK) == -1) {
		*wanted = errno != ENOENT;
		if (may_pass(errno))
			st = err_sys(err, "%s", path);
	}
	talloc_free(path);
	return st;
}

static struct engine *
begin(TALLOC_CTX *ctx, const struct recipe_setup *setup,
    struct recipe_result *result)
{
	const struct envelope *env = setup->env;
	struct engine *e = must(talloc_pooled_object(ctx, struct engine, 1,
	    POOL_RUN));

	memset(e, 0, sizeof(*e));
	e->ctx = e;
	e->pool = must(talloc_pool(e, POOL_STATEMENT));
	e->su = setup;
	e->result = result;
	e->mail = setup->mail;
	e->vars = vars_new(e);
	rclog_begin(&e->log, e);
	e->last.tell = -1;
	e->process.began = clock_ms();
	e->process.privileged = setup->privileged;
	e->end.status = env->mailfilter && !env->tempfail ? EX_CANTCREAT :
	    EX_TEMPFAIL;
	e->folders.umask = INITIAL_UMASK;
	(void)umask(INITIAL_UMASK);
	assign_defaults(e);
	if (has_file(env) && !env->preserve_env)
		vars_set(e->vars, "COMSAT", "no");
	if (!env->mailfilter) {
		set_arguments(e, env->args);
		e->locks.spool = must(talloc_asprintf(e, "%s.lock",
		    setup->def));
	} else {			/* a filter has no mailbox of its own */
		vars_set(e->vars, "ORGMAIL", NULL);
		e->folders.def = "";
	}
	return e;
}

void
recipe_run(TALLOC_CTX *ctx, const struct recipe_setup *setup,
    struct recipe_result *result)
{
	struct engine *e;

	*result = (struct recipe_result){ .status = EX_TEMPFAIL };
	e = begin(ctx, setup, result);
	engine_catch_signals();
	all_files(e);
	engine_check_signals(e);
	result->status = finish(e);
	result->folder = must(talloc_strdup(ctx, vars_text(e->vars,
	    "LASTFOLDER")));
	result->bytes = (size_t)e->last.bytes;
	if (e->process.clone)
		_exit(result->status);
	talloc_free(e);
}
