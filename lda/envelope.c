/* SPDX-License-Identifier: ISC */
/*
 * envelope.c - for whom, from whom, how: the command line and the environment
 */
#include "lda/envelope.h"

#include <string.h>

static const char *
env_get(char **envp, const char *name)
{
	size_t len = strlen(name);

	for (; *envp != NULL; envp++)
		if (strncmp(*envp, name, len) == 0 && (*envp)[len] == '=')
			return *envp + len + 1;
	return NULL;
}

static void
push(TALLOC_CTX *ctx, const char ***list, const char *value)
{
	size_t n = 0;

	while ((*list)[n] != NULL)
		n++;
	*list = must(talloc_realloc(ctx, *list, const char *, (unsigned)n + 2));
	(*list)[n] = value;
	(*list)[n + 1] = NULL;
}

static void
set_from(struct envelope *env, const char *value)
{
	env->from = strcmp(value, "-") == 0 ? FROM_REFRESH : FROM_SENDER;
	env->from_sender = env->from == FROM_SENDER ? value : NULL;
}

/* An option with an argument; false: the letter is not one. */
static bool
set_value(struct envelope *env, char letter, const char *value)
{
	switch (letter) {
	case 'a':
		push(env, &env->args, value);
		return true;
	case 'd':
		env->recipient_user = value;
		return true;
	case 'f':
	case 'r':			/* as -f, obsolete */
		set_from(env, value);
		return true;
	default:
		return false;
	}
}

static bool
set_flag(struct envelope *env, char letter)
{
	switch (letter) {
	case 't':
		env->tempfail = true;
		return true;
	case 'o':
		env->override_from = true;
		return true;
	case 'y':			/* as -Y, obsolete */
	case 'Y':
		env->berkeley = true;
		return true;
	case 'p':
		env->preserve_env = true;
		return true;
	case 'm':
		env->mailfilter = true;
		return true;
	case 'z':
		env->lmtp = true;
		return true;
	case 'v':
		env->version = true;
		return true;
	case 'h':
	case '?':
		env->help = true;
		return true;
	default:
		return false;
	}
}

/* `-tYa arg`, `-aarg`: the last letter may take an argument. */
static enum status
letters(struct envelope *env, const char *p, char ***argv, struct err *err)
{
	for (p++; *p != '\0'; p++) {
		if (set_flag(env, *p))
			continue;
		if (strchr("adfr", *p) == NULL) {
			env->unknown = p;	/* reported and ignored */
			return ST_OK;
		}
		if (p[1] == '\0' && (*argv)[1] == NULL && *p == 'd')
			return err_set(err, ST_NEVER, "-d needs an argument");
		/* `-a $EXTENSION` in main.cf, without an extension. */
		if (p[1] == '\0' && (*argv)[1] == NULL) {
			env->lacking = p;
			return ST_OK;
		}
		(void)set_value(env, *p, p[1] != '\0' ? p + 1 : *++*argv);
		return ST_OK;
	}
	return ST_OK;
}

static enum status
long_option(struct envelope *env, const char *p, char ***argv, struct err *err)
{
	if (strcmp(p, "--help") == 0)
		env->help = true;
	else if (strcmp(p, "--version") == 0)
		env->version = true;
	else if (strncmp(p, "--config=", 9) == 0)
		env->config = p + 9;
	else if (strcmp(p, "--config") == 0 && (*argv)[1] != NULL)
		env->config = *++*argv;
	else
		return err_set(err, ST_NEVER, "option %s is unknown, or has no "
		    "argument", p);
	return ST_OK;
}

/* VAR=value may stand anywhere behind the options; other operands are rc
 * files, with -d recipients. */
static void
operand(struct envelope *env, char *arg)
{
	char *eq = strchr(arg, '=');

	if (env->recipient_user == NULL)
		push(env, &env->operands, arg);
	if (env->mailfilter && (env->rcfiles[0] != NULL || env->no_rcfile))
		return;			/* $1 and so on of the rc file */
	if (eq == NULL || eq == arg) {
		if (env->recipient_user != NULL)
			push(env, &env->more_users, arg);
		else if (strcmp(arg, "/dev/null") != 0)
			push(env, &env->rcfiles, arg);
		else
			env->no_rcfile = true;
		return;
	}
	env->set = must(talloc_realloc(env, env->set, struct assignment,
	    (unsigned)env->nset + 1));
	env->set[env->nset++] = (struct assignment){
	    must(talloc_strndup(env, arg, (size_t)(eq - arg))),
	    eq[1] == '\0' ? NULL : eq + 1 };
}

const char *
envelope_set(const struct envelope *env, const char *name)
{
	size_t i = env->nset;

	while (i-- > 0)
		if (strcmp(env->set[i].name, name) == 0)
			return env->set[i].value == NULL ? "" :
			    env->set[i].value;
	return NULL;
}

static void
read_environment(struct envelope *env, char **envp)
{
	const char *extension = env_get(envp, "EXTENSION");

	env->env_user = env_get(envp, "LOGNAME");
	if (env->env_user == NULL)
		env->env_user = env_get(envp, "USER");
	env->home = env_get(envp, "HOME");
	env->recipient = env_get(envp, "RECIPIENT");
	if (env->recipient == NULL)
		env->recipient = env_get(envp, "ORIGINAL_RECIPIENT");
	env->sender = env_get(envp, "SENDER");
	env->extension = env->args[0] != NULL ? env->args[0] :
	    extension != NULL ? extension : "";
}

enum status
envelope_read(TALLOC_CTX *ctx, int argc, char **argv, char **envp,
    struct envelope **out, struct err *err)
{
	struct envelope *env = must(talloc_zero(ctx, struct envelope));
	enum status st = ST_OK;

	(void)argc;
	env->args = must(talloc_zero_array(env, const char *, 1));
	env->rcfiles = must(talloc_zero_array(env, const char *, 1));
	env->operands = must(talloc_zero_array(env, const char *, 1));
	env->more_users = must(talloc_zero_array(env, const char *, 1));
	for (argv++; *argv != NULL && st == ST_OK && **argv == '-' &&
	    (*argv)[1] != '\0'; argv++) {
		if (strcmp(*argv, "--") == 0) {
			argv++;
			break;
		}
		st = (*argv)[1] == '-' ? long_option(env, *argv, &argv, err) :
		    letters(env, *argv, &argv, err);
	}
	if (st != ST_OK) {
		talloc_free(env);
		return st;
	}
	if (env->recipient_user != NULL)	/* neither goes with -d */
		env->preserve_env = env->mailfilter = false;
	for (; *argv != NULL; argv++)
		operand(env, *argv);
	read_environment(env, envp);
	*out = env;
	return ST_OK;
}
