/* SPDX-License-Identifier: ISC */
/*
 * actions.c - what a recipe does once its conditions hold
 */
#include "lda/recipe/actions.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lda/recipe/abstract.h"
#include "lda/recipe/assign.h"
#include "lda/recipe/delivered.h"
#include "lda/recipe/destination.h"
#include "lda/recipe/engine.h"
#include "lda/recipe/expand.h"
#include "lda/recipe/folder.h"
#include "lda/recipe/lockfile.h"
#include "lda/recipe/pipes.h"

struct act {
	struct engine	*e;
	const struct statement *s;
	const struct head *head;
	struct part	 part;		/* of the message: what it is given */
	unsigned	 wait;		/* enum pipes_wait */
};

static bool
has(const struct act *a, unsigned flag)
{
	return (a->head->flags & flag) != 0;
}

static void
ignored(struct engine *e, const char *what)
{
	rclog_say(&e->log, must(talloc_asprintf(e->ctx,
	    "Extraneous %s ignored", what)));
}

/* The header, the body or both. */
static struct part
choose_part(const struct engine *e, unsigned flags)
{
	const struct mail *m = e->mail;
	struct part p = { m->b.p, m->b.len, (flags & FLAG_r) != 0 };

	if ((flags & (FLAG_h | FLAG_b)) == FLAG_h)
		p.len = m->body;
	else if ((flags & (FLAG_h | FLAG_b)) == FLAG_b) {
		p.data += m->body;
		p.len -= m->body;
	}
	return p;
}

/* The file after the first `>>` of a command, for its lockfile. */
static const char *
append_target(struct engine *e, const struct program *p)
{
	const char *name = strstr(p->words.buf, ">>");
	struct words w;
	char *word;

	if (name == NULL)
		return NULL;
	name += 2 + strspn(name + 2, " \t");
	word = must(talloc_strndup(e->ctx, name,
	    strcspn(name, " \t\n#`'\");")));
	if (!p->shell || *word == '\0')
		return *word == '\0' ? NULL : word;
	words_begin(&w, e->ctx, e->linebuf);
	if (!expand(e, &w, word, strlen(word), WORDS_SPLIT) || *w.buf == '\0')
		return NULL;
	return w.buf;
}

static void
lock_program(struct act *a, const struct program *p)
{
	const char *of = a->head->lockfile == NULL ?
	    append_target(a->e, p) : NULL;

	if (!a->head->lock)
		return;
	if (a->head->lockfile == NULL && of == NULL)
		rclog_say_of(&a->e->log,
		    "Couldn't determine implicit lockfile from", p->words.buf);
	lockfile_local(a->e, a->head->lockfile, of == NULL ? "" : of);
	if (a->wait == NO_WAIT)
		a->wait = WAIT_QUIET;	/* for as long as the lock is held */
}

/* Replace the message, or a part of it, by the output of the program. */
static bool
filter(struct act *a, const struct program *p)
{
	struct engine *e = a->e;
	struct mail *m = e->mail;
	size_t from = (size_t)(a->part.data - m->b.p);
	struct bytes out = { NULL, 0, 0 };

	if (!pipes_filter(e, p, &a->part, a->wait, has(a, FLAG_i), &out)) {
		bytes_free(&out);
		return false;
	}
	/* A filter of the header keeps the body, one of the body the header,
	 * and one by `!` the From_ line; a filter of both replaces all. */
	bytes_trim(&out);
	if (from == 0)
		mail_replace(m, 0, a->part.len, &out);
	else
		mail_replace(m, from, m->b.len, &out);
	if (from != 0 && from == m->body)
		mail_look_body(m);
	else
		mail_look(m);
	return a->wait != NO_WAIT || !e->programs.filter_failed;
}

