/* SPDX-License-Identifier: ISC */
/*
 * rcrun_fuzz.c - an rc file and a message, NUL between them: a whole run
 *
 * Nothing outside of this process is touched: programs, folders, locks, the log and
 * other rc files are what this file says.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lda/recipe/engine.h"

#define INCLUDES	40

int		LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *rc_data;
static size_t rc_len, nwritten;

/* No second process. */
pid_t
fork(void)
{
	return -1;
}

/* log.c */
void rclog(struct engine *e, const char *text) { (void)e; nwritten += strlen(text); }
void rclog_flush(struct engine *e) { (void)e; }
void diag(struct engine *e, const char *what) { rclog(e, what); }
void diag_of(struct engine *e, const char *what, const char *of) { rclog(e, what); rclog(e, of); }
void chat(struct engine *e, const char *what, const char *of) { diag_of(e, what, of); }
void rclog_open(struct engine *e, const char *path) { rclog(e, path); }
void rclog_abstract(struct engine *e, const char *folder) { rclog(e, folder); }

/* comsat.c */
bool comsat_set(struct engine *e, const char *value) { rclog(e, value); return true; }
void comsat_send(struct engine *e, const char *folder) { rclog(e, folder); }

/* locks.c */
bool engine_sleep(struct engine *e, long seconds) { (void)e; return seconds >= 0; }
bool
lock_take(struct engine *e, const char *name, char **lock)
{
	lock_drop(e, lock);
	if (*name != '\0')
		*lock = must(talloc_strdup(e, name));
	return strlen(name) % 2 == 0;
}
void
lock_local(struct engine *e, const char *named, const char *of)
{
	(void)lock_take(e, named != NULL ? named : of, &e->local);
}
void lock_drop(struct engine *e, char **lock) { (void)e; TALLOC_FREE(*lock); }

/* folder.c: fails for names of an odd length. */
static bool
take_piece(struct engine *e, const struct piece *in, size_t name)
{
	size_t i;

	for (i = 0; i < in->len; i += 97)
		nwritten += (unsigned char)in->data[i];
	e->dumped = (long)in->len;
	return name % 2 == 0;
}
bool
folder_write(struct engine *e, const struct words *names,
    const struct piece *in, bool ignore, bool lock)
{
	set_folder(e, names->buf);
	return take_piece(e, in, strlen(names->buf)) || ignore || lock;
}
bool
stdout_write(struct engine *e, const char *name, const struct piece *in,
    bool ignore)
{
	set_folder(e, name);
	return take_piece(e, in, 0) || ignore;
}

/* program.c: the output is the command. */
void
program_parse(struct engine *e, const char *line, struct program *p)
{
	p->shell = strpbrk(line, e->set.shellmetas) != NULL;
	words_begin(&p->words, e->ctx, e->linebuf);
	if (p->shell)
		words_put(&p->words, line, strlen(line) + 1);
	else
		(void)expand(e, &p->words, line, strlen(line), WORDS_SPLIT);
}
const char *
program_name(struct engine *e, const struct program *p)
{
	return words_join(e->ctx, &p->words, words_next(&p->words, NULL));
}
void
program_run(struct engine *e, const struct program *p, const struct piece *in,
    struct bytes *out, bool out_to_log, bool wait, struct outcome_of *o)
{
	*o = (struct outcome_of){ .started = true, .written = true,
	    .waited = wait || out_to_log };
	o->code = take_piece(e, in, strlen(p->words.buf)) ? 0 : 1;
	if (out != NULL)
		bytes_put(out, p->words.buf, strlen(p->words.buf));
}
bool
program_deliver(struct engine *e, const struct program *p,
    const struct piece *in, unsigned wait, bool ignore, bool deliver)
{
	struct outcome_of o;

	program_run(e, p, in, NULL, false, wait != 0, &o);
	e->code = o.code;
	if (deliver)
		set_folder(e, program_name(e, p));
	return o.code == 0 || ignore;
}
bool
program_filter(struct engine *e, const struct program *p,
    const struct piece *in, unsigned wait, bool ignore, struct bytes *out)
{
	struct outcome_of o;

	program_run(e, p, in, out, false, wait != 0, &o);
	return o.code == 0 || ignore;
}
void
program_output(struct engine *e, const char *text, size_t most,
    struct words *to)
{
	(void)e;
	words_put(to, text, strnlen(text, most));
}

/* rcfile.c: each of them is the same file. */
static bool
push(struct engine *e)
{
	struct frame *f = &e->frame[e->nframe];

	if (e->nframe == RC_DEPTH_MAX || ++e->opened > INCLUDES)
		return false;
	f->rc = rcfile_parse(e, "fuzz", rc_data, rc_len);
	f->at = 0;
	f->blocks = e->nblock;
	e->nframe++;
	return true;
}
static void drop(struct engine *e) { e->nframe--; TALLOC_FREE(e->frame[e->nframe].rc); }
bool
rc_open(struct engine *e, const char *path, enum rc_type type, bool warn)
{
	(void)path;
	(void)type;
	(void)warn;
	return push(e);
}
bool rc_open_etc(struct engine *e, const char *path) { (void)e; (void)path; return false; }
void
rc_include(struct engine *e, const char *path)
{
	if (e->nframe > 0 && *path != '\0')
		(void)push(e);
}
void
rc_switch(struct engine *e, const char *path)
{
	if (e->nframe == 0 || e->opened >= INCLUDES ||
	    *path == '\0')
		return;
	e->nblock = e->frame[e->nframe - 1].blocks;
	drop(e);
	if (!push(e))
		abort();
}
bool
rc_pop(struct engine *e)
{
	if (e->nblock < e->frame[e->nframe - 1].blocks)
		abort();
	e->nblock = e->frame[e->nframe - 1].blocks;
	drop(e);
	return e->nframe > 0;
}
void
rc_leave(struct engine *e)
{
	while (e->nframe > 0)
		drop(e);
	e->nblock = 0;
	e->left = true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const none[] = { NULL };
	static const char *const args[] = { "one", "two words", NULL };
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	const struct account a = { "fuzz", "/nonexistent", "/bin/sh", 1, 1 };
	struct envelope env = { .args = (const char **)(uintptr_t)args,
	    .rcfiles = (const char **)(uintptr_t)none,
	    .operands = (const char **)(uintptr_t)none };
	struct mail *mail = must(talloc_zero(ctx, struct mail));
	struct recipe_setup setup = { .env = &env, .account = &a,
	    .def = "/nonexistent/box", .mail = mail, .deadline = 60 };
	struct recipe_result result;
	const uint8_t *nul = size == 0 ? NULL : memchr(data, '\0', size);

	mail->berkeley = size % 2 == 1;
	rc_data = (const char *)data;
	rc_len = nul == NULL ? size : (size_t)(nul - data);
	if (nul != NULL)
		bytes_put(&mail->b, (const char *)nul + 1, size - rc_len - 1);
	bytes_trim(&mail->b);
	mail_look(mail);
	recipe_run(ctx, &setup, &result);
	if (result.failed || mail->body > mail->b.len ||
	    mail->head > mail->b.len)
		abort();
	bytes_free(&mail->b);
	talloc_free(ctx);
	return 0;
}
