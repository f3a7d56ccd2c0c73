/* SPDX-License-Identifier: ISC */
/*
 * rows.c - the files that import reads: JSON Lines and CSV
 */
#include "admin/rows.h"

#include <csv.h>
#include <stdlib.h>
#include <string.h>

struct reading {
	const char	*file;
	int		 line;
	rows_fn	*fn;
	void		*arg;
	struct err	*err;
	enum status	 st;
	/* CSV alone: */
	json_t		*columns;	/* names, from the first row */
	json_t		*row;		/* its object; NULL: the first row */
	size_t		 at;		/* the column that comes next */
	bool		 any;		/* the row has a field with text */
};

bool
rows_format(const char *name, enum format *format)
{
	*format = strcmp(name, "csv") == 0 ? FORMAT_CSV :
	    strcmp(name, "ldif") == 0 ? FORMAT_LDIF : FORMAT_JSONL;
	return *format != FORMAT_JSONL || strcmp(name, "jsonl") == 0;
}

enum format
rows_format_of(const char *file)
{
	size_t len = strlen(file);

	return len > 4 && strcmp(file + len - 4, ".csv") == 0 ? FORMAT_CSV :
	    FORMAT_JSONL;
}

void
rows_put_csv(FILE *out, const char *text)
{
	if (strpbrk(text, ",\"\r\n") == NULL && *text != ' ')
		(void)fputs(text, out);
	else
		(void)csv_fwrite(out, text, strlen(text));
}

static void
give(struct reading *r, json_t *obj)
{
	r->st = r->fn(obj, r->line, r->arg, r->err);
}

static void
read_json(struct reading *r, const char *text, size_t len)
{
	json_error_t e;
	json_t *obj;

	if (strspn(text, " \t\r\n") == len)
		return;
	obj = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	if (obj == NULL)
		r->st = err_set(r->err, ST_NEVER, "%s:%d: %s", r->file, r->line,
		    e.text);
	else if (!json_is_object(obj))
		r->st = err_set(r->err, ST_NEVER, "%s:%d: each line must be "
		    "one JSON object (an array: jq -c '.[]')", r->file,
		    r->line);
	else
		give(r, obj);
	json_decref(obj);
}

static void
on_field(void *data, size_t len, void *arg)
{
	struct reading *r = arg;
	json_t *text = json_stringn(data, len);

	if (text == NULL || (len > 0 && memchr(data, '\0', len) != NULL)) {
		if (r->st == ST_OK)
			r->st = err_set(r->err, ST_NEVER, "%s:%d: not UTF-8, "
			    "or a NUL byte", r->file, r->line);
		json_decref(text);
		return;
	}
	if (r->row == NULL) {
		(void)json_array_append_new(r->columns, text);
		return;
	}
	if (len > 0 && r->at >= json_array_size(r->columns) && r->st == ST_OK)
		r->st = err_set(r->err, ST_NEVER, "%s:%d: more fields than the "
		    "first line has names", r->file, r->line);
	r->any = r->any || len > 0;
	if (len > 0 && r->st == ST_OK)
		(void)json_object_set(r->row, json_string_value(
		    json_array_get(r->columns, r->at)), text);
	r->at++;
	json_decref(text);
}

static void
on_row(int c, void *arg)
{
	struct reading *r = arg;

	(void)c;
	if (r->row == NULL)
		r->row = must(json_object());
	else if (r->st == ST_OK && r->any)
		give(r, r->row);
	(void)json_object_clear(r->row);
	r->at = 0;
	r->any = false;
}

static void
read_all(struct reading *r, FILE *in, struct csv_parser *csv)
{
	char *text = NULL;
	size_t size = 0;
	ssize_t len;

	while (r->st == ST_OK && (len = getline(&text, &size, in)) > 0) {
		r->line++;
		if (csv == NULL)
			read_json(r, text, (size_t)len);
		else if (csv_parse(csv, text, (size_t)len, on_field, on_row,
		    r) != (size_t)len)
			r->st = err_set(r->err, ST_NEVER, "%s:%d: %s", r->file,
			    r->line, csv_strerror(csv_error(csv)));
	}
	if (r->st == ST_OK && ferror(in))
		r->st = err_sys(r->err, "read %s", r->file);
	if (r->st == ST_OK && csv != NULL && csv_fini(csv, on_field, on_row,
	    r) != 0)
		r->st = err_set(r->err, ST_NEVER, "%s:%d: a quote is not "
		    "closed", r->file, r->line);
	free(text);
}

static void
read_csv(struct reading *r, FILE *in)
{
	struct csv_parser csv;

	if (csv_init(&csv, CSV_STRICT | CSV_STRICT_FINI) != 0) {
		r->st = err_set(r->err, ST_AGAIN, "libcsv does not start");
		return;
	}
	r->columns = must(json_array());
	read_all(r, in, &csv);
	json_decref(r->columns);
	json_decref(r->row);
	csv_free(&csv);
}

enum status
rows_each(const char *file, enum format format, rows_fn *fn, void *arg,
    struct err *err)
{
	struct reading r = { .file = file, .fn = fn, .arg = arg, .err = err,
	    .st = ST_OK };
	FILE *in = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");

	if (in == NULL) {
		(void)err_sys(err, "open %s", file);
		/* Trying again does not mend the name. */
		return ST_NEVER;
	}
	if (format == FORMAT_CSV)
		read_csv(&r, in);
	else
		read_all(&r, in, NULL);
	if (in != stdin)
		(void)fclose(in);
	return r.st;
}