/* VAR=| */
static bool
capture(struct act *a, const struct program *p)
{
	struct engine *e = a->e;
	struct bytes out = { NULL, 0, 0 };
	char *value;
	bool ok;

	ok = pipes_filter(e, p, &a->part, a->wait, has(a, FLAG_i), &out);
	if (ok) {
		if (out.len > 0 && out.p[out.len - 1] == '\n')
			out.len--;
		value = must(talloc_strndup(e->ctx, out.p == NULL ? "" : out.p,
		    out.len));
		if (*a->s->capture != '\0')
			assign(e, a->s->capture, value);
		talloc_free(value);
	}
	bytes_free(&out);
	return ok && (a->wait != NO_WAIT || !e->programs.filter_failed);
}

/* Run the program, unless an earlier run for this message has. */
static bool
deliver(struct act *a, const struct program *p, enum dest_kind kind)
{
	struct engine *e = a->e;
	struct dest dest;
	enum status st = ST_NONE;
	bool ok;

	if (e->su->sink != NULL) {
		dest = delivered_next(e, kind, pipes_name(e, p));
		st = delivered_before(e, &dest);
	}
	if (st != ST_NONE)
		return st == ST_OK;
	ok = pipes_deliver(e, p, &a->part, a->wait, has(a, FLAG_i), true);
	if (ok && e->su->sink != NULL)
		delivered_now(e, &dest);
	return ok;
}

static bool
run_program(struct act *a, const struct program *p, enum dest_kind kind,
    bool *delivered)
{
	struct engine *e = a->e;
	bool ok;

	lock_program(a, p);
	if (e->end.stop)
		return false;
	if (has(a, FLAG_c) && (has(a, FLAG_f) || a->s->capture != NULL))
		ignored(e, "copy-flag");
	if (a->s->capture != NULL)
		return capture(a, p);
	if (has(a, FLAG_f))
		return filter(a, p);
	ok = deliver(a, p, kind);
	*delivered = ok;
	return ok;
}

static bool
pipe_action(struct act *a, bool *delivered)
{
	struct engine *e = a->e;
	struct program p;
	bool ok;

	if (strlen(a->s->command) >= e->linebuf) {
		expand_overflowed(e);
		return false;
	}
	expand_command(e, a->s->command, &p);
	if (!p.shell && p.words.len == 1) {	/* the action is just `|` */
		if (a->head->lock)
			lockfile_local(e, a->head->lockfile, "|");
		ok = !e->end.stop && folder_stdout(e, "|", &a->part,
		    has(a, FLAG_i));
		*delivered = ok;
	} else
		ok = run_program(a, &p, DEST_PROGRAM, delivered);
	return ok;
}

/* Run SENDMAIL SENDMAILFLAGS addresses.  The message has no From_ line then,
 * which a mailer would not understand. */
static bool
forward_action(struct act *a, bool *delivered)
{
	struct engine *e = a->e;
	struct program p = { .shell = false };
	const char *flags = e->mailer.flags;
	size_t n;

	words_begin(&p.words, e->ctx, e->linebuf);
	words_put(&p.words, e->mailer.sendmail,
	    strlen(e->mailer.sendmail) + 1);
	for (;;) {
		flags += strspn(flags, " \t\n");
		n = strcspn(flags, " \t\n");
		if (n == 0)
			break;
		words_put(&p.words, flags, n);
		words_put(&p.words, "", 1);
		flags += n;
	}
	if (!expand(e, &p.words, a->s->text.p,
	    (size_t)(a->s->text.end - a->s->text.p), WORDS_SPLIT))
		return false;
	a->part = mail_without_from(e->mail, &a->part);
	return run_program(a, &p, DEST_FORWARD, delivered);
}

static bool
folder_action(struct act *a, bool *delivered)
{
	struct engine *e = a->e;
	struct words w;
	bool ok;

	words_begin(&w, e->ctx, e->linebuf);
	if (!expand(e, &w, a->s->text.p, (size_t)(a->s->text.end -
	    a->s->text.p), WORDS_SPLIT))
		return false;
	if (has(a, FLAG_f)) {		/* ignored; the whole message, then */
		a->part.data = e->mail->b.p;
		a->part.len = e->mail->b.len;
	}
	if (a->head->lock)
		lockfile_local(e, a->head->lockfile, w.buf);
	ok = !e->end.stop && destination_write(e, &w, &a->part,
	    has(a, FLAG_i), false);
	*delivered = ok;
	return ok;
}

