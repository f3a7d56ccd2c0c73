/* SPDX-License-Identifier: ISC */
/*
 * plan_sink.c - the mailboxes of the plan, for rc files
 */
#include "lda/plan_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lda/effects.h"
#include "lda/store/maildir.h"
#include "maps/base/clock.h"
#include "maps/base/file.h"
#include "maps/base/path.h"

#define OTHERS_NAME	"mailferry-others"
#define OTHERS_MAX	(256 * 1024)
#define MAILBOX_UMASK	077		/* as without rc files: main.c */

/* A forked clone (a `c` recipe) needs a connection of its own to the map. */
static enum status
own_map(struct plan_sink *ps, struct err *err)
{
	if (ps->pid == getpid())
		return ST_OK;
	ps->pid = getpid();
	return map_open(ps->dv.ctx, ps->dv.conf, 0, &ps->dv.map, err);
}

/* The part of the path below one of the roots; NULL: it is not below one, or
 * the name is empty. */
static const char *
below_a_root(struct plan_sink *ps, const char *dir, const char *name)
{
	const char *rest = NULL;
	char *path;
	int side;

	if (*name == '\0')
		return NULL;
	path = path_resolve(ps->dv.ctx, dir, name);
	for (side = OLD; path != NULL && side <= NEW && rest == NULL; side++)
		if (ps->root[side] != NULL)
			rest = path_below(path, ps->root[side]);
	return rest;
}

static bool
is_dir(const char *path)
{
	struct stat sb;

	return stat(path, &sb) == 0 && S_ISDIR(sb.st_mode);
}

/* Does the directory for it exist, by the recipe's path or on the leader?  If
 * not, delivery to it fails, as procmail's does. */
static bool
has_parent(const struct plan_sink *ps, const struct dest *dest,
    const char *rest)
{
	char *path = path_resolve(ps->dv.ctx, dest->dir, dest->path);
	const char *slash = strrchr(rest, '/');

	*strrchr(path, '/') = '\0';
	return slash == NULL || is_dir(path) ||
	    is_dir(must(talloc_asprintf(ps->dv.ctx, "%s/%.*s",
	    ps->rec->side[ps->dv.plan.leader].mail, (int)(slash - rest),
	    rest)));
}

/* A folder in a folder, as LAYOUT=fs has them, needs its parents: make them on
 * the first n targets. */
static void
make_parents(const struct plan_sink *ps, const char *folder, int n)
{
	const struct plan *plan = &ps->dv.plan;
	const char *slash;
	char *path;
	int i;

	for (slash = strchr(folder, '/'); slash != NULL;
	    slash = strchr(slash + 1, '/'))
		for (i = 0; i < n; i++) {
			path = must(talloc_asprintf(ps->dv.ctx, "%s/%.*s",
			    ps->rec->side[plan->target[i]].mail,
			    (int)(slash - folder), folder));
			(void)!mkdir(path, 0700);
			talloc_free(path);
		}
}

static enum status
deliver_to(struct plan_sink *ps, const struct dest *dest, const char *folder,
    const char **name, struct err *err)
{
	struct delivery dv = ps->dv;
	struct message *msg;
	enum status st;

	dv.folder = folder;
	dv.ordinal = dest->ordinal;
	dv.uids = true;
	dv.until = clock_ms() + dv.conf->deadline * 1000LL;
	msg = message_in_memory(dv.ctx, dest->data, dest->len, ps->input);
	st = filer_check(dv.conf->filer[ps->dv.plan.target[0]], err);
	if (st == ST_OK)
		make_parents(ps, folder, ps->dv.plan.ntarget);
	if (st == ST_OK)
		st = deliver(&dv, ps->rec, msg, err);
	(void)alarm((unsigned)dv.conf->deadline);
	if (st == ST_OK) {
		*name = dv.name == NULL ? dest->path : must(talloc_asprintf(
		    dv.ctx, "%s/new/%s", dest->path, dv.name));
		ps->delivered(ps->arg, &dv, msg);
	} else
		ps->dv.plan.retry_after = dv.plan.retry_after;
	talloc_free(msg);
	return st;
}

