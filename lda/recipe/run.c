/* SPDX-License-Identifier: ISC */
/*
 * run.c - one statement of the open rc files after another
 */
#include "lda/recipe/run.h"

#include <string.h>

#include "lda/recipe/actions.h"
#include "lda/recipe/assign.h"
#include "lda/recipe/conditions.h"
#include "lda/recipe/engine.h"
#include "lda/recipe/expand.h"
#include "lda/recipe/lockfile.h"
#include "lda/recipe/parser.h"
#include "lda/recipe/rcfiles.h"

static void
close_block(struct engine *e, const struct frame *f, const struct statement *s)
{
	struct block block;

	if (s->stray || !blocks_close(&e->blocks, f->blocks, &block)) {
		rclog_say(&e->log, "Closing brace unexpected");
		return;
	}
	e->tried.last_cond = block.last;
	e->tried.prev_cond = block.prev;
}

/* The flags without those that contradict e, which are logged. */
static unsigned
use_flags(struct engine *e, unsigned flags)
{
	if ((flags & FLAG_e) == 0)
		return flags;
	if ((flags & FLAG_E) != 0)
		rclog_say(&e->log, "Conflicting else-if-flag suppressed");
	if ((flags & FLAG_a) != 0)
		rclog_say(&e->log,
		    "Conflicting also-if-succeeded-flag suppressed");
	return flags & ~(unsigned)(FLAG_E | FLAG_a);
}

/* Do the results of the recipes before let this one be tried? */
static bool
may_try(const struct tried *t, unsigned flags)
{
	if ((flags & FLAG_e) != 0 && (!t->prev_cond || t->last_ok))
		return false;
	if ((flags & FLAG_E) != 0 && t->prev_cond)
		return false;
	if ((flags & FLAG_a) != 0 && (!t->last_cond || !t->last_ok))
		return false;
	return (flags & FLAG_A) == 0 || t->last_cond;
}

/* The first line of a recipe.  false: it is too long, and all files end
 * here. */
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
		rclog_say_of(&e->log, "Skipped", head->left);
	return true;
}

/* Does this recipe apply?  The result is kept for later ones. */
static bool
applies(struct engine *e, const struct statement *s, unsigned flags)
{
	unsigned used = use_flags(e, flags);
	struct tried *t = &e->tried;
	bool holds = conditions_hold(e, s, used, may_try(t, used));

	holds = holds && !s->missing;
	if ((used & (FLAG_A | FLAG_a)) == 0)
		t->last_cond = holds;
	if (!t->prev_cond || (used & FLAG_E) == 0)
		t->prev_cond = holds;
	return holds;
}

/* Report what is wrong with a statement that is passed, as procmail does. */
static void
pass(struct engine *e, const struct statement *s)
{
	struct head head = s->fixed_head;

	if (s->unclosed)
		rclog_say(&e->log, "Unexpected EOL");
	if (s->kind == S_GARBAGE && *s->name != '\0')
		rclog_say_of(&e->log, "Skipped", s->name);
	if (s->kind != S_RECIPE)
		return;
	if (head.left != NULL && *head.left != '\0')
		rclog_say_of(&e->log, "Skipped", head.left);
	(void)use_flags(e, head.flags);
	if (s->missing)
		rclog_say(&e->log, "Missing action");
	else if (s->action == ACTION_NONE)
		rclog_say(&e->log, "Incomplete recipe");
	else
		action_flags(e, s, &head);
}

static void
run_block(struct engine *e, struct frame *f, const struct statement *s,
    const struct head *head, bool holds)
{
	bool ok = true, in;

	in = holds && action_block(e, head, &ok);
	if (in)
		blocks_enter(&e->blocks, e, (struct block){
		    e->tried.last_cond, e->tried.prev_cond });
	else {
		if (s->has_recipe)
			e->special.score = 0;	/* of the recipes in it */
		while (f->at < s->past)
			pass(e, &f->rc->statement[f->at++]);
	}
	if (holds)
		e->tried.last_ok = ok;
}

/* Returns true if the message is delivered, and the run over.  *give_up: the
 * rest of the files is not run. */
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
		rclog_say(&e->log, "Missing action");
		return false;
	}
	if (e->end.stop)
		return false;
	if (s->action == ACTION_NONE) {
		rclog_say(&e->log, "Incomplete recipe");
		return false;
	}
	action_flags(e, s, &head);
	if (s->action == ACTION_BLOCK) {
		if (holds)
			mail_unfold(e->mail, false);
		run_block(e, f, s, &head, holds);
		return false;
	}
	if (!holds) {
		if (s->unclosed)
			rclog_say(&e->log, "Unexpected EOL");
		return false;
	}
	mail_unfold(e->mail, false);
	ok = action_run(e, s, &head, &delivered);
	e->tried.last_ok = ok;
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

/* The same for any statement. */
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
			rclog_say_of(&e->log, "Skipped", s->name);
		break;
	}
	return false;
}

enum ended
run_files(struct engine *e)
{
	TALLOC_CTX *outer = e->ctx;
	bool delivered, give_up = false;
	struct frame *f;

	e->rc.left = false;
	e->tried = (struct tried){ false, false, false };
	while (!e->end.stop && !give_up) {
		f = &e->rc.frame[e->rc.n - 1];
		lockfile_drop(e, &e->locks.local);
		if (f->at >= f->rc->n) {
			if (!rcfiles_pop(e))
				return ENDED_EOF;
			continue;
		}
		/* What a statement has allocated is freed with it. */
		e->ctx = must(talloc_new(e->pool));
		delivered = run_statement(e, f, &f->rc->statement[f->at++],
		    &give_up);
		if (e->ctx != outer)
			talloc_free(e->ctx);
		e->ctx = outer;
		engine_check_signals(e);
		if (delivered)
			return ENDED_DELIVERED;
		if (e->rc.left)
			return ENDED_LEFT;
	}
	rcfiles_leave(e);
	return ENDED_EOF;
}
