/* SPDX-License-Identifier: ISC */
/*
 * actions.c - what a recipe does once its conditions hold
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lda/recipe/actions.h"

struct act {
	struct engine	*e;
	const struct statement *s;
	const struct head *head;
	unsigned	 flags;
	struct piece	 piece;		/* what of the message it is for */
	unsigned	 wait;
};

static void
ignored(struct engine *e, const char *what)
{
	diag(e, must(talloc_asprintf(e->ctx, "Extraneous %s ignored", what)));
}

/* Header, body or both. */
static struct piece
choose_piece(const struct engine *e, unsigned flags)
{
	const struct mail *m = e->mail;
	struct piece p = { m->b.p, m->b.len, (flags & FLAG_r) != 0 };

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
	const char *of = a->head->lockfile == NULL ? append_target(a->e, p) : NULL;

	if (!a->head->lock)
		return;
	if (a->head->lockfile == NULL && of == NULL)
		diag_of(a->e, "Couldn't determine implicit lockfile from",
		    p->words.buf);
	lock_local(a->e, a->head->lockfile, of == NULL ? "" : of);
	if (a->wait == NO_WAIT)
		a->wait = WAIT_QUIET;	/* or the lock would be for nothing */
}

/* The message, or its part, becomes what the program makes of it. */
static bool
filter(struct act *a, const struct program *p)
{
	struct engine *e = a->e;
	struct mail *m = e->mail;
	size_t from = (size_t)(a->piece.data - m->b.p);
	struct bytes out = { NULL, 0, 0 };

	if (!program_filter(e, p, &a->piece, a->wait,
	    (a->flags & FLAG_i) != 0, &out)) {
		bytes_free(&out);
		return false;
	}
	/* A filter of the header alone keeps the body; one of the body the header,
	 * and one that forwards the From_ line; what a filter of all says is all. */
	bytes_trim(&out);
	if (from == 0)
		mail_replace(m, 0, a->piece.len, &out);
	else
		mail_replace(m, from, m->b.len, &out);
	if (from != 0 && from == m->body)
		mail_look_body(m);
	else
		mail_look(m);
	return a->wait != NO_WAIT || !e->filter_failed;
}

/* VAR=| */
static bool
capture(struct act *a, const struct program *p)
{
	struct engine *e = a->e;
	struct bytes out = { NULL, 0, 0 };
	char *value;
	bool ok;

	ok = program_filter(e, p, &a->piece, a->wait, (a->flags & FLAG_i) != 0,
	    &out);
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
	return ok && (a->wait != NO_WAIT || !e->filter_failed);
}

/* Was it run for this message before?  As a mail system's retry is. */
static enum status
done_before(struct engine *e, struct dest *dest, enum dest_kind kind,
    const struct program *p)
{
	const struct sink *sink = e->su->sink;
	enum status st;
	struct err err;

	if (sink == NULL)
		return ST_NONE;
	*dest = dest_new(e, kind, program_name(e, p));
	st = sink->was_done(sink->arg, dest, &err);
	if (st == ST_OK)
		set_folder(e, dest->path);
	else if (st != ST_NONE)
		engine_defer(e, &err);
	return st;
}

static bool
deliver(struct act *a, const struct program *p, enum dest_kind kind)
{
	struct engine *e = a->e;
	const struct sink *sink = e->su->sink;
	struct dest dest;
	enum status st;
	struct err err;
	bool ok;

	st = done_before(e, &dest, kind, p);
	if (st != ST_NONE)
		return st == ST_OK;
	ok = program_deliver(e, p, &a->piece, a->wait, (a->flags & FLAG_i) != 0,
	    true);
	if (ok && sink != NULL && sink->done(sink->arg, &dest, &err) != ST_OK)
		diag(e, err.text);
	return ok;
}

static bool
run_program(struct act *a, const struct program *p, enum dest_kind kind,
    bool *delivered)
{
	struct engine *e = a->e;
	bool ok;

	lock_program(a, p);
	if (e->stop)
		return false;
	if ((a->flags & FLAG_c) != 0 && ((a->flags & FLAG_f) != 0 ||
	    a->s->capture != NULL))
		ignored(e, "copy-flag");
	if (a->s->capture != NULL)
		return capture(a, p);
	if ((a->flags & FLAG_f) != 0)
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
		overflowed(e);
		return false;
	}
	program_parse(e, a->s->command, &p);
	if (!p.shell && p.words.len == 1) {	/* nothing but the `|` */
		if (a->head->lock)
			lock_local(e, a->head->lockfile, "|");
		ok = !e->stop && stdout_write(e, "|", &a->piece,
		    (a->flags & FLAG_i) != 0);
		*delivered = ok;
	} else
		ok = run_program(a, &p, DEST_PROGRAM, delivered);
	return ok;
}