/* Add the name to a list in the leader's inbox, for the mirror to find. */
static enum status
record_other(struct plan_sink *ps, const char *rest, struct err *err)
{
	enum side side = ps->dv.plan.leader;
	char *line, *text = NULL;
	struct maildir *md;
	enum status st;
	size_t len = 0;
	int fd;

	if (strchr(rest, '\n') != NULL)
		return ST_OK;
	st = maildir_open(ps->dv.ctx, &ps->rec->side[side], "",
	    ps->dv.conf->filer[side], true, &md, err);
	if (st != ST_OK)
		return st;
	line = must(talloc_asprintf(md, "%s\n", rest));
	st = file_read(md, md->ctl, OTHERS_NAME, OTHERS_MAX, &text, &len, err);
	if (st == ST_OK && (strncmp(text, line, strlen(line)) == 0 ||
	    strstr(text, must(talloc_asprintf(md, "\n%s", line))) != NULL))
		goto out;
	if (st != ST_OK && st != ST_NONE)
		goto out;
	fd = openat(md->ctl, OTHERS_NAME, O_WRONLY | O_APPEND | O_CREAT |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	st = fd == -1 || file_write(fd, line, strlen(line)) == -1 ?
	    err_sys(err, "%s/%s", md->path, OTHERS_NAME) : ST_OK;
	if (fd != -1)
		(void)close(fd);
out:
	talloc_free(md);
	return st;
}

/* An mbox or MH folder below a root: its path on the leader.  A directory
 * above it that exists only on the other side is made on the leader. */
static enum status
on_leader(struct plan_sink *ps, const struct dest *dest, const char *rest,
    const char **where, struct err *err)
{
	const struct plan *plan = &ps->dv.plan;
	const char *mail = ps->rec->side[plan->leader].mail;
	enum status st;

	st = filer_check(ps->dv.conf->filer[plan->leader], err);
	if (st == ST_OK)
		st = record_other(ps, rest, err);
	if (st != ST_OK)
		return st;
	if (has_parent(ps, dest, rest))
		make_parents(ps, rest, 1);
	*where = *rest == '\0' ? mail : must(talloc_asprintf(ps->dv.ctx,
	    "%s/%s", mail, rest));
	return ST_NONE;
}

static enum status
to_mailbox(struct plan_sink *ps, const struct dest *dest, const char **folder,
    const char **where, struct err *err)
{
	const char *rest = below_a_root(ps, dest->dir, dest->path);
	enum status st;

	if (rest == NULL)
		return ST_NONE;
	st = own_map(ps, err);
	if (st != ST_OK)
		return st;
	if (dest->kind == DEST_MAILDIR && !has_parent(ps, dest, rest))
		return ST_NONE;
	if (dest->kind == DEST_MAILDIR)
		return deliver_to(ps, dest, rest, folder, err);
	return on_leader(ps, dest, rest, where, err);
}

/* UMASK is for other files: a mailbox is made with the modes of its root. */
static enum status
sink_mailbox(void *arg, const struct dest *dest, const char **folder,
    const char **where, struct err *err)
{
	mode_t was = umask(MAILBOX_UMASK);
	enum status st = to_mailbox(arg, dest, folder, where, err);

	(void)umask(was);
	return st;
}

static bool
sink_inside(void *arg, const char *dir, const char *path)
{
	return below_a_root(arg, dir, path) != NULL;
}

static enum status
sink_enter(void *arg, const char *dir, const char *path, const char **where,
    struct err *err)
{
	struct plan_sink *ps = arg;
	const char *rest = below_a_root(ps, dir, path), *mail;
	enum side side = ps->dv.plan.leader;
	struct maildir *md = NULL;
	enum status st;
	mode_t was;

	if (rest == NULL)
		return ST_NONE;
	was = umask(MAILBOX_UMASK);
	st = filer_check(ps->dv.conf->filer[side], err);
	mail = ps->rec->side[side].mail;
	if (st == ST_OK && access(mail, F_OK) == -1 && errno == ENOENT)
		st = maildir_open(ps->dv.ctx, &ps->rec->side[side], "",
		    ps->dv.conf->filer[side], true, &md, err);
	(void)umask(was);
	if (st != ST_OK)
		return st;
	talloc_free(md);
	*where = *rest == '\0' ? mail : must(talloc_asprintf(ps->dv.ctx,
	    "%s/%s", mail, rest));
	return ST_OK;
}

static void
effect_key(const struct plan_sink *ps, const struct dest *dest,
    unsigned char *key)
{
	static const char *const kinds[] = { "maildir", "mh", "file", "program",
	    "forward" };
	char *what = must(talloc_asprintf(ps->dv.ctx, "effect %s %s",
	    kinds[dest->kind], dest->path));

	message_key(ps->input, ps->dv.recipient, what, dest->ordinal, key);
	talloc_free(what);
}

/* Without a queue id, a retry cannot be told from a new message with the same
 * text. */
static enum status
sink_was_done(void *arg, const struct dest *dest, struct err *err)
{
	unsigned char key[MESSAGE_DIGEST];
	struct plan_sink *ps = arg;

	if (!ps->input->queued)
		return ST_NONE;
	effect_key(ps, dest, key);
	return effect_known(&ps->dv, ps->rec, &ps->dv.plan, key, err);
}

static enum status
sink_done(void *arg, const struct dest *dest, struct err *err)
{
	unsigned char key[MESSAGE_DIGEST];
	struct plan_sink *ps = arg;
	enum status st;
	mode_t was;

	if (!ps->input->queued)
		return ST_OK;
	effect_key(ps, dest, key);
	was = umask(MAILBOX_UMASK);
	st = own_map(ps, err);
	if (st == ST_OK)
		st = effect_log(&ps->dv, key, err);
	(void)umask(was);
	(void)alarm((unsigned)ps->dv.conf->deadline);
	return st;
}

void
plan_sink_begin(struct plan_sink *ps)
{
	int side;

	ps->pid = getpid();
	ps->sink = (struct sink){ ps, sink_mailbox, sink_inside,
	    sink_enter, sink_was_done, sink_done };
	for (side = OLD; side <= NEW; side++)
		ps->root[side] = ps->rec->side[side].mail == NULL ? NULL :
		    path_resolve(ps->dv.ctx, "/", ps->rec->side[side].mail);
}
