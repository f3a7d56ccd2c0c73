/* SPDX-License-Identifier: ISC */
/*
 * assign.c - assignments, and the variables that mean something
 */
#include "lda/recipe/assign.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lda/recipe/comsat.h"
#include "lda/recipe/engine.h"
#include "lda/recipe/expand.h"
#include "lda/recipe/lockfile.h"
#include "lda/recipe/rcfiles.h"

extern char **environ;

#define ROOT_PATH	"/usr/local/bin:/usr/bin:/bin"
#define VERSION_TEXT	"3.23pre"	/* of the procmail that this replaces */

static void
set_linebuf(struct engine *e, const char *value)
{
	long n = vars_number(0, value);

	e->linebuf = n < LINEBUF_MIN ? LINEBUF_MIN : n > LINEBUF_MOST ?
	    LINEBUF_MOST : (size_t)n;
}

static void
set_maildir(struct engine *e, const char *value)
{
	const struct sink *sink = e->su->sink;
	const char *where = NULL;
	enum status st = ST_NONE;
	struct err err;

	if (sink != NULL)
		st = sink->enter(sink->arg, engine_dir(e), value, &where,
		    &err);
	if (st == ST_AGAIN || st == ST_NEVER) {
		engine_defer(e, &err);
		return;
	}
	if (chdir(st == ST_OK ? where : value) == -1) {
		rclog_say_of(&e->log, "Couldn't chdir to", value);
		vars_set(e->vars, "MAILDIR", ".");
	}
	e->process.chdir_done = true;
}

static void
set_logfile(struct engine *e, const char *value)
{
	rclog_open(&e->log, value, e->process.privileged);
}

static void
set_log(struct engine *e, const char *value)
{
	rclog_put(&e->log, value);
}

static void
set_exitcode(struct engine *e, const char *value)
{
	(void)value;
	e->end.exitcode_set = true;
}

static void
set_shift(struct engine *e, const char *value)
{
	long n = vars_number(0, value);

	if (n <= 0)
		return;
	if ((size_t)n > e->special.narg)
		n = (long)e->special.narg;
	e->special.arg += n;
	e->special.narg -= (size_t)n;
}

static void
set_dropprivs(struct engine *e, const char *value)
{
	if (vars_number(0, value) == 0)
		return;
	if (e->log.verbose != 0)
		rclog_say(&e->log,
		    "Assuming identity of the recipient, VERBOSE=off");
	engine_drop_root(e);
}

/* For the mail system the message is delivered from now on: the parent
 * exits. */
static void
set_delivered(struct engine *e, const char *value)
{
	pid_t pid;

	if (vars_number(0, value) == 0)
		return;
	rclog_flush(&e->log);
	pid = fork();
	if (pid > 0)
		_exit(0);
	if (pid == -1) {
		rclog_say_of(&e->log, "Failed forking", "procmail");
		return;
	}
	engine_background(e);
	e->end.lost = LOST_DELIVERED;
}

static void
set_lockfile(struct engine *e, const char *value)
{
	if (!lockfile_take(e, value, &e->locks.global))
		vars_set(e->vars, "LOCKFILE", NULL);
}

static void
set_umask(struct engine *e, const char *value)
{
	e->folders.umask = (mode_t)strtol(value, NULL, 8) & 0777;
	(void)umask(e->folders.umask);
}

static const char *
host_name(void)
{
	static struct utsname u;

	return uname(&u) == -1 ? "" : u.nodename;
}

static void
set_host(struct engine *e, const char *value)
{
	const char *name = host_name();

	if (strcmp(value, name) != 0) {
		rclog_verbose(&e->log, "HOST mismatched", name);
		if (e->rc.n == 0) {	/* on the command line */
			e->end.status = 0;
			e->end.stop = true;
		}
		rcfiles_leave(e);
	}
	vars_set(e->vars, "HOST", name);
}

static void
set_comsat(struct engine *e, const char *value)
{
	if (!comsat_set(e, value))
		vars_set(e->vars, "COMSAT", "no");
}

static const struct {
	const char	*name;
	void	       (*set)(struct engine *, const char *value);
} acts[] = {
	{ "LINEBUF", set_linebuf }, { "MAILDIR", set_maildir },
	{ "LOGFILE", set_logfile }, { "LOG", set_log },
	{ "EXITCODE", set_exitcode }, { "SHIFT", set_shift },
	{ "DROPPRIVS", set_dropprivs }, { "DELIVERED", set_delivered },
	{ "LOCKFILE", set_lockfile }, { "UMASK", set_umask },
	{ "INCLUDERC", rcfiles_include }, { "SWITCHRC", rcfiles_switch },
	{ "HOST", set_host }, { "COMSAT", set_comsat },
};

static const struct {
	const char	*name;
	size_t		 offset;	/* of a long in struct engine */
	long		 first;
} numbers[] = {
	{ "LOCKSLEEP", offsetof(struct engine, locks.sleep), 8 },
	{ "LOCKTIMEOUT", offsetof(struct engine, locks.timeout), 1024 },
	{ "SUSPEND", offsetof(struct engine, locks.suspend), 16 },
	{ "NORESRETRY", offsetof(struct engine, programs.noresretry), 4 },
	{ "TIMEOUT", offsetof(struct engine, programs.timeout), 960 },
	{ "VERBOSE", offsetof(struct engine, log.verbose), 0 },
	{ "LOGABSTRACT", offsetof(struct engine, log.abstract), -1 },
};