/* SENDMAIL SENDMAILFLAGS addresses; without the From_ line, which mailers that
 * forward take for something else. */
static bool
forward_action(struct act *a, bool *delivered)
{
	struct engine *e = a->e;
	struct program p = { .shell = false };
	const char *flags = e->set.sendmailflags;
	size_t n, skip;

	words_begin(&p.words, e->ctx, e->linebuf);
	words_put(&p.words, e->set.sendmail, strlen(e->set.sendmail) + 1);
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
	if (a->piece.data == e->mail->b.p) {
		skip = mail_from_lines(a->piece.data, a->piece.len);
		a->piece.data += skip;
		a->piece.len -= skip;
	}
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
	if ((a->flags & FLAG_f) != 0) {		/* the whole message, then */
		a->piece.data = e->mail->b.p;
		a->piece.len = e->mail->b.len;
	}
	if (a->head->lock)
		lock_local(e, a->head->lockfile, w.buf);
	ok = !e->stop && folder_write(e, &w, &a->piece,
	    (a->flags & FLAG_i) != 0, false);
	*delivered = ok;
	return ok;
}

bool
action_run(struct engine *e, const struct statement *s,
    const struct head *head, unsigned flags, bool *delivered)
{
	struct act a = { e, s, head, flags, choose_piece(e, flags),
	    ((flags & FLAG_w) != 0 ? WAIT : 0) |
	    ((flags & FLAG_W) != 0 ? WAIT_QUIET : 0) };
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
	if (ok && *delivered && (flags & FLAG_c) != 0 &&
	    e->set.logabstract == 2)
		rclog_abstract(e, vars_text(e->vars, "LASTFOLDER"));
	e->tell = -1;
	return ok;
}

/* What is told of flags that mean nothing here, also where nothing is done. */
void
action_flags(struct engine *e, const struct statement *s,
    const struct head *head, unsigned flags)
{
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

/* The clone's exit status; waited for in bits, as signals are looked at. */
static int
wait_clone(struct engine *e, pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) == -1 && errno == EINTR) {
		check_signals(e);
		if (e->stop) {
			(void)kill(pid, SIGTERM);
			return 0;
		}
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* `c` on a block: the clone goes in, we go past.  true: we are the clone. */
static bool
clone(struct engine *e, unsigned wait, bool *ok)
{
	char text[64];
	pid_t pid;
	int code;

	chat(e, "Forking", "procmail");
	rclog_flush(e);
	pid = fork();
	if (pid == 0) {
		e->lineage = e->lineage * 61 + ++e->clones;
		e->clones = 0;
		e->ordinal = 0;
		engine_become(e);
		return true;
	}
	e->clones++;
	if (pid == -1) {
		diag_of(e, "Failed forking", "procmail");
		*ok = false;
		return false;
	}
	if (wait == NO_WAIT)
		return false;
	code = wait_clone(e, pid);
	if (code != 0) {
		if ((wait & WAIT_QUIET) == 0 || e->set.verbose != 0) {
			(void)snprintf(text, sizeof(text),
			    (wait & WAIT_QUIET) != 0 ?
			    "Non-zero exitcode (%d) from" :
			    "Program failure (%d) of", code);
			diag_of(e, text, "procmail");
		}
		*ok = false;
	}
	e->code = code;
	return false;
}

bool
action_block(struct engine *e, const struct head *head, unsigned flags,
    bool *ok)
{
	unsigned wait = ((flags & FLAG_w) != 0 ? WAIT : 0) |
	    ((flags & FLAG_W) != 0 ? WAIT_QUIET : 0);

	*ok = true;
	if (head->lock) {
		lock_local(e, head->lockfile, "");
		if (wait == NO_WAIT)
			wait = WAIT_QUIET;
	}
	if ((flags & FLAG_c) == 0)
		return true;
	return clone(e, wait, ok);
}
