/* SPDX-License-Identifier: ISC */
/*
 * stage.c - what an import has staged
 */
#include "maps/tdb/stage.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "maps/base/clock.h"
#include "maps/change.h"
#include "maps/tdb/file.h"
#include "maps/tdb/values.h"

#define HASH_SIZE	100003

char *
tdbm_stage_path(TALLOC_CTX *ctx, const struct tdbmap *tm)
{
	return must(talloc_asprintf(ctx, "%s.import", tm->path));
}

struct staging *
tdbm_stage_open(struct tdbmap *tm, const char *id, int open_flags)
{
	struct staging *im = must(talloc_zero(tm, struct staging));

	im->path = tdbm_stage_path(im, tm);
	im->id = must(talloc_strdup(im, id));
	im->cursor = must(talloc_strdup(im, ""));
	im->taken = must(talloc_zero_array(im, const char *, 1));
	im->touched = clock_ms();
	im->tdb = tdbm_file_open(im->path, HASH_SIZE, TDB_NOLOCK, O_RDWR |
	    open_flags);
	return im;
}

void
tdbm_stage_close(struct tdbmap *tm)
{
	if (tm->import == NULL)
		return;
	if (tm->import->tdb != NULL)
		(void)tdb_close(tm->import->tdb);
	talloc_free(tm->import);
	tm->import = NULL;
}

static enum status
put_staged(struct tdbmap *tm, const struct staged *s, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	char *key = must(talloc_asprintf(ctx, "u:%s", s->is->user)), *text;
	enum status st;

	text = must(talloc_asprintf(ctx, "%llu %llu %lld\n%s\n%s\n%s",
	    (unsigned long long)s->was_version, (unsigned long long)s->base,
	    (long long)s->by.at, record_escape(ctx, s->by.by),
	    record_escape(ctx, s->by.why), record_format(ctx, s->is)));
	st = tdbm_store(tm->import->tdb, key, text, strlen(text), err);
	talloc_free(ctx);
	return st;
}

enum status
tdbm_stage_fetch(const struct staging *im, TALLOC_CTX *ctx, const char *user,
    struct staged *s, struct err *err)
{
	char *key = must(talloc_asprintf(ctx, "u:%s", user)), *text = NULL;
	char *head, *by, *why;
	unsigned long long was, base;
	long long at;
	enum status st;
	size_t len;

	st = tdbm_fetch(im->tdb, ctx, key, &text, &len, err);
	if (st != ST_OK)
		return st;
	head = change_cut_line(&text);
	by = head == NULL ? NULL : change_cut_line(&text);
	why = by == NULL ? NULL : change_cut_line(&text);
	if (why == NULL || sscanf(head, "%llu %llu %lld", &was, &base,
	    &at) != 3)
		return err_set(err, ST_AGAIN, "%s: %s is damaged", im->path,
		    user);
	change_unescape(by);
	change_unescape(why);
	s->was_version = was;
	s->base = base;
	s->by = (struct change_by){ by, (time_t)at, why };
	return record_parse(ctx, user, text, strlen(text), &s->is, err);
}

static enum status
put_address(struct tdbmap *tm, TALLOC_CTX *ctx, const char *addr,
    const char *user, struct err *err)
{
	struct staging *im = tm->import;
	char *key = tdbm_address_key(ctx, addr), *owner = NULL;
	enum status st;
	size_t len;

	st = tdbm_fetch(im->tdb, ctx, key, &owner, &len, err);
	if (st == ST_OK)
		return err_set(err, ST_NEVER,
		    "%s: %s gets the address %s in the same import", user,
		    owner, addr);
	if (st == ST_NONE)
		st = tdbm_fetch(tm->tdb, ctx, key, &owner, &len, err);
	if (st == ST_OK && strcmp(owner, user) != 0) {
		/* Its owner may give it up later in the same import. */
		im->taken = must(talloc_realloc(im, im->taken, const char *,
		    im->ntaken + 1));
		im->taken[im->ntaken++] = must(talloc_strdup(im, addr));
	}
	return st == ST_OK || st == ST_NONE ?
	    tdbm_store(im->tdb, key, user, strlen(user), err) : st;
}

enum status
tdbm_stage_put(struct tdbmap *tm, TALLOC_CTX *ctx, struct staged *s,
    struct err *err)
{
	struct staged twice;
	struct card card;
	enum status st;
	const char **a;

	st = tdbm_stage_fetch(tm->import, ctx, s->is->user, &twice, err);
	if (st == ST_OK)
		return err_set(err, ST_NEVER, "%s is there twice", s->is->user);
	if (st == ST_NONE)
		st = tdbm_fetch_card(tm->tdb, s->is->user, &card, err);
	if (st != ST_OK)
		return st;
	s->base = card.version;
	for (a = s->is->address; *a != NULL && st == ST_OK; a++)
		st = put_address(tm, ctx, *a, s->is->user, err);
	if (st == ST_OK)
		st = put_staged(tm, s, err);
	if (st == ST_OK)
		tm->import->left = ++tm->import->total;
	return st;
}
