/* SPDX-License-Identifier: ISC */
/*
 * place.c - the destination that DEFAULT, ORGMAIL or an extension names
 */
#include "lda/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lda/store/mbox.h"

#define FOLDER_MAX	100	/* bytes of an extension that names a folder */

/* The value of a variable; NULL: it is not one of those we know. */
static const char *
variable(const char *name, size_t len, const struct envelope *env,
    const char *home)
{
	const char *user = env->recipient_user != NULL ? env->recipient_user :
	    env->env_user;

	if (len == 4 && memcmp(name, "HOME", 4) == 0)
		return home;
	if ((len == 7 && memcmp(name, "LOGNAME", 7) == 0) ||
	    (len == 4 && memcmp(name, "USER", 4) == 0))
		return user;
	return NULL;
}

static enum status
expand(TALLOC_CTX *ctx, const struct envelope *env, const char *home,
    const char *text, char **out, struct err *err)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
	    "abcdefghijklmnopqrstuvwxyz0123456789";
	const char *p, *value;
	size_t len;
	bool brace;

	*out = must(talloc_strdup(ctx, ""));
	for (p = text; *p != '\0';) {
		if (*p != '$') {
			*out = must(talloc_strndup_append_buffer(*out, p++, 1));
			continue;
		}
		brace = p[1] == '{';
		p += brace ? 2 : 1;
		len = strspn(p, letters);
		value = variable(p, len, env, home);
		if (value == NULL || (brace && p[len] != '}'))
			return err_set(err, ST_NEVER, "%s: only the variables "
			    "$HOME, $LOGNAME and $USER are known here", text);
		*out = must(talloc_strdup_append_buffer(*out, value));
		p += len + brace;
	}
	if (**out == '\0' || strpbrk(*out, "`|!\n") != NULL)
		return err_set(err, ST_NEVER, "%s: not the name of a mailbox",
		    text);
	return ST_OK;
}

/* Relative names begin at MAILDIR, which is HOME unless it is assigned. */
static enum status
absolute(TALLOC_CTX *ctx, const struct envelope *env, const char *home,
    const char *name, char **path, struct err *err)
{
	const char *maildir = envelope_set(env, "MAILDIR");
	char *dir = NULL;
	enum status st;

	st = expand(ctx, env, home, name, path, err);
	if (st != ST_OK || **path == '/')
		return st;
	if (maildir != NULL)
		st = expand(ctx, env, home, maildir, &dir, err);
	else
		dir = must(talloc_strdup(ctx, home != NULL ? home : ""));
	if (st == ST_OK && *dir != '/')
		return err_set(err, ST_NEVER, "%s is relative: HOME or MAILDIR "
		    "must be absolute", name);
	if (st == ST_OK)
		*path = must(talloc_asprintf(ctx, "%s/%s", dir, *path));
	return st;
}

static bool
ends_with(const char *text, const char *end)
{
	size_t a = strlen(text), b = strlen(end);

	return a >= b && strcmp(text + a - b, end) == 0;
}

static enum status
classify(struct place *place, char *path, struct err *err)
{
	struct stat sb;

	place->path = path;
	place->kind = PLACE_MBOX;
	if (strcmp(path, "/dev/null") == 0)
		place->kind = PLACE_NOWHERE;
	else if (ends_with(path, "/.") || ends_with(path, "/.."))
		return err_set(err, ST_NEVER, "%s: delivery to MH folders is "
		    "not supported here", path);
	else if (ends_with(path, "/")) {
		while (ends_with(path, "/") && path[1] != '\0')
			path[strlen(path) - 1] = '\0';
		place->kind = PLACE_MAILDIR;
	} else if (stat(path, &sb) == 0 && S_ISDIR(sb.st_mode))
		return err_set(err, ST_NEVER, "%s is a directory; if it is a "
		    "Maildir: %s/", path, path);
	return ST_OK;
}

enum status
place_choose(TALLOC_CTX *ctx, const struct envelope *env, const char *user,
    const char *home, const char *old_mail, struct place *place,
    struct err *err)
{
	const char *name = envelope_set(env, "DEFAULT");
	enum status st;
	char *path;

