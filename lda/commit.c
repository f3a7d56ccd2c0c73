/* SPDX-License-Identifier: ISC */
/*
 * commit.c - the steps of a delivery that change something
 */
#include "lda/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lda/both.h"
#include "lda/store/mark.h"
#include "maps/base/file.h"

void
commit_init(struct commit *c, const struct delivery *dv)
{
	c->keep = (int64_t)dv->conf->log_days * 86400;
	c->intent.at = time(NULL);
	c->tmp = maildir_unique(c);
}

void
commit_targets(struct commit *c)
{
	int i;

	for (i = 0; i < c->pair.n; i++)
		c->target[i] = (struct target){ &c->pair.box[i], -1, false };
}

/* The file under its name in tmp/, with the mailbox's mode and group. */
static enum status
create(struct target *t, const char *name, struct err *err)
{
	const struct maildir *md = t->box->md;

	t->fd = openat(md->tmp, name,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (t->fd == -1)
		return err_sys(err, "%s: create tmp/%s", md->path, name);
	t->in_tmp = true;
	return file_permit(t->fd, md->fmode, md->gid) == -1 ?
	    err_sys(err, "%s: mode of tmp/%s", md->path, name) : ST_OK;
}

/* From the file of an attempt before: input was read already. */
static enum status
copy_source(const struct source *src, const int *fds, int n, struct err *err)
{
	char buf[64 * 1024];
	off_t off = 0;
	ssize_t got;
	int i;

	while ((got = pread(src->fd, buf, sizeof(buf), off)) > 0) {
		for (i = 0; i < n; i++)
			if (write(fds[i], buf, (size_t)got) != got)
				return err_sys(err, "write the message again");
		off += got;
	}
	return got == -1 ? err_sys(err, "read the message again") : ST_OK;
}

/* Both copies have one mtime: it is the message's INTERNALDATE. */
static enum status
same_mtime(struct commit *c, struct err *err)
{
	struct timespec ts[2] = { { 0, UTIME_OMIT }, { 0, 0 } };
	int i;

	(void)clock_gettime(CLOCK_REALTIME, &ts[1]);
	for (i = 0; i < c->pair.n; i++)
		if (futimens(c->target[i].fd, ts) == -1)
			return err_sys(err, "%s: set mtime",
			    c->pair.box[i].md->path);
	return ST_OK;
}

static enum status
sync_file(void *arg, struct err *err)
{
	struct target *t = arg;

	return fsync(t->fd) == -1 ? err_sys(err, "%s: fsync tmp/",
	    t->box->md->path) : ST_OK;
}

/* The file's line, and the intent it stands for: the pages of both on their way
 * at once, and, where that is enough, one flush of the device's cache for
 * both. */
static enum status
sync_line(void *arg, struct err *err)
{
	struct target *t = arg;
	struct mailbox *box = t->box;
	bool done = false;
	enum status st;

	if (box->uids.fd == -1)
		return deliveries_sync(&box->log, err);
	(void)sync_file_range(box->uids.fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	st = deliveries_write_out(&box->log, box->md->in_place, &done, err);
	if (st == ST_OK && fdatasync(box->uids.fd) == -1)
		st = err_sys(err, "%s: sync %s", box->md->path, UIDLIST_NAME);
	return st != ST_OK || done ? st : deliveries_sync(&box->log, err);
}

static enum status
sync_new(void *arg, struct err *err)
{
	struct target *t = arg;

	return fsync(t->box->md->new) == -1 ? err_sys(err, "%s: fsync new/",
	    t->box->md->path) : ST_OK;
}

static enum status
on_all(struct commit *c, both_fn *fn, struct err *err)
{
	return both(fn, &c->target[0], c->pair.n > 1 ? &c->target[1] : NULL,
	    err);
}

enum status
commit_prepare(struct commit *c, struct message *msg, struct source *src,
    struct err *err)
{
	int fds[2] = { -1, -1 }, i;
	enum status st = ST_OK;

	for (i = 0; i < c->pair.n && st == ST_OK; i++) {
		st = create(&c->target[i], c->tmp, err);
		fds[i] = c->target[i].fd;
	}
	if (st == ST_OK)
		st = src->fd != -1 ? copy_source(src, fds, c->pair.n, err) :
		    message_write(msg, fds, c->pair.n, err);
	if (st == ST_OK && c->pair.n > 1)
		st = same_mtime(c, err);
	/*
	 * fsync() of a new file also makes its name durable, on the journalling
	 * file systems of Linux and by NFS, which has no other way.
	 */
	if (st == ST_OK)
		st = on_all(c, sync_file, err);
	c->size = msg->size;
	if (snprintf(c->intent.name, sizeof(c->intent.name), "%s,S=%lld,W=%lld",
	    c->tmp, (long long)msg->size, (long long)msg->vsize) >=
	    (int)sizeof(c->intent.name))
		st = err_set(err, ST_NEVER, "%s: name too long", c->tmp);
	return st;
}

static uint32_t
choose_uid(const struct commit *c, const struct record *rec)
{
	const struct uidlist *ul = &c->pair.box[0].uids;
	uint32_t uid, floor;
	int i;

	if (ul->fd == -1)
		return 0;		/* Dovecot will number it */
	uid = record_floor(rec, ul->guid, ul->validity);
	for (i = 0; i < c->pair.n; i++) {
		floor = c->pair.box[i].uids.next;
		if (floor > uid)
			uid = floor;
	}
	return uid;
}

/*
 * Step 8: intents on every side, lines on every side, one wait for all.  The
 * leader's line is the first: should we die between the two, a client of the
 * leader cannot be given the UID that the follower has used; its message would
 * never be caught up.
 */
static enum status
write_lines(struct commit *c, const struct record *rec, struct err *err)
{
	struct uidlist_line line = { c->intent.uid, c->intent.name, " " };
	struct mailbox *box;
	enum status st = ST_OK;
	int i;

	for (i = c->pair.n - 1; i >= 0 && st == ST_OK; i--) {
		box = &c->pair.box[i];
		if (box->log.fd == -1)
			continue;
		/* Not over the intent of who took our lock from us. */
		st = pair_check(&c->pair, err);
		if (st != ST_OK)
			break;
		c->logged = true;
		st = deliveries_intend(&box->log, &c->intent, err);
	}
	for (i = 0; i < c->pair.n && st == ST_OK; i++) {
		box = &c->pair.box[i];
		if (box->uids.fd == -1)
			continue;
		if (i > 0 && mark_due(rec, box->side))
			line.keys = MARK_KEYS;
		st = pair_check(&c->pair, err);
		if (st == ST_OK)
			st = uidlist_append_line(&box->uids, &line, err);
	}
	return st == ST_OK ? on_all(c, sync_line, err) : st;
}

/* Is new/NAME the file we hold open?  On NFS, as the server has it. */
static bool
is_ours(const struct target *t, const char *name)
{
	struct stat ours, there;
	struct statx sx;
	int fd;
	bool same;

	(void)!file_ask(t->box->md->new, &sx);
	fd = openat(t->box->md->new, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return false;
	same = fstat(fd, &there) == 0 && fstat(t->fd, &ours) == 0 &&
	    there.st_dev == ours.st_dev && there.st_ino == ours.st_ino;
	(void)close(fd);
	return same;
}

/* Did somebody take us for dead and fence us off?  Looked up afresh. */
static bool
fenced(const struct commit *c, const struct target *t)
{
	char name[MAILDIR_NAME_MAX + 16];
	enum outcome outcome = OUTCOME_UNKNOWN;
	struct deliveries log;
	struct err err;
	bool there = true;

	(void)snprintf(name, sizeof(name), "%s.void", c->tmp);
	if (maildir_in_tmp(t->box->md, name, &there, &err) != ST_OK || there)
		return true;
	if (deliveries_open(&log, t->box->md->ctl, &err) != ST_OK)
		return true;
	if (deliveries_lookup(&log, c->intent.key, c->intent.name, &outcome,
	    &err) != ST_OK)
		outcome = OUTCOME_VOID;
	deliveries_close(&log);
	return outcome == OUTCOME_VOID;
}

/*
 * tmp/ to new/.  On NFS a rename() whose reply was lost is answered ENOENT when
 * it is sent again, though it was done.
 */
static enum status
land(struct commit *c, struct target *t, struct err *err)
{
	enum status st;

	if (renameat(t->box->md->tmp, c->tmp, t->box->md->new,
	    c->intent.name) == 0)
		return ST_OK;
	st = err_sys(err, "%s: rename to new/%s", t->box->md->path,
	    c->intent.name);
	if (is_ours(t, c->intent.name))
		return ST_OK;
	/* Gone from new/ already: the client may have moved it.  Only on the
	 * leader are there clients. */
	if (err->code == ENOENT && t == &c->target[0] && c->logged &&
	    t->box->md->on_nfs && !fenced(c, t))
		return ST_OK;
	return st;
}

/* Step 9: the follower first.  So what the leader has is on both sides. */
static enum status
rename_all(struct commit *c, struct err *err)
{
	enum status st = ST_OK;
	int i;

	for (i = c->pair.n - 1; i >= 0 && st == ST_OK; i--) {
		if (c->pair.locked)
			st = pair_check(&c->pair, err);
		if (st == ST_OK)
			st = land(c, &c->target[i], err);
		if (st == ST_OK)
			c->target[i].in_tmp = false;
	}
	return st;
}

/*
 * Where somebody waits for the locks they are his before new/ is synced: the
 * log says that far.  Who has the time to sync new/ under the lock says done
 * for all.
 */
static bool
leave_early(struct commit *c)
{
	enum status st = ST_OK;
	struct err err;
	int i;

	if (!c->logged || !pair_awaited(&c->pair))
		return false;
	for (i = c->pair.n - 1; i >= 0 && st == ST_OK; i--)
		st = deliveries_landed(&c->pair.box[i].log, &c->intent, &err);
	return st == ST_OK;
}

static void
count_quota(struct commit *c)
{
	struct err err;
	int i;

	for (i = c->pair.n - 1; i >= 0; i--)
		(void)!maildir_count(c->pair.box[i].md, c->size, 1, &err);
}

/* Step 10: what is here no longer undoes the delivery, nor can it fail it. */
static void
log_done(struct commit *c)
{
	struct mailbox *box;
	struct err err;
	int i;

	for (i = c->pair.n - 1; i >= 0; i--) {
		box = &c->pair.box[i];
		(void)!deliveries_decide(&box->log, box->md->ctl, &c->intent,
		    OUTCOME_DONE, c->intent.at, c->keep, &err);
	}
	(void)!pair_settle(&c->pair, c->intent.at, c->keep, &err);
}

enum status
commit(struct commit *c, const struct record *rec, struct err *err)
{
	struct err ignored;
	enum status st;

	c->intent.uid = choose_uid(c, rec);
	st = write_lines(c, rec, err);
	if (st == ST_OK)
		st = rename_all(c, err);
	if (st == ST_OK) {
		c->early = leave_early(c);
		if (!c->early)
			st = on_all(c, sync_new, err);
		if (st == ST_OK)
			count_quota(c);
		if (!c->early && st == ST_OK)
			log_done(c);
	} else if (c->logged)
		/* Not ours to unlink any more: fence it, as another would. */
		(void)!pair_decide(&c->pair, NULL, c->intent.at, c->keep,
		    &ignored);
	return st;
}

enum status
commit_finish(struct commit *c, struct err *err)
{
	return c->early ? on_all(c, sync_new, err) : ST_OK;
}

void
commit_clean(struct commit *c)
{
	int i;

	if (c->logged)
		return;			/* the log's reader decides */
	for (i = 0; i < c->pair.n; i++)
		if (c->target[i].in_tmp) {
			(void)unlinkat(c->target[i].box->md->tmp, c->tmp, 0);
			c->target[i].in_tmp = false;
		}
}

/* The first file written is kept open, unlinked or not, until the end. */
void
source_keep(struct source *src, struct commit *c)
{
	int i;

	for (i = 0; i < c->pair.n; i++) {
		if (c->target[i].fd == -1)
			continue;
		if (src->fd == -1)
			src->fd = c->target[i].fd;
		else
			(void)close(c->target[i].fd);
		c->target[i].fd = -1;
	}
}

void
source_close(struct source *src)
{
	if (src->fd != -1)
		(void)close(src->fd);
	src->fd = -1;
}
