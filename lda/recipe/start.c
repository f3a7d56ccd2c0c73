/* SPDX-License-Identifier: ISC */
/*
 * start.c - which rc files are run, in which order, and how a run ends
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lda/recipe/engine.h"
#include "maps/base/clock.h"

#define ETC_RC		"/etc/procmailrc"
#define ETC_PATH	"/usr/local/bin:/usr/bin:/bin"
#define INITIAL_UMASK	077

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

	drop_privileges(e);
	name = must(talloc_strndup(e->ctx, arg, (size_t)(eq - arg)));
	words_begin(&w, e->ctx, e->linebuf);
	if (*name != '\0' && expand(e, &w, eq + 1, strlen(eq + 1), WORDS_LINE))
		assign(e, name, w.buf);
}

/* Assignments; with -m only those before the rc file, behind which are its
 * arguments. */
static void
command_line(struct engine *e)
{
	const struct envelope *env = e->su->env;
	const char *const *arg = env->operands;

	if (env->recipient_user != NULL)
		return;
	for (; *arg != NULL && !e->stop; arg++) {
		if (is_assignment(*arg))
			assign_argument(e, *arg);
		else if (env->mailfilter)
			break;
	}
	if (env->mailfilter && *arg != NULL) {
		e->args = arg + 1;
		for (e->nargs = 0; e->args[e->nargs] != NULL; e->nargs++)
			continue;
	}
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

	for (; *arg != NULL && !e->stop; arg++) {
		if (is_assignment(*arg))
			continue;
		path = *arg;
		type = RC_ABSOLUTE;
		if (strncmp(path, "./", 2) == 0)
			type = RC_CURRENT;
		else if (*path != '/')
			path = must(talloc_asprintf(e->ctx, "%s/%s",
			    e->su->account->home, path));
		if (!rc_open(e, path, type, warn)) {
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
			return ENDED_LEFT;	/* as if it were delivered */
	}
	return ENDED_EOF;
}

static enum ended
run_filter(struct engine *e)
{
	const char *const *arg = e->su->env->operands;

	while (*arg != NULL && is_assignment(*arg))
		arg++;
	if (*arg != NULL && rc_open(e, *arg, **arg == '/' ? RC_ABSOLUTE :
	    RC_CURRENT, true))
		return run_files(e);
	return ENDED_EOF;
}

static enum ended
run_default(struct engine *e)
{
	char *path = must(talloc_asprintf(e->ctx, "%s/.procmailrc",
	    e->su->account->home));

	return rc_open(e, path, RC_DEFAULT, false) ? run_files(e) : ENDED_EOF;
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

	if (e->su->env->preserve_env || has_file(e->su->env) || e->stop ||
	    !rc_open_etc(e, ETC_RC))
		return ended;
	vars_set(e->vars, "PATH", ETC_PATH);
	ended = run_files(e);
	vars_set(e->vars, "PATH", must(talloc_asprintf(e->ctx, "%s/bin:"
	    ETC_PATH, e->su->account->home)));
	/* HOST in it ends itself alone. */
	return ended == ENDED_LEFT ? ENDED_EOF : ended;
}

/* Nobody took it: DEFAULT, and at last ORGMAIL. */
static bool
to_default(struct engine *e)
{
	const char *org = vars_text(e->vars, "ORGMAIL"), *def = e->set.def;
	struct piece all = { e->mail->b.p, e->mail->b.len, false };
	struct words w;
	bool ok = false;

	lock_drop(e, &e->local);
	drop_privileges(e);
	if (!e->chdir_done)
		(void)!chdir(e->su->account->home);
	mail_unfold(e->mail, false);
	all.data = e->mail->b.p;
	if (*def != '\0' && !e->stop) {
		words_begin(&w, e->ctx, 65536);
		words_put(&w, def, strlen(def) + 1);
		ok = folder_write(e, &w, &all, false, true);
	}
	if (!ok && !e->stop && *org != '\0' && strcmp(org, def) != 0) {
		words_begin(&w, e->ctx, 65536);
		words_put(&w, org, strlen(org) + 1);
		ok = folder_write(e, &w, &all, false, false);
	}
	return ok && !e->stop;
}

static void
all_files(struct engine *e)
{
	const struct envelope *env = e->su->env;
	enum ended ended;

	command_line(e);
	ended = run_etc(e);
	if (ended == ENDED_EOF && !e->stop) {
		if (env->mailfilter)
			ended = run_filter(e);
		else if (has_file(env))
			ended = run_named(e);
		else
			ended = run_default(e);
	}
	if (e->stop)
		return;
	if (ended != ENDED_EOF || to_default(e))
		e->retval = EX_OK;
}

/* EXITCODE, and TRAP. */
static void
run_trap(struct engine *e)
{
	const char *text = vars_get(e->vars, "EXITCODE");
	long forced = -1;
	struct piece in;
	struct outcome_of o;
	struct program p;

	if (e->exitcode_set && text != NULL) {
		forced = vars_number(-2, text);
		if (forced >= 0)
			e->retval = (int)(forced & 0xff);
	} else if (*e->set.trap != '\0')
		vars_set(e->vars, "EXITCODE", must(talloc_asprintf(e, "%d",
		    e->retval)));
	if (*e->set.trap == '\0')
		return;
	mail_unfold(e->mail, false);
	program_parse(e, e->set.trap, &p);
	in = (struct piece){ e->mail->b.p, e->mail->b.len, false };
	program_run(e, &p, &in, NULL, true, true, &o);
	if (o.waited && o.code != 0 && forced == -2)
		e->retval = o.code & 0xff;
}

/* The last words; the exit status. */
static int
engine_finish(struct engine *e)
{
	const char *folder = vars_text(e->vars, "LASTFOLDER");

	if (e->retval != EX_OK) {
		e->tell = -1;
		folder = e->fake != 0 ? "**Lost**" :
		    e->retval == EX_TEMPFAIL ? "**Requeued**" : "**Bounced**";
	}
	comsat_send(e, folder);
	rclog_abstract(e, folder);
	if (!e->stop)
		run_trap(e);
	lock_drop(e, &e->local);
	lock_drop(e, &e->global);
	rclog_flush(e);
	return e->fake == 2 ? EX_OK : e->retval;
}

/* A filer that does not answer has no say in whether there are rules. */
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
	/* What else keeps us from looking is the engine's to tell. */
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
	e->logfd = STDERR_FILENO;
	e->tell = -1;
	e->began = clock_ms();
	e->privileged = setup->privileged;
	e->retval = env->mailfilter && !env->tempfail ? EX_CANTCREAT :
	    EX_TEMPFAIL;
	e->umask = INITIAL_UMASK;
	(void)umask(INITIAL_UMASK);
	settings_begin(e);
	if (has_file(env) && !env->preserve_env)
		vars_set(e->vars, "COMSAT", "no");
	if (!env->mailfilter) {
		e->args = env->args;
		while (env->args[e->nargs] != NULL)
			e->nargs++;
		e->spool_lock = must(talloc_asprintf(e, "%s.lock", setup->def));
	} else {			/* a filter has no mailbox of its own */
		vars_set(e->vars, "ORGMAIL", NULL);
		e->set.def = "";
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
	catch_signals();
	all_files(e);
	check_signals(e);
	result->status = engine_finish(e);
	result->folder = must(talloc_strdup(ctx, vars_text(e->vars,
	    "LASTFOLDER")));
	result->bytes = (size_t)e->dumped;
	if (e->clone)
		_exit(result->status);
	talloc_free(e);
}