static unsigned
wait_of(unsigned flags)
{
	return ((flags & FLAG_w) != 0 ? WAIT : 0) |
	    ((flags & FLAG_W) != 0 ? WAIT_QUIET : 0);
}

bool
action_run(struct engine *e, const struct statement *s,
    const struct head *head, bool *delivered)
{
	struct act a = { e, s, head, choose_part(e, head->flags),
	    wait_of(head->flags) };
	bool ok = false;

	*delivered = false;
	switch (s->action) {
	case ACTION_PIPE:
		ok = pipe_action(&a, delivered);
		break;
	case ACTION_FORWARD:
		ok = forward_action(&a, delivered);
		break;
	case ACTION_FOLDER:
		ok = folder_action(&a, delivered);
		break;
	case ACTION_BLOCK: case ACTION_NONE:
		break;
	}
	if (ok && *delivered && has(&a, FLAG_c) && e->log.abstract == 2)
		abstract_write(e, vars_text(e->vars, "LASTFOLDER"));
	e->last.tell = -1;
	return ok;
}

void
action_flags(struct engine *e, const struct statement *s,
    const struct head *head)
{
	unsigned flags = head->flags;

	if ((s->action == ACTION_FOLDER || s->action == ACTION_BLOCK ||
	    s->capture != NULL) && (flags & FLAG_f) != 0)
		ignored(e, "filter-flag");
	if (s->action != ACTION_BLOCK)
		return;
	if (head->lock && (flags & FLAG_c) == 0)
		ignored(e, "locallockfile");
	if ((flags & FLAG_b) != 0)
		ignored(e, "deliver-body flag");
	if ((flags & FLAG_h) != 0)
		ignored(e, "deliver-head flag");
	if ((flags & FLAG_i) != 0)
		ignored(e, "ignore-write-error flag");
	if ((flags & FLAG_r) != 0)
		ignored(e, "raw-mode flag");
}

/* The clone's exit status, or minus the signal that ended it. */
static int
wait_clone(struct engine *e, pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) == -1 && errno == EINTR) {
		engine_check_signals(e);
		if (e->end.stop) {
			(void)kill(pid, SIGTERM);
			return 0;
		}
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void
become_clone(struct engine *e)
{
	delivered_as_clone(e);
	lockfile_forget(e);
	engine_background(e);
	e->process.clone = true;
	e->process.child = 0;
}

/* `c` on a block.  Returns true in the clone, which goes into the block. */
static bool
clone(struct engine *e, unsigned wait, bool *ok)
{
	pid_t pid;

	rclog_verbose(&e->log, "Forking", "procmail");
	rclog_flush(&e->log);
	pid = fork();
	if (pid == 0) {
		become_clone(e);
		return true;
	}
	e->last.clones++;
	if (pid == -1) {
		rclog_say_of(&e->log, "Failed forking", "procmail");
		*ok = false;
		return false;
	}
	if (wait == NO_WAIT)
		return false;
	e->special.code = wait_clone(e, pid);
	if (e->special.code != 0) {
		pipes_failure(e, "procmail", e->special.code, wait);
		*ok = false;
	}
	return false;
}

bool
action_block(struct engine *e, const struct head *head, bool *ok)
{
	unsigned wait = wait_of(head->flags);

	*ok = true;
	if (head->lock) {
		lockfile_local(e, head->lockfile, "");
		if (wait == NO_WAIT)
			wait = WAIT_QUIET;
	}
	if ((head->flags & FLAG_c) == 0)
		return true;
	return clone(e, wait, ok);
}
