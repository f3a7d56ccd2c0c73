/* SPDX-License-Identifier: ISC */
/*
 * pending.c - what is pending in a user's mailboxes, seen without a lock
 *
 * Nothing is written and no lock is taken: what is seen may be a moment old.
 */
#include "admin/pending.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lda/store/asuser.h"
#include "lda/store/deliveries.h"
#include "lda/store/dotlock.h"
#include "lda/store/folders.h"
#include "lda/store/maildir.h"
#include "lda/store/uidlist.h"
#include "maps/base/file.h"

#define PATIENCE	20		/* seconds for all of it */

struct eye {				/* in the child */
	const struct record	*rec;
	const struct conf	*conf;
	int			 out;
};

/* A line for the parent: SIDE TAB MAILBOX TAB WHAT TAB TEXT. */
static void PRINTF(5, 6)
report(const struct eye *e, enum side side, const char *mailbox, const char
    *what, const char *fmt, ...)
{
	char text[900], line[1200], *p;
	va_list ap;
	int n;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = snprintf(line, sizeof(line) - 1, ".%s\t%.200s\t%s\t%s",
	    side_name(side), *mailbox == '\0' ? "INBOX" : mailbox, what, text);
	for (p = line; *p != '\0'; p++)
		if (*p == '\n')
			*p = ' ';
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n] = '\n';
	(void)!file_write(e->out, line, (size_t)n + 1);
}

static void
look_at_lock(const struct eye *e, enum side side, const struct maildir *md)
{
	struct stat sb;
	struct err err;
	char *holder = NULL;
	enum status st;
	size_t len;

	st = file_read(NULL, md->ctl, UIDLIST_LOCK, 200, &holder, &len, &err);
	if (st == ST_NONE)
		return;
	if (fstatat(md->ctl, UIDLIST_LOCK, &sb, AT_SYMLINK_NOFOLLOW) == -1)
		goto out;		/* given back meanwhile */
	report(e, side, md->folder, "lock", "%s/%s is held by %s for %lld "
	    "seconds (others break it after %d without a change)", md->path,
	    UIDLIST_LOCK, holder == NULL || len == 0 ? "an unknown process" :
	    holder, (long long)(time(NULL) - sb.st_mtime), DOTLOCK_STALE);
out:
	talloc_free(holder);
}

static void
look_at_log(const struct eye *e, enum side side, const struct maildir *md)
{
	struct deliveries d;
	struct err err;
	enum status st;
	int i;

	st = deliveries_open(&d, md->ctl, &err);
	if (st != ST_OK && st != ST_NONE)
		report(e, side, md->folder, "trouble", "%s", err.text);
	if (st != ST_OK)
		return;
	for (i = 0; i < DELIVERIES_SLOTS; i++)
		if (d.slot_seq[i] != 0 && d.slot[i].outcome == OUTCOME_INTENT)
			report(e, side, md->folder, "intent", "the delivery of "
			    "%s under UID %lu, begun %lld seconds ago, is "
			    "undecided: the next process to take the lock "
			    "decides it", d.slot[i].name, (unsigned
			    long)d.slot[i].uid, (long long)(time(NULL) -
			    d.slot[i].at));
	deliveries_close(&d);
}

static void
look_at_uids(const struct eye *e, enum side side, const struct maildir *md)
{
	struct uidlist ul;
	struct err err;
	enum status st;

	st = uidlist_read(&ul, md->ctl, &err);
	if (st == ST_OK) {
		report(e, side, md->folder, "uid", "%lu is the next UID, "
		    "UIDVALIDITY %lu", (unsigned long)ul.next, (unsigned
		    long)ul.validity);
		uidlist_close(&ul);
	} else if (st != ST_NONE)
		report(e, side, md->folder, "trouble", "%s", err.text);
}

static enum status
look_at_side(const struct eye *e, TALLOC_CTX *ctx, enum side side,
    struct err *err)
{
	const struct location *loc = &e->rec->side[side];
	struct folders list;
	const char *folder;
	struct maildir *md;
	enum status st;
	size_t i;

	if (filer_check(e->conf->filer[side], err) != ST_OK) {
		report(e, side, "", "filer", "%s", err->text);
		return ST_OK;
	}
	st = maildir_folders(ctx, loc, &list, err);
	if (st != ST_OK)
		return st == ST_NONE ? ST_OK : st;
	for (i = 0; i < list.n; i++) {
		folder = list.at[i].name;
		st = maildir_open(ctx, loc, folder, NULL, false, &md, err);
		if (st == ST_NONE)
			continue;
		if (st != ST_OK) {
			report(e, side, folder, "trouble", "%s", err->text);
			continue;
		}
		look_at_lock(e, side, md);
		look_at_log(e, side, md);
		look_at_uids(e, side, md);
		talloc_free(md);
	}
	return ST_OK;
}

static enum status
look_around(void *arg, int out, struct err *err)
{
	struct eye *e = arg;
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	enum status st = ST_OK;
	int side;

	e->out = out;
	for (side = OLD; side <= NEW && st == ST_OK; side++)
		if (e->rec->side[side].mail != NULL)
			st = look_at_side(e, ctx, side, err);
	talloc_free(ctx);
	return st;
}

static void
on_line(const char *line, void *arg)
{
	char *copy = must(talloc_strdup(NULL, line)), *rest = copy;
	const char *side = strsep(&rest, "\t"), *box = strsep(&rest, "\t");
	const char *what = strsep(&rest, "\t");
	json_t *obj;

	if (rest != NULL) {
		obj = json_pack("{ssssssss}", "side", side, "mailbox", box,
		    "what", what, "text", rest);
		if (obj != NULL && strcmp(what, "uid") == 0)
			(void)json_object_set_new(obj, "next",
			    json_integer(strtoll(rest, NULL, 10)));
		if (obj != NULL)	/* else a name that is not UTF-8 */
			(void)json_array_append_new(arg, obj);
	}
	talloc_free(copy);
}

enum status
pending_look(const struct record *rec, const struct conf *conf, json_t **found,
    struct err *err)
{
	struct eye e = { rec, conf, -1 };

	*found = must(json_array());
	return as_user(rec, conf, PATIENCE, look_around, &e, on_line, *found,
	    err);
}
