/*
 * run.c - run the rc files of one user for one message
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lda/recipe/action.h"
#include "lda/recipe/engine.h"
#include "maps/base/clock.h"

#define ETC_RC		"/etc/procmailrc"
#define ETC_PATH	"/usr/local/bin:/usr/bin:/bin"
#define INITIAL_UMASK	077

enum ended { ENDED_DELIVERED, ENDED_EOF, ENDED_LEFT };

static volatile sig_atomic_t caught;

static void
on_signal(int sig)
{
	caught = sig;
}

static void
on_verbose(int sig)
{
	caught = sig;
}

/* What a signal asks for: requeue, bounce, or lose the mail; or more words. */
void
check_signals(struct engine *e)
{
	int sig = caught;

	if (sig == 0)
		return;
	caught = 0;
	if (sig == SIGUSR1 || sig == SIGUSR2) {
		e->set.verbose = sig == SIGUSR2;
		return;
	}
	if (e->stop)
		return;
	e->stop = true;
	e->by_signal = sig;
	if (e->child > 0)
		(void)kill(e->child, SIGTERM);
	diag(e, "Terminating prematurely");
	if (sig == SIGQUIT)
		e->fake = 2;
	e->retval = sig == SIGTERM ? EX_TEMPFAIL : EX_CANTCREAT;
}

