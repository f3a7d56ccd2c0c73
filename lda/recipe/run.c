/* SPDX-License-Identifier: ISC */
/*
 * run.c - statement after statement of the rc files that are open
 */
#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lda/recipe/actions.h"
#include "lda/recipe/engine.h"

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

void
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

	holds = holds && !s->missing;
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
	bool ok = true, in;

	in = holds && action_block(e, head, head->flags, &ok);
	if (in)
		push_block(e);
	else {
		if (s->has_recipe)
			e->score = 0;	/* of those that are passed */
		while (f->at < s->past)
			pass(e, &f->rc->statement[f->at++]);
	}
	if (holds)
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
enum ended
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
		e->ctx = must(talloc_new(e->pool));
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
