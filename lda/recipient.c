/* SPDX-License-Identifier: ISC */
/*
 * recipient.c - the user for whom a message is delivered
 */
#include "lda/recipient.h"

#include <fcntl.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lda/place.h"
#include "maps/base/conf.h"
#include "maps/base/file.h"

/* Are the users of /etc/passwd all users?  Else a user who was not found may
 * be in a directory that is down. */
static bool
passwd_is_all(TALLOC_CTX *ctx)
{
	char *text, *line;
	struct err err;
	size_t len;

	if (file_read(ctx, AT_FDCWD, "/etc/nsswitch.conf", 65536, &text, &len,
	    &err) != ST_OK)
		return false;
	line = strstr(text, "passwd:");
	if (line == NULL)
		return false;
	line[strcspn(line, "\n")] = '\0';
	return strstr(line, "ldap") == NULL && strstr(line, "nis") == NULL &&
	    strstr(line, "sss") == NULL && strstr(line, "winbind") == NULL;
}

/* The account of -d USER: root, or that user, may deliver for it. */
static enum status
find_named(struct envelope *env, bool mapped, struct recipient *to,
    struct err *err)
{
	struct account *a;
	enum status st;

	st = account_find(env, to->user, 0, NULL, &a, err);
	if (st == ST_NONE) {
		if (!mapped && passwd_is_all(env))
			to->refusal = EX_NOUSER;
		return err_set(err, ST_NEVER, "no such user: %s", to->user);
	}
	if (st != ST_OK)
		return st;
	if (geteuid() != 0 && a->uid != getuid()) {
		to->refusal = EX_NOPERM;
		return err_set(err, ST_NEVER, "only root may deliver for %s",
		    to->user);
	}
	to->account = a;
	return ST_OK;
}

/* Root becomes the user, unless /etc/procmailrc is run as root before. */
static enum status
become(struct envelope *env, const struct conf *conf, bool mapped,
    struct recipient *to, struct err *err)
{
	const struct account *a = to->account;
	enum status st = ST_OK;

	if (!mapped && conf->mail[OLD] == NULL &&
	    envelope_set(env, "DEFAULT") == NULL)
		st = place_make_mbox(a->name, a->uid, err);
	to->privileged = st == ST_OK && !mapped &&
	    access("/etc/procmailrc", F_OK) == 0;
	if (st == ST_OK && !to->privileged)
		st = account_become(a, err);
	if (st == ST_OK)
		to->home = a->home;
	return st;
}

static enum status
find_by_name(struct envelope *env, const struct conf *conf, bool mapped,
    struct recipient *to, struct err *err)
{
	enum status st;

	if (getuid() == 0)
		env->invoker = "root";
	if (geteuid() != 0 && env->nset > 0)
		return err_set(err, ST_NEVER, "%s=: with -d only root may "
		    "assign variables", env->set[0].name);
	if (geteuid() != 0 && mapped)
		return ST_OK;
	st = find_named(env, mapped, to, err);
	if (st != ST_OK)
		return st;
	if (geteuid() == 0)
		return become(env, conf, mapped, to, err);
	if (to->home == NULL)
		to->home = to->account->home;
	return ST_OK;
}

/* As procmail: the user is the owner of our uid, whatever the environment
 * says. */
static enum status
find_by_uid(struct envelope *env, struct recipient *to, struct err *err)
{
	struct account *a;
	enum status st;

	st = account_find(env, NULL, getuid(), to->user, &a, err);
	if (st == ST_NONE)
		return err_set(err, ST_NEVER, "uid %ld is no user",
		    (long)getuid());
	if (st != ST_OK)
		return st;
	if (to->user != NULL && strcmp(to->user, a->name) != 0)
		return err_set(err, ST_NEVER, "the environment says %s, but "
		    "uid %ld is %s: an alias for %s is missing", to->user,
		    (long)getuid(), a->name, to->user);
	to->user = a->name;
	to->account = a;
	if (to->home == NULL)
		to->home = a->home;
	return ST_OK;
}

enum status
recipient_find(struct envelope *env, const struct conf *conf, bool mapped,
    struct recipient *to, struct err *err)
{
	to->home = env->home;
	to->user = env->recipient_user;
	if (to->user != NULL)
		return find_by_name(env, conf, mapped, to, err);
	to->user = env->env_user;
	if (!mapped)
		return find_by_uid(env, to, err);
	if (to->user == NULL)
		return err_set(err, ST_NEVER, "the user is not known: there is "
		    "neither -d nor LOGNAME");
	return ST_OK;			/* recipient_check_uid() follows */
}

enum status
recipient_check_uid(struct envelope *env, const struct recipient *to,
    const struct record *rec, struct err *err)
{
	struct account *a;
	enum status st;

	if (env->recipient_user != NULL)
		return ST_OK;
	if (rec->uid != -1)
		return (uid_t)rec->uid == getuid() ? ST_OK : err_set(err,
		    ST_NEVER, "this process has uid %ld, but %s has uid %ld",
		    (long)getuid(), to->user, rec->uid);
	st = account_find(env, NULL, getuid(), to->user, &a, err);
	if (st != ST_OK && st != ST_NONE)
		return st;
	return st == ST_OK && strcmp(a->name, to->user) == 0 ? ST_OK :
	    err_set(err, ST_NEVER, "this process has uid %ld, which is not "
	    "that of %s: an alias for %s is missing", (long)getuid(), to->user,
	    to->user);
}

enum status
recipient_account(TALLOC_CTX *ctx, struct recipient *to, struct err *err)
{
	struct account *a = NULL;
	enum status st;

	if (to->account != NULL)
		return ST_OK;
	st = account_find(ctx, NULL, getuid(), to->user, &a, err);
	if (st != ST_OK && st != ST_NONE)
		return st;
	if (st == ST_NONE || strcmp(a->name, to->user) != 0) {
		a = must(talloc_zero(ctx, struct account));
		*a = (struct account){ to->user, "/nonexistent", "/bin/sh",
		    getuid(), getgid() };
	}
	to->account = a;
	return ST_OK;
}

const char *
recipient_address(struct envelope *env, const struct recipient *to)
{
	if (env->recipient != NULL)
		return env->recipient;
	return *env->extension == '\0' ? to->user :
	    must(talloc_asprintf(env, "%s+%s", to->user, env->extension));
}
