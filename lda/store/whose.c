/* SPDX-License-Identifier: ISC */
/*
 * whose.c - the user as whom root's command works on a record's mail
 *
 * Neither a record nor a file may say that root does: whoever may change the
 * one or make the other would have root's rights.
 */
#include "lda/store/whose.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY	65534		/* uid and gid: owns nothing */

/* ST_NONE: there is certainly no such account. */
static enum status
find_account(const char *name, uid_t uid, struct passwd **pw, struct err *err)
{
	errno = 0;
	*pw = name != NULL ? getpwnam(name) : getpwuid(uid);
	if (*pw != NULL)
		return ST_OK;
	if (errno == 0 || errno == ENOENT || errno == ESRCH ||
	    errno == EBADF || errno == EPERM)
		return ST_NONE;		/* getpwnam(3), ERRORS */
	return name != NULL ? err_sys(err, "look up the account of %s", name) :
	    err_sys(err, "look up uid %ld", (long)uid);
}

static bool
is_trusted(const struct conf *conf, uid_t uid)
{
	const char **t;
	struct passwd *pw;
	unsigned long n;
	struct err err;
	char *end;

	for (t = conf->trusted_users; *t != NULL; t++) {
		n = strtoul(*t, &end, 10);
		if (*end == '\0' ? n == uid : find_account(*t, 0, &pw, &err) ==
		    ST_OK && pw->pw_uid == uid)
			return true;
	}
	return false;
}

/*
 * Open, for fstat() alone, from the root directory down: links that root has
 * made are the site's and followed, any other is not.
 *
 * ST_NONE: it is not there; fd is what there is of its path.
 */
static enum status
open_unlinked(const char *path, int *fd, struct err *err)
{
	char *text = must(talloc_strdup(NULL, path)), *rest = text, *name;
	enum status st = ST_OK;
	struct stat sb;
	int next;

	*fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	while (*fd != -1 && st == ST_OK && (name = strsep(&rest, "/")) !=
	    NULL) {
		if (*name == '\0')
			continue;
		if (fstatat(*fd, name, &sb, AT_SYMLINK_NOFOLLOW) == -1)
			next = -1;
		else if (S_ISLNK(sb.st_mode) && (sb.st_uid != 0 ||
		    rest == NULL || *rest == '\0')) {
			st = err_set(err, ST_NEVER, "%s is reached through a "
			    "link, which is not followed", path);
			break;
		} else
			next = openat(*fd, name, O_PATH | O_CLOEXEC |
			    (S_ISLNK(sb.st_mode) ? 0 : O_NOFOLLOW));
		if (next == -1)
			st = errno == ENOENT ? ST_NONE : err_sys(err, "%s",
			    path);
		if (st == ST_NONE)
			break;
		(void)close(*fd);
		*fd = next;
	}
	if (st != ST_OK && st != ST_NONE && *fd != -1) {
		(void)close(*fd);
		*fd = -1;
	}
	talloc_free(text);
	return st;
}

/* ST_NONE: there is no mailbox on either side; who has what is above one. */
static enum status
find_owner(const struct record *rec, struct whose *who, struct err *err)
{
	enum side lead = record_leader(rec), side;
	enum status st = ST_NONE;
	struct stat sb;
	int i, fd;

	*who = (struct whose){ NULL, 0, 0 };
	for (i = 0; st == ST_NONE && i < 2; i++) {
		side = i == 0 ? lead : lead == OLD ? NEW : OLD;
		if (rec->side[side].mail == NULL)
			continue;
		st = open_unlinked(rec->side[side].mail, &fd, err);
		if (fd != -1 && fstat(fd, &sb) == -1)
			st = err_sys(err, "stat the mailbox of %s", rec->user);
		else if (fd != -1)
			*who = (struct whose){ NULL, sb.st_uid, sb.st_gid };
		if (fd != -1)
			(void)close(fd);
	}
	return st;
}

/* A name without an account. */
static enum status
virtual_user(const struct record *rec, const struct conf *conf,
    struct whose *who, struct err *err)
{
	struct passwd *pw = NULL;
	enum status st = ST_OK;

	*who = (struct whose){ NULL, (uid_t)rec->uid, NOBODY };
	if (rec->uid < 0)
		st = find_owner(rec, who, err);
	if (st == ST_NONE && (who->uid == 0 || !is_trusted(conf, who->uid))) {
		*who = (struct whose){ NULL, NOBODY, NOBODY };
		return ST_OK;
	}
	if (st == ST_NONE)
		st = ST_OK;
	if (st == ST_OK && (who->uid == 0 || !is_trusted(conf, who->uid)))
		st = err_set(err, ST_NEVER, "%s has no account, and uid %ld, "
		    "which has the mail, is not among trusted_users", rec->user,
		    (long)who->uid);
	if (st != ST_OK)
		return st;
	st = find_account(NULL, who->uid, &pw, err);
	if (st == ST_OK)
		*who = (struct whose){ pw->pw_name, pw->pw_uid, pw->pw_gid };
	return st == ST_NONE ? ST_OK : st;
}

enum status
whose_mail(const struct record *rec, const struct conf *conf,
    struct whose *who, struct err *err)
{
	struct passwd *pw = NULL;
	enum status st = find_account(rec->user, 0, &pw, err);

	if (st == ST_NONE)
		return virtual_user(rec, conf, who, err);
	if (st != ST_OK)
		return st;
	if (rec->uid >= 0 && (uid_t)rec->uid != pw->pw_uid)
		return err_set(err, ST_NEVER, "the record of %s has uid %ld, "
		    "but the account has uid %ld", rec->user, rec->uid,
		    (long)pw->pw_uid);
	if (pw->pw_uid == 0)
		return err_set(err, ST_NEVER, "%s is root: no mailbox is "
		    "worked on as root", rec->user);
	*who = (struct whose){ pw->pw_name, pw->pw_uid, pw->pw_gid };
	return ST_OK;
}

enum status
whose_become(const struct whose *who, struct err *err)
{
	gid_t gid = who->gid == 0 ? NOBODY : who->gid;

	if ((who->name != NULL ? initgroups(who->name, who->gid) :
	    setgroups(1, &gid)) == -1 || setresgid(gid, gid, gid) == -1 ||
	    setresuid(who->uid, who->uid, who->uid) == -1)
		return err_sys(err, "become uid %ld", (long)who->uid);
	return who->uid != 0 && setuid(0) == -1 ? ST_OK : err_set(err, ST_NEVER,
	    "uid %ld is still root", (long)who->uid);
}
