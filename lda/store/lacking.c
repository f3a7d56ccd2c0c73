/* SPDX-License-Identifier: ISC */
/*
 * lacking.c - which messages of one mailbox another one lacks
 */
#include "lda/store/lacking.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct entry {				/* a base name */
	const char	*name;
	uint32_t	 uid;		/* 0: it has no line */
	bool		 file;
};

struct entries {			/* sorted by name, each name once */
	struct entry	*at;
	size_t		 n, room;
};

static void
add(TALLOC_CTX *ctx, struct entries *list, const char *name, size_t len,
    uint32_t uid, bool file)
{
	if (list->n == list->room) {
		list->room = list->room == 0 ? 256 : list->room * 2;
		list->at = must(talloc_realloc(ctx, list->at, struct entry,
		    (unsigned)list->room));
	}
	list->at[list->n++] = (struct entry){
		must(talloc_strndup(ctx, name, len)), uid, file };
}

static int
by_name(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int
by_name_and_uid(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : (x->uid > y->uid) - (x->uid < y->uid);
}

/* One entry for each name: of two lines the later counts. */
static void
sort(struct entries *list)
{
	size_t i, n = 0;

	if (list->n == 0)
		return;
	qsort(list->at, list->n, sizeof(*list->at), by_name_and_uid);
	for (i = 1; i < list->n; i++) {
		if (strcmp(list->at[n].name, list->at[i].name) != 0)
			list->at[++n] = list->at[i];
		else {
			list->at[n].uid = list->at[i].uid;
			list->at[n].file |= list->at[i].file;
		}
	}
	list->n = n + 1;
}

/* Read afresh, as files of others may have been renamed since it was opened. */
static enum status
read_files(TALLOC_CTX *ctx, int at, struct entries *list, struct err *err)
{
	int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	enum status st = ST_OK;
	struct dirent *de;

	if (dir == NULL) {
		st = err_sys(err, "read a directory");
		if (fd != -1)
			(void)close(fd);
		return st;
	}
	for (errno = 0; (de = readdir(dir)) != NULL; errno = 0)
		if (de->d_name[0] != '.')
			add(ctx, list, de->d_name, strcspn(de->d_name, ":"), 0,
			    true);
	if (errno != 0)
		st = err_sys(err, "read a directory");
	(void)closedir(dir);
	return st;
}

static enum status
read_lines(TALLOC_CTX *ctx, const struct uidlist *ul, struct entries *list,
    struct err *err)
{
	struct uidlist_scan *scan;
	struct uidlist_line line;
	enum status st;

	if (ul->fd == -1)
		return ST_OK;
	scan = uidlist_scan_begin(ctx, ul);
	while ((st = uidlist_scan_next(scan, &line, err)) == ST_OK)
		add(ctx, list, line.name, strlen(line.name), line.uid, false);
	talloc_free(scan);
	return st == ST_NONE ? ST_OK : st;
}

static enum status
read_all(TALLOC_CTX *ctx, const struct mailbox *box, struct entries *list,
    struct err *err)
{
	enum status st;

	st = read_files(ctx, box->md->cur, list, err);
	if (st == ST_OK)
		st = read_files(ctx, box->md->new, list, err);
	if (st == ST_OK && list->n > 0)
		st = read_lines(ctx, &box->uids, list, err);
	sort(list);
	return st == ST_OK ? st : err_wrap(err, st, "%s", box->md->path);
}

static bool
same_mailbox(const struct uidlist *a, const struct uidlist *b)
{
	if (a->fd == -1 || b->fd == -1)
		return a->fd == b->fd;
	return a->validity == b->validity && strcmp(a->guid, b->guid) == 0;
}

static bool
is_lacking(const struct entry *e, const struct entries *to)
{
	const struct entry *has = to->n == 0 ? NULL : bsearch(e, to->at, to->n,
	    sizeof(*e), by_name);

	return has == NULL || !has->file || (e->uid != 0 && has->uid != e->uid);
}

enum status
mailbox_lacking(const struct mailbox *from, const struct mailbox *to,
    bool catch_up, unsigned long *n, struct err *err)
{
	bool same = to != NULL && same_mailbox(&from->uids, &to->uids);
	bool caught = catch_up && same && from->uids.fd != -1;
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct entries ours = { NULL, 0, 0 }, theirs = { NULL, 0, 0 };
	const struct entry *e;
	enum status st;

	*n = 0;
	st = read_all(ctx, from, &ours, err);
	if (st == ST_OK && same && ours.n > 0)
		st = read_all(ctx, to, &theirs, err);
	for (e = ours.at; st == ST_OK && e < ours.at + ours.n; e++)
		if (e->file && !(caught && e->uid >= to->uids.next) &&
		    (!same || is_lacking(e, &theirs)))
			++*n;
	talloc_free(ctx);
	return st;
}
