/* SPDX-License-Identifier: ISC */
/*
 * values.c - the values of a map's file, by their keys
 */
#include "maps/tdb/values.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maps/tdb/seal.h"

#define USER_KEY_SIZE	(RECORD_USER_MAX + 3)	/* `c:USER` with its NUL */

enum status
tdbm_error(struct tdb_context *tdb, struct err *err, const char *what)
{
	/* A full disk is reported as "Record does not exist". */
	return err_set(err, ST_AGAIN, "tdb: %s: %s%s", what, tdb_errorstr(tdb),
	    tdb_error(tdb) == TDB_ERR_NOEXIST ? " (or the disk is full)" : "");
}

struct fetching {
	TALLOC_CTX	*ctx;
	const char	*key;
	char		**text;
	size_t		*len;
	struct err	*err;
	enum status	 st;
};

static int
fetch_value(TDB_DATA key, TDB_DATA val, void *arg)
{
	struct fetching *f = arg;
	const char *text;

	(void)key;
	f->st = unseal(f->key, (char *)val.dptr, val.dsize, &text, f->len,
	    f->err);
	if (f->st == ST_OK) {
		*f->text = must(talloc_size(f->ctx, *f->len + 1));
		memcpy(*f->text, text, *f->len);
		(*f->text)[*f->len] = '\0';
	}
	return 0;
}

TDB_DATA
tdbm_key(const char *key)
{
	return (TDB_DATA){ (unsigned char *)(uintptr_t)key, strlen(key) };
}

/* `c:alice`.  printf would take longer than the look-up. */
static void
put_key(char *key, char kind, const char *name, size_t len)
{
	key[0] = kind;
	key[1] = ':';
	memcpy(key + 2, name, len);
	key[2 + len] = '\0';
}

/* A user's name has no more than RECORD_USER_MAX bytes. */
static void
user_key(char key[USER_KEY_SIZE], char kind, const char *user)
{
	put_key(key, kind, user, strnlen(user, RECORD_USER_MAX));
}

char *
tdbm_address_key(TALLOC_CTX *ctx, const char *addr)
{
	size_t len = strlen(addr);
	char *key = must(talloc_size(ctx, len + 3));

	put_key(key, 'a', addr, len);
	return key;
}

enum status
tdbm_fetch(struct tdb_context *tdb, TALLOC_CTX *ctx, const char *key,
    char **text, size_t *len, struct err *err)
{
	struct fetching f = { ctx, key, text, len, err, ST_AGAIN };

	if (tdb_parse_record(tdb, tdbm_key(key), fetch_value, &f) == -1)
		return tdb_error(tdb) == TDB_ERR_NOEXIST ? ST_NONE :
		    tdbm_error(tdb, err, key);
	return f.st;
}

enum status
tdbm_store(struct tdb_context *tdb, const char *key, const char *text,
    size_t len, struct err *err)
{
	size_t slen;
	char *value = seal(NULL, key, text, len, &slen);
	int rc;

	rc = tdb_store(tdb, tdbm_key(key), (TDB_DATA){ (unsigned char *)value,
	    slen }, TDB_REPLACE);
	talloc_free(value);
	return rc == -1 ? tdbm_error(tdb, err, key) : ST_OK;
}

enum status
tdbm_delete(struct tdb_context *tdb, const char *key, struct err *err)
{
	if (tdb_delete(tdb, tdbm_key(key)) == -1 &&
	    (tdb_error(tdb) != TDB_ERR_NOEXIST || tdb_exists(tdb,
	    tdbm_key(key))))
		return tdbm_error(tdb, err, key);
	return ST_OK;
}

enum status
tdbm_fetch_card(struct tdb_context *tdb, const char *user, struct card *card,
    struct err *err)
{
	char key[USER_KEY_SIZE], *text = NULL;
	unsigned long long version, seq;
	enum status st;
	int live;
	size_t len;

	*card = (struct card){ false, 0, 0 };
	user_key(key, 'c', user);
	st = tdbm_fetch(tdb, NULL, key, &text, &len, err);
	if (st != ST_OK)
		return st == ST_NONE ? ST_OK : st;
	if (sscanf(text, "%d %llu %llu", &live, &version, &seq) != 3)
		st = err_set(err, ST_NEVER, "tdb: %s is damaged", key);
	else
		*card = (struct card){ live != 0, version, seq };
	talloc_free(text);
	return st;
}

enum status
tdbm_store_card(struct tdb_context *tdb, const char *user,
    const struct card *card, struct err *err)
{
	char key[USER_KEY_SIZE], text[80];
	int len = snprintf(text, sizeof(text), "%d %llu %llu", card->live,
	    (unsigned long long)card->version, (unsigned long long)card->seq);

	user_key(key, 'c', user);
	return tdbm_store(tdb, key, text, (size_t)len, err);
}

struct parsing {
	struct memo	*memo;
	TALLOC_CTX	*ctx;
	const char	*key, *user;
	struct record	**rec;
	struct err	*err;
	enum status	 st;
};

static int
parse_value(TDB_DATA key, TDB_DATA val, void *arg)
{
	struct parsing *p = arg;
	const char *text;
	size_t len;

	(void)key;
	*p->rec = p->memo == NULL ? NULL :
	    memo_find(p->memo, p->ctx, p->user, val.dptr, val.dsize);
	if (*p->rec != NULL) {
		p->st = ST_OK;
		return 0;
	}
	p->st = unseal(p->key, (char *)val.dptr, val.dsize, &text, &len,
	    p->err);
	if (p->st == ST_OK)
		p->st = record_parse(p->ctx, p->user, text, len, p->rec,
		    p->err);
	if (p->st == ST_OK && p->memo != NULL)
		memo_keep(p->memo, p->user, val.dptr, val.dsize, *p->rec);
	return 0;
}

enum status
tdbm_fetch_record(struct tdb_context *tdb, struct memo *memo, TALLOC_CTX *ctx,
    const char *user, struct record **rec, struct err *err)
{
	char key[USER_KEY_SIZE];
	struct parsing p = { memo, ctx, key, user, rec, err, ST_AGAIN };

	user_key(key, 'u', user);
	if (tdb_parse_record(tdb, tdbm_key(key), parse_value, &p) == -1)
		return tdb_error(tdb) == TDB_ERR_NOEXIST ? ST_NONE :
		    tdbm_error(tdb, err, key);
	return p.st;
}

static int
check_value(TDB_DATA key, TDB_DATA val, void *arg)
{
	char name[RECORD_USER_MAX + 400];
	const char *text;
	struct err err;
	size_t len;

	(void)arg;
	if (key.dsize >= sizeof(name))
		return -1;
	memcpy(name, key.dptr, key.dsize);
	name[key.dsize] = '\0';
	return unseal(name, (char *)val.dptr, val.dsize, &text, &len, &err) ==
	    ST_OK ? 0 : -1;
}

/*
 * A check finds what a look-up does not: where a hash chain is cut, the look-up
 * silently finds no such user.  After a kill the check complains, rarely, about
 * free space beside good data; packing the file anew mends that.
 */
bool
tdbm_is_whole(struct tdb_context *tdb)
{
	if (tdb_check(tdb, check_value, NULL) == 0)
		return true;
	return tdb_traverse_read(tdb, NULL, NULL) >= 0 &&
	    tdb_repack(tdb) == 0 && tdb_check(tdb, check_value, NULL) == 0;
}