static void
catch_signals(void)
{
	static const int sigs[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	struct sigaction sa = { .sa_handler = on_signal };
	size_t i;

	(void)sigemptyset(&sa.sa_mask);
	for (i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		(void)sigaction(sigs[i], &sa, NULL);
	sa.sa_handler = on_verbose;
	(void)sigaction(SIGUSR1, &sa, NULL);
	(void)sigaction(SIGUSR2, &sa, NULL);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)signal(SIGXFSZ, SIG_IGN);
}

/* The run is over: the mail system is to try again. */
void
engine_defer(struct engine *e, const struct err *err)
{
	if (e->stop)
		return;
	e->stop = true;
	e->result->failed = true;
	e->result->err = *err;
	e->retval = EX_TEMPFAIL;
	diag(e, err->text);
}

/* This process is a clone now. */
void
engine_become(struct engine *e)
{
	(void)alarm((unsigned)e->su->deadline);
	e->result->background = true;
	e->clone = true;
	e->local = e->global = NULL;	/* the locks are our parent's */
	e->child = 0;
}

/* MAILDIR as it really is. */
const char *
working_dir(struct engine *e)
{
	char cwd[4096];

	return must(talloc_strdup(e->ctx, getcwd(cwd, sizeof(cwd)) == NULL ?
	    "/" : cwd));
}

struct dest
dest_new(struct engine *e, enum dest_kind kind, const char *path)
{
	return (struct dest){ .kind = kind, .path = path, .dir = working_dir(e),
	    .ordinal = e->lineage << 12 | (e->ordinal++ & 0xfff) };
}

/* Statements. */

static void
push_block(struct engine *e)
{
	if (e->nblock == e->block_room) {
		e->block_room = e->block_room == 0 ? 16 : e->block_room * 2;
		e->block = must(talloc_realloc(e, e->block, struct block,
		    (unsigned)e->block_room));
	}
	e->block[e->nblock++] = (struct block){ e->last_cond, e->prev_cond };
}

static void
close_block(struct engine *e, const struct frame *f, const struct statement *s)
{
	if (s->stray || e->nblock <= f->blocks) {
		diag(e, "Closing brace unexpected");
		return;
	}
	e->nblock--;
	e->last_cond = e->block[e->nblock].last;
	e->prev_cond = e->block[e->nblock].prev;
}

/* The flags, with what contradicts itself taken out. */
static unsigned
use_flags(struct engine *e, unsigned flags)
{
	if ((flags & FLAG_e) == 0)
		return flags;
	if ((flags & FLAG_E) != 0)
		diag(e, "Conflicting else-if-flag suppressed");
	if ((flags & FLAG_a) != 0)
		diag(e, "Conflicting also-if-succeeded-flag suppressed");
	return flags & ~(unsigned)(FLAG_E | FLAG_a);
}

/* May it be tried at all, after what went before? */
static bool
may_try(const struct engine *e, unsigned flags)
{
	if ((flags & FLAG_e) != 0 && (!e->prev_cond || e->last_ok))
		return false;
	if ((flags & FLAG_E) != 0 && e->prev_cond)
		return false;
	if ((flags & FLAG_a) != 0 && (!e->last_cond || !e->last_ok))
		return false;
	return (flags & FLAG_A) == 0 || e->last_cond;
}

/* The first line of a recipe; false: it is too long, and the file ends here. */
static bool
head_of(struct engine *e, const struct statement *s, struct head *head)
{
	size_t len = (size_t)(s->head.end - s->head.p);
	struct words w;

	if (s->fixed && len < e->linebuf)
		*head = s->fixed_head;
	else {
		words_begin(&w, e->ctx, e->linebuf);
		if (!expand(e, &w, s->head.p, len, WORDS_SPLIT))
			return false;
		head_parse(e->ctx, &w, head);
	}
	if (head->left != NULL && *head->left != '\0')
		diag_of(e, "Skipped", head->left);
	return true;
}

/* Does this recipe apply?  What later ones ask about is remembered. */
static bool
applies(struct engine *e, const struct statement *s, unsigned flags)
{
	unsigned used = use_flags(e, flags);
	bool holds = conditions_hold(e, s, used, may_try(e, used));

	if ((used & (FLAG_A | FLAG_a)) == 0)
		e->last_cond = holds;
	if (!e->prev_cond || (used & FLAG_E) == 0)
		e->prev_cond = holds;
	return holds;
}

/* Statements that are passed over are read all the same: what is wrong with them
 * is told. */
static void
pass(struct engine *e, const struct statement *s)
{
	struct head head = s->fixed_head;

	if (s->unclosed)
		diag(e, "Unexpected EOL");
	if (s->kind == S_GARBAGE && *s->name != '\0')
		diag_of(e, "Skipped", s->name);
	if (s->kind != S_RECIPE)
		return;
	if (head.left != NULL && *head.left != '\0')
		diag_of(e, "Skipped", head.left);
	(void)use_flags(e, head.flags);
	if (s->missing)
		diag(e, "Missing action");
	else if (s->action == ACTION_NONE)
		diag(e, "Incomplete recipe");
	else
		action_flags(e, s, &head, head.flags);
}

static void
run_block(struct engine *e, struct frame *f, const struct statement *s,
    const struct head *head, bool holds)
{
	bool ok, in;

	if (!holds) {
		if (s->has_recipe)
			e->score = 0;	/* of those that were passed */
		while (f->at < s->past)
			pass(e, &f->rc->statement[f->at++]);
		return;
	}
	in = action_block(e, head, head->flags, &ok);
	if (in)
		push_block(e);
	else
		while (f->at < s->past)
			pass(e, &f->rc->statement[f->at++]);
	e->last_ok = ok;
}

/* true: the message is delivered, and the run over. */
static bool
run_recipe(struct engine *e, struct frame *f, const struct statement *s,
    bool *give_up)
{
	bool holds, delivered = false, ok;
	struct head head;

	if (!head_of(e, s, &head)) {
		*give_up = true;
		return false;
	}
	holds = applies(e, s, head.flags);
	if (s->missing) {
		diag(e, "Missing action");
		return false;
	}
	if (e->stop)
		return false;
	if (s->action == ACTION_NONE) {
		diag(e, "Incomplete recipe");
		return false;
	}
	action_flags(e, s, &head, head.flags);
	if (s->action == ACTION_BLOCK) {
		if (holds)
			mail_unfold(e->mail, false);
		run_block(e, f, s, &head, holds);
		return false;
	}
	if (!holds) {
		if (s->unclosed)
			diag(e, "Unexpected EOL");
		return false;
	}
	mail_unfold(e->mail, false);
	ok = action_run(e, s, &head, head.flags, &delivered);
	e->last_ok = ok;
	return ok && delivered && (head.flags & FLAG_c) == 0;
}

static void
run_assignment(struct engine *e, const struct statement *s)
{
	size_t name = strlen(s->name) + 1;
	struct words w;

	words_begin(&w, e->ctx, e->linebuf > name ? e->linebuf - name : 1);
	if (expand(e, &w, s->value.p, (size_t)(s->value.end - s->value.p),
	    WORDS_VALUE))
		assign(e, s->name, w.buf);
}

/* One statement.  true: the run is over, delivered. */
static bool
run_statement(struct engine *e, struct frame *f, const struct statement *s,
    bool *give_up)
{
	switch (s->kind) {
	case S_RECIPE:
		return run_recipe(e, f, s, give_up);
	case S_ASSIGN:
		run_assignment(e, s);
		break;
	case S_UNSET:
		assign(e, s->name, NULL);
		break;
	case S_CLOSE:
		close_block(e, f, s);
		break;
	case S_GARBAGE:
		if (*s->name != '\0')
			diag_of(e, "Skipped", s->name);
		break;
	}
	return false;
}

/* The files that are open, to their end. */
static enum ended
run_files(struct engine *e)
{
	TALLOC_CTX *outer = e->ctx;
	bool delivered, give_up = false;
	struct frame *f;

	e->left = false;
	e->last_cond = e->prev_cond = e->last_ok = false;
	while (!e->stop && !give_up) {
		f = &e->frame[e->nframe - 1];
		lock_drop(e, &e->local);
		if (f->at >= f->rc->n) {
			if (!rc_pop(e))
				return ENDED_EOF;
			continue;
		}
		/* What a statement needs is gone with it. */
		e->ctx = must(talloc_new(e));
		delivered = run_statement(e, f, &f->rc->statement[f->at++],
		    &give_up);
		if (e->ctx != outer)
			talloc_free(e->ctx);
		e->ctx = outer;
		check_signals(e);
		if (delivered)
			return ENDED_DELIVERED;
		if (e->left)
			return ENDED_LEFT;
	}
	rc_leave(e);
	return ENDED_EOF;
}

/* The command line. */

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
		ok = strcmp(def, "|") == 0 ? stdout_write(e, &all, false) :
		    folder_write(e, &w, &all, false, true);
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
		forced = number_of(-2, text);
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
int
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
	struct engine *e = must(talloc_zero(ctx, struct engine));

	e->ctx = e;
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
