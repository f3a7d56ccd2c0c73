/* SPDX-License-Identifier: ISC */
/*
 * rows_fuzz.c - import files, JSON Lines and CSV: what passes is stored as it
 * was read
 *
 * Input: `jsonl` or `csv` LF FILE.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "admin/context.h"
#include "admin/record_json.h"
#include "admin/rows.h"

#define NAME "import"

static struct record *
blank(TALLOC_CTX *ctx, const char *user)
{
	struct record *rec = must(talloc_zero(ctx, struct record));

	*rec = (struct record){ .user = must(talloc_strdup(rec, user)),
	    .uid = -1, .state = STATE_OLD, .version = 1, .by = "", .why = "",
	    .unknown = "" };
	rec->address = must(talloc_zero_array(rec, const char *, 1));
	return rec;
}

/* What export writes of it, an import reads as the same. */
static void
export_again(TALLOC_CTX *ctx, const struct record *rec, json_t *form)
{
	struct record *is = blank(ctx, rec->user);
	struct err err;

	HOLDS(record_json_apply(form, is, &err) == ST_OK);
	HOLDS(strcmp(record_format(ctx, rec), record_format(ctx, is)) == 0);
}

static enum status
on_line(json_t *obj, int line, void *arg, struct err *err)
{
	const char *user = json_string_value(json_object_get(obj, "user")),
		   *text;
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct record *rec, *back;
	json_t *a, *b;

	HOLDS(line >= *(int *)arg && line > 0);	/* a lone CR ends a row, too */
	*(int *)arg = line;
	if (user == NULL || !record_user_valid(user))
		goto out;
	rec = blank(ctx, user);
	if (record_json_apply(obj, rec, err) != ST_OK ||
	    admin_check(rec, err) != ST_OK) {
		fuzz_err(err);
		goto out;
	}
	text = record_format(ctx, rec);
	HOLDS(record_parse(ctx, user, text, strlen(text), &back, err) == ST_OK);
	a = record_json(rec);
	b = record_json(back);
	HOLDS(json_equal(a, b));
	export_again(ctx, rec, a);
	/* Its next version can be stored as well. */
	rec->version++;
	HOLDS(admin_check(rec, err) == ST_OK);
	json_decref(a);
	json_decref(b);
out:
	talloc_free(ctx);
	return ST_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = fuzz_input(data, size);
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	char *file = must(talloc_asprintf(ctx, "%s/" NAME, fuzz_path()));
	enum format format;
	struct err err;
	enum status st;
	int line = 0;

	if (rows_format(fuzz_line(ctx, &in), &format)) {
		fuzz_put(fuzz_dir(), NAME, fuzz_rest(&in));
		st = rows_each(file, format, on_line, &line, &err);
		HOLDS(st == ST_OK || st == ST_NEVER);
		HOLDS(st == ST_NEVER || in.p == in.end || memchr(in.p, '\0',
		    (size_t)(in.end - in.p)) == NULL);
		if (st == ST_NEVER) {
			fuzz_err(&err);
			HOLDS(strncmp(err.text, file, strlen(file)) == 0);
		}
	}
	talloc_free(ctx);
	return 0;
}
