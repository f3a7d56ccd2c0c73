/* SPDX-License-Identifier: ISC */
/*
 * settings.c - variables that mean something, and what they are at first
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lda/recipe/engine.h"

extern char **environ;

#define ROOT_PATH	"/usr/local/bin:/usr/bin:/bin"
#define VERSION_TEXT	"3.23pre"	/* of the procmail whose place this takes */

void
overflowed(struct engine *e)
{
	diag(e, "Exceeded LINEBUF");
	vars_set(e->vars, "PROCMAIL_OVERFLOW", "yes");
}

void
set_folder(struct engine *e, const char *name)
{
	vars_set(e->vars, "LASTFOLDER", name);
	if (e->set.verbose != 0)
		chat(e, "Assigning", must(talloc_asprintf(e->ctx,
		    "LASTFOLDER=%s", vars_text(e->vars, "LASTFOLDER"))));
}

/* From root to the user: for good. */
void
drop_privileges(struct engine *e)
{
	struct err err;

	if (!e->privileged)
		return;
	e->set.verbose = 0;
	if (account_become(e->su->account, &err) != ST_OK) {
		engine_defer(e, &err);
		return;
	}
	e->privileged = false;
}

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
		st = sink->enter(sink->arg, working_dir(e), value, &where, &err);
	if (st == ST_AGAIN || st == ST_NEVER) {
		engine_defer(e, &err);
		return;
	}
	if (chdir(st == ST_OK ? where : value) == -1) {
		diag_of(e, "Couldn't chdir to", value);
		vars_set(e->vars, "MAILDIR", ".");
	}
	e->chdir_done = true;
}

static void
set_log(struct engine *e, const char *value)
{
	rclog(e, value);
}

static void
set_exitcode(struct engine *e, const char *value)
{
	(void)value;
	e->exitcode_set = true;
}

static void
set_shift(struct engine *e, const char *value)
{
	long n = vars_number(0, value);

	if (n <= 0)
		return;
	if ((size_t)n > e->nargs)
		n = (long)e->nargs;
	e->args += n;
	e->nargs -= (size_t)n;
}

static void
set_dropprivs(struct engine *e, const char *value)
{
	if (vars_number(0, value) == 0)
		return;
	if (e->set.verbose != 0)
		diag(e, "Assuming identity of the recipient, VERBOSE=off");
	drop_privileges(e);
}

/* To the mail system it is delivered from now on: whoever waits is let go. */
static void
set_delivered(struct engine *e, const char *value)
{
	pid_t pid;

	if (vars_number(0, value) == 0)
		return;
	rclog_flush(e);
	pid = fork();
	if (pid > 0)
		_exit(0);
	if (pid == -1) {
		diag_of(e, "Failed forking", "procmail");
		return;
	}
	(void)alarm((unsigned)e->su->deadline);
	e->fake = 1;
	e->result->background = true;
}

static void
set_lockfile(struct engine *e, const char *value)
{
	if (!lock_take(e, value, &e->global))
		vars_set(e->vars, "LOCKFILE", NULL);
}

static void
set_umask(struct engine *e, const char *value)
{
	e->umask = (mode_t)strtol(value, NULL, 8) & 0777;
	(void)umask(e->umask);
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
		chat(e, "HOST mismatched", name);
		if (e->nframe == 0) {	/* on the command line */
			e->retval = 0;
			e->stop = true;
		}
		rc_leave(e);
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
	{ "LOGFILE", rclog_open }, { "LOG", set_log },
	{ "EXITCODE", set_exitcode }, { "SHIFT", set_shift },
	{ "DROPPRIVS", set_dropprivs }, { "DELIVERED", set_delivered },
	{ "LOCKFILE", set_lockfile }, { "UMASK", set_umask },
	{ "INCLUDERC", rc_include }, { "SWITCHRC", rc_switch },
	{ "HOST", set_host }, { "COMSAT", set_comsat },
};

static const struct {
	const char	*name;
	size_t		 offset;	/* of a long in struct settings */
} numbers[] = {
	{ "LOCKSLEEP", offsetof(struct settings, locksleep) },
	{ "LOCKTIMEOUT", offsetof(struct settings, locktimeout) },
	{ "SUSPEND", offsetof(struct settings, suspend) },
	{ "NORESRETRY", offsetof(struct settings, noresretry) },
	{ "TIMEOUT", offsetof(struct settings, timeout) },
	{ "VERBOSE", offsetof(struct settings, verbose) },
	{ "LOGABSTRACT", offsetof(struct settings, logabstract) },
};

static const struct {
	const char	*name;
	size_t		 offset;	/* of a string in struct settings */
	const char	*first;
} texts[] = {
	{ "SHELLMETAS", offsetof(struct settings, shellmetas), "&|<>~;?*[" },
	{ "LOCKEXT", offsetof(struct settings, lockext), ".lock" },
	{ "MSGPREFIX", offsetof(struct settings, msgprefix), "msg." },
	{ "TRAP", offsetof(struct settings, trap), "" },
	{ "SHELLFLAGS", offsetof(struct settings, shellflags), "-c" },
	{ "DEFAULT", offsetof(struct settings, def), NULL },
	{ "SENDMAIL", offsetof(struct settings, sendmail),
	    "/usr/sbin/sendmail" },
	{ "SENDMAILFLAGS", offsetof(struct settings, sendmailflags), "-oi" },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char **
text_at(struct engine *e, size_t offset)
{
	return (const char **)((char *)&e->set + offset);
}

static void
act(struct engine *e, const char *name, const char *value)
{
	size_t i;

	for (i = 0; i < COUNT(acts); i++)
		if (strcmp(name, acts[i].name) == 0) {
			acts[i].set(e, value);
			return;
		}
	for (i = 0; i < COUNT(numbers); i++)
		if (strcmp(name, numbers[i].name) == 0) {
			long *n = (long *)((char *)&e->set + numbers[i].offset);

			*n = vars_number(*n, value);
			return;
		}
	for (i = 0; i < COUNT(texts); i++)
		if (strcmp(name, texts[i].name) == 0)
			*text_at(e, texts[i].offset) = must(talloc_strdup(e,
			    value));
}

/* value NULL: unset; to what acts on it that is the empty text. */
void
assign(struct engine *e, const char *name, const char *value)
{
	char *copy = must(talloc_strdup(e->ctx, value == NULL ? "" : value));

	if (e->set.verbose != 0)
		chat(e, "Assigning", value == NULL ? name :
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

/* With -p the environment, but for what the run-time linker would obey. */
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
settings_begin(struct engine *e)
{
	const struct account *a = e->su->account;
	char number[24];
	size_t i;

	e->set = (struct settings){ .locksleep = 8, .locktimeout = 1024,
	    .suspend = 16, .noresretry = 4, .timeout = 960,
	    .logabstract = -1 };
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