	if (name == NULL && old_mail != NULL) {
		*place = (struct place){ PLACE_MAILDIR, old_mail };
		return ST_OK;
	}
	if (name == NULL)
		name = envelope_set(env, "ORGMAIL");
	if (name == NULL || *name == '\0') {
		*place = (struct place){ PLACE_MBOX, must(talloc_asprintf(ctx,
		    PLACE_SPOOL "/%s", user)) };
		return ST_OK;
	}
	st = absolute(ctx, env, home, name, &path, err);
	return st == ST_OK ? classify(place, path, err) : st;
}

/* The same directory, perhaps by a link. */
static bool
same_place(const char *a, const char *b)
{
	struct stat x, y;

	return b != NULL && (strcmp(a, b) == 0 || (stat(a, &x) == 0 &&
	    stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino));
}

enum status
place_check(TALLOC_CTX *ctx, const struct envelope *env, const char *home,
    const struct record *rec, struct err *err)
{
	const char *name = envelope_set(env, "DEFAULT");
	struct place place;
	enum status st;
	char *path;

	if (name == NULL)
		return ST_OK;
	st = absolute(ctx, env, home, name, &path, err);
	if (st == ST_OK)
		st = classify(&place, path, err);
	if (st != ST_OK)
		return st;
	if (place.kind == PLACE_MAILDIR &&
	    (same_place(place.path, rec->side[OLD].mail) ||
	    same_place(place.path, rec->side[NEW].mail)))
		return ST_OK;
	return err_set(err, ST_NEVER, "DEFAULT=%s is not the mailbox that the "
	    "map has for %s: leave it out", name, rec->user);
}

static enum status
put(void *arg, const char *data, size_t len, struct err *err)
{
	return mbox_put(arg, data, len, err);
}

enum status
place_append(TALLOC_CTX *ctx, const struct envelope *env, const char *path,
    struct message *msg, long wait, struct err *err)
{
	struct mbox *mb = NULL;
	enum status st;

	st = mbox_begin(ctx, path, msg->from_line, env->berkeley,
	    wait, &mb, err);
	if (st != ST_OK)
		return err->code == EACCES ? err_wrap(err, st, "(only root can "
		    "make a missing mbox: install -m 660 -o USER -g mail "
		    "/dev/null MBOX)") : st;
	st = message_each(msg, put, mb, err);
	if (st == ST_OK && message_orphaned())
		st = err_set(err, ST_AGAIN,
		    "the mail system that sent the message is gone");
	if (st == ST_OK)
		st = mbox_end(mb, err);
	talloc_free(mb);
	return st;
}

enum status
place_make_mbox(const char *user, uid_t uid, struct err *err)
{
	enum status st = ST_OK;
	struct stat sb;
	int dir, fd;

	dir = open(PLACE_SPOOL, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1 || fstat(dir, &sb) == -1)
		return err_sys(err, "%s", PLACE_SPOOL);
	fd = openat(dir, user, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd == -1 && errno != EEXIST)
		st = err_sys(err, "create %s/%s", PLACE_SPOOL, user);
	if (fd != -1 && (fchown(fd, uid, sb.st_gid) == -1 ||
	    fchmod(fd, sb.st_gid == 0 ? 0600 : 0660) == -1))
		st = err_sys(err, "give %s/%s to its owner", PLACE_SPOOL,
		    user);
	if (fd != -1)
		(void)close(fd);
	(void)close(dir);
	return st;
}

const char *
place_folder(TALLOC_CTX *ctx, const char *extension)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789-_+=.";
	size_t len = strlen(extension);

	if (len == 0 || len > FOLDER_MAX || strspn(extension, plain) != len ||
	    extension[0] == '.' || extension[len - 1] == '.' ||
	    strstr(extension, "..") != NULL ||
	    strcasecmp(extension, "inbox") == 0)
		return "";
	return must(talloc_asprintf(ctx, ".%s", extension));
}