static const struct {
	const char	*name;
	size_t		 offset;	/* of a string in struct engine */
	const char	*first;		/* NULL: the mailbox of the recipient */
} texts[] = {
	{ "SHELLMETAS", offsetof(struct engine, programs.shellmetas),
	    "&|<>~;?*[" },
	{ "LOCKEXT", offsetof(struct engine, locks.ext), ".lock" },
	{ "MSGPREFIX", offsetof(struct engine, folders.msgprefix), "msg." },
	{ "TRAP", offsetof(struct engine, end.trap), "" },
	{ "SHELLFLAGS", offsetof(struct engine, programs.shellflags), "-c" },
	{ "DEFAULT", offsetof(struct engine, folders.def), NULL },
	{ "SENDMAIL", offsetof(struct engine, mailer.sendmail),
	    "/usr/sbin/sendmail" },
	{ "SENDMAILFLAGS", offsetof(struct engine, mailer.flags), "-oi" },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static long *
number_at(struct engine *e, size_t offset)
{
	return (long *)(void *)((char *)e + offset);
}

static const char **
text_at(struct engine *e, size_t offset)
{
	return (const char **)(void *)((char *)e + offset);
}

static bool
same(const char *name, const char *known)
{
	return *name == *known && strcmp(name, known) == 0;
}

static void
act(struct engine *e, const char *name, const char *value)
{
	size_t i;
	long *n;

	for (i = 0; i < COUNT(acts); i++)
		if (same(name, acts[i].name)) {
			acts[i].set(e, value);
			return;
		}
	for (i = 0; i < COUNT(numbers); i++)
		if (same(name, numbers[i].name)) {
			n = number_at(e, numbers[i].offset);
			*n = vars_number(*n, value);
			return;
		}
	for (i = 0; i < COUNT(texts); i++)
		if (same(name, texts[i].name))
			*text_at(e, texts[i].offset) = must(talloc_strdup(e,
			    value));
}

void
assign(struct engine *e, const char *name, const char *value)
{
	char *copy = must(talloc_strdup(e->ctx, value == NULL ? "" : value));

	if (e->log.verbose != 0)
		rclog_verbose(&e->log, "Assigning", value == NULL ? name :
		    must(talloc_asprintf(copy, "%s=%s", name, value)));
	vars_set(e->vars, name, value == NULL ? NULL : copy);
	act(e, name, copy);
	talloc_free(copy);
}

static bool
begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* Set the variables of our environment, or TZ only; not those of the linker. */
static void
inherit(struct engine *e, bool all)
{
	static const char *const linker[] = { "LD_", "_RLD", "LIBPATH=",
	    "ELF_LD_", "AOUT_LD_", "GCONV_PATH=", "GLIBC_", "MALLOC_" };
	const char *eq;
	char **p, *name;
	size_t i;

	for (p = environ; *p != NULL; p++) {
		eq = strchr(*p, '=');
		if (eq == NULL || (!all && !begins(*p, "TZ=")))
			continue;
		for (i = 0; i < COUNT(linker) && !begins(*p, linker[i]); i++)
			continue;
		if (i < COUNT(linker))
			continue;
		name = must(talloc_strndup(e->ctx, *p, (size_t)(eq - *p)));
		if (vars_get(e->vars, name) == NULL)
			vars_set(e->vars, name, eq + 1);
		talloc_free(name);
	}
}

static void
presets(struct engine *e)
{
	static const char *const wiped[] = { "LASTFOLDER", "EXITCODE", "IFS",
	    "ENV", "PWD" };
	size_t i;

	for (i = 0; i < COUNT(texts); i++)
		if (texts[i].first != NULL && *texts[i].first != '\0')
			vars_set(e->vars, texts[i].name, texts[i].first);
	vars_set(e->vars, "DEFAULT", e->su->def);
	vars_set(e->vars, "PROCMAIL_VERSION", VERSION_TEXT);
	vars_set(e->vars, "PATH", must(talloc_asprintf(e->ctx, "%s/bin:"
	    ROOT_PATH, e->su->account->home)));
	vars_set(e->vars, "HOST", host_name());
	for (i = 0; i < COUNT(wiped); i++)
		vars_set(e->vars, wiped[i], NULL);
}

void
assign_defaults(struct engine *e)
{
	const struct account *a = e->su->account;
	char number[24];
	size_t i;

	for (i = 0; i < COUNT(numbers); i++)
		*number_at(e, numbers[i].offset) = numbers[i].first;
	for (i = 0; i < COUNT(texts); i++)
		*text_at(e, texts[i].offset) = texts[i].first == NULL ?
		    e->su->def : texts[i].first;
	e->linebuf = LINEBUF_DEFAULT;
	inherit(e, e->su->env->preserve_env);
	(void)snprintf(number, sizeof(number), "%d", LINEBUF_DEFAULT);
	vars_set(e->vars, "LINEBUF", number);
	vars_set(e->vars, "LOGNAME", a->name);
	vars_set(e->vars, "SHELL", *a->shell == '\0' ? "/bin/sh" : a->shell);
	vars_set(e->vars, "HOME", a->home);
	vars_set(e->vars, "ORGMAIL", e->su->def);
	if (!e->su->env->preserve_env || !e->su->env->mailfilter)
		presets(e);
}
