/* SPDX-License-Identifier: ISC */
/*
 * rcrun_fuzz.c - an rc file and a message, NUL between them: a whole run
 *
 * Nothing outside of this process is touched: programs, folders, lockfiles, the
 * log and other rc files are made up here.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lda/recipe/abstract.h"
#include "lda/recipe/child.h"
#include "lda/recipe/comsat.h"
#include "lda/recipe/delivered.h"
#include "lda/recipe/destination.h"
#include "lda/recipe/engine.h"
#include "lda/recipe/folder.h"
#include "lda/recipe/lockfile.h"
#include "lda/recipe/parser.h"
#include "lda/recipe/rcfiles.h"
#include "lda/recipe/recipe.h"

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

/* rclog.c */
void
rclog_begin(struct rclog *log, TALLOC_CTX *ctx)
{
	*log = (struct rclog){ .ctx = ctx, .fd = -1, .abstract = -1 };
}

void
rclog_put(struct rclog *log, const char *text)
{
	(void)log;
	nwritten += strlen(text);
}

void
rclog_flush(struct rclog *log)
{
	(void)log;
}

void
rclog_say(struct rclog *log, const char *what)
{
	rclog_put(log, what);
}

void
rclog_say_of(struct rclog *log, const char *what, const char *of)
{
	rclog_put(log, what);
	rclog_put(log, of);
}

void
rclog_verbose(struct rclog *log, const char *what, const char *of)
{
	rclog_say_of(log, what, of);
}

void
rclog_open(struct rclog *log, const char *path, bool nofollow)
{
	(void)nofollow;
	rclog_put(log, path);
}

/* abstract.c */
void
abstract_write(struct engine *e, const char *folder)
{
	rclog_put(&e->log, folder);
}

/* comsat.c */
bool
comsat_set(struct engine *e, const char *value)
{
	rclog_put(&e->log, value);
	return true;
}

void
comsat_send(struct engine *e, const char *folder)
{
	rclog_put(&e->log, folder);
}

/* lockfile.c: fails for names of an odd length. */
bool
lockfile_take(struct engine *e, const char *name, char **lock)
{
	lockfile_drop(e, lock);
	if (*name != '\0')
		*lock = must(talloc_strdup(e, name));
	return strlen(name) % 2 == 0;
}

void
lockfile_local(struct engine *e, const char *named, const char *of)
{
	(void)lockfile_take(e, named != NULL ? named : of, &e->locks.local);
}

void
lockfile_drop(struct engine *e, char **lock)
{
	(void)e;
	TALLOC_FREE(*lock);
}

void
lockfile_forget(struct engine *e)
{
	e->locks.local = e->locks.global = NULL;
}

static bool
take_part(struct engine *e, const struct part *in, size_t name)
{
	size_t i;

	for (i = 0; i < in->len; i += 97)
		nwritten += (unsigned char)in->data[i];
	e->last.bytes = (long)in->len;
	return name % 2 == 0;
}

/* destination.c: fails for names of an odd length. */
bool
destination_write(struct engine *e, const struct words *names,
    const struct part *in, bool ignore, bool lock)
{
	delivered_to(e, names->buf);
	return take_part(e, in, strlen(names->buf)) || ignore || lock;
}

/* folder.c */
bool
folder_stdout(struct engine *e, const char *name, const struct part *in,
    bool ignore)
{
	delivered_to(e, name);
	return take_part(e, in, 0) || ignore;
}

/* child.c: the output is the command, which fails if its length is odd. */
void
child_run(struct engine *e, const struct program *p, const struct part *in,
    struct bytes *out, bool out_to_log, bool wait, struct child_end *end)
{
	size_t len = strlen(p->words.buf);

	*end = (struct child_end){ .started = true, .written = len % 5 != 0,
	    .bytes = in->len, .waited = wait || out_to_log };
	end->code = take_part(e, in, len) ? 0 : 1;
	if (out != NULL)
		bytes_put(out, p->words.buf, len);
}

/* rcfiles.c: each of the files is the same one. */
static bool
push(struct engine *e)
{
	struct rcfile *rc;

	if (e->rc.n == RC_DEPTH_MAX || ++e->rc.opened > INCLUDES)
		return false;
	rc = rcfile_parse(e, "fuzz", rc_data, rc_len);
	e->rc.frame[e->rc.n++] = (struct frame){ rc, 0, e->blocks.n };
	return true;
}

static void
drop(struct engine *e)
{
	e->rc.n--;
	TALLOC_FREE(e->rc.frame[e->rc.n].rc);
}

bool
rcfiles_open(struct engine *e, const char *path, enum rc_type type, bool warn)
{
	(void)path;
	(void)type;
	(void)warn;
	return push(e);
}

bool
rcfiles_open_etc(struct engine *e, const char *path)
{
	(void)e;
	(void)path;
	return false;
}

void
rcfiles_include(struct engine *e, const char *path)
{
	if (e->rc.n > 0 && *path != '\0')
		(void)push(e);
}

void
rcfiles_switch(struct engine *e, const char *path)
{
	if (e->rc.n == 0 || e->rc.opened >= INCLUDES || *path == '\0')
		return;
	(void)blocks_leave(&e->blocks, e->rc.frame[e->rc.n - 1].blocks);
	drop(e);
	if (!push(e))
		abort();
}

bool
rcfiles_pop(struct engine *e)
{
	size_t blocks = e->rc.frame[e->rc.n - 1].blocks;

	if (e->blocks.n < blocks)
		abort();
	(void)blocks_leave(&e->blocks, blocks);
	drop(e);
	return e->rc.n > 0;
}

void
rcfiles_leave(struct engine *e)
{
	while (e->rc.n > 0)
		drop(e);
	(void)blocks_leave(&e->blocks, 0);
	e->rc.left = true;
}

const char *
rcfiles_name(const struct engine *e)
{
	return e->rc.n == 0 ? "" : "fuzz";
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
