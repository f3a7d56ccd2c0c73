/* SPDX-License-Identifier: ISC */
/*
 * export.c - all records into a file, or a table made of them
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/record_json.h"
#include "admin/rows.h"
#include "admin/tables.h"
#include "admin/verbs.h"
#include "maps/base/file.h"
#include "maps/ldap/conf.h"
#include "maps/ldap/ldif.h"

struct exporting {
	FILE		*out;
	enum format	 format;
	const struct table *table;	/* NULL: the format */
	const char	*map_entry;	/* of LDIF */
};

/* One field of a row: a list's members with its separator between them. */
static void
put_field(FILE *out, const json_t *v, char sep)
{
	char *text = must(talloc_strdup(NULL, ""));
	size_t i;

	if (json_is_integer(v))
		text = must(talloc_asprintf_append_buffer(text, "%lld",
		    (long long)json_integer_value(v)));
	else if (json_is_string(v))
		text = must(talloc_strdup_append_buffer(text,
		    json_string_value(v)));
	for (i = 0; i < json_array_size(v); i++)
		text = must(talloc_asprintf_append_buffer(text, "%.*s%s",
		    i == 0 ? 0 : 1, &sep,
		    json_string_value(json_array_get(v, i))));
	rows_put_csv(out, text);
	talloc_free(text);
}

static enum status
export_one(const struct record *rec, void *arg, struct err *err)
{
	struct exporting *ex = arg;
	char *text;
	json_t *obj;
	int i;

	if (ex->format == FORMAT_LDIF) {
		text = ldif_record(NULL, ex->map_entry, rec);
		(void)fputs(text, ex->out);
		talloc_free(text);
		return ferror(ex->out) ? err_sys(err, "write") : ST_OK;
	}
	obj = record_json(rec);
	if (ex->format == FORMAT_JSONL)
		json_print(ex->out, obj);
	else {
		for (i = 0; record_json_columns[i] != NULL; i++) {
			if (i > 0)
				(void)fputc(',', ex->out);
			put_field(ex->out, json_object_get(obj,
			    record_json_columns[i]),
			    record_json_separator(record_json_columns[i]));
		}
		(void)fputc('\n', ex->out);
		json_decref(obj);
	}
	return ferror(ex->out) ? err_sys(err, "write") : ST_OK;
}

static enum status
export(struct admin *ad, struct exporting *ex, struct err *err)
{
	int i;

	if (ex->table != NULL)
		return table_write(ad, ex->table, ex->out, err);
	if (ex->format == FORMAT_CSV)
		for (i = 0; record_json_columns[i] != NULL; i++)
			(void)fprintf(ex->out, "%s%c", record_json_columns[i],
			    record_json_columns[i + 1] == NULL ? '\n' : ',');
	if (ex->format == FORMAT_LDIF)
		(void)fputs(ldif_map(ad->conf, ex->map_entry), ex->out);
	return map_each(ad->map, export_one, ex, err);
}

/*
 * A new file for the caller alone, or for those who may read the caller's own
 * file that is there: a daemon reads some tables.  What another user has put
 * there, perhaps a link, is not followed; what a former export left is removed.
 */
static enum status
create(const char *tmp, const char *file, FILE **out, struct err *err)
{
	struct stat sb;
	int fd;

	(void)unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd == -1)
		return err_sys(err, "create %s", tmp);
	*out = must(fdopen(fd, "w"));
	if (lstat(file, &sb) == -1 || !S_ISREG(sb.st_mode) ||
	    sb.st_uid != geteuid() || sb.st_nlink != 1)
		return ST_OK;
	if (file_permit(fd, sb.st_mode & 0666, sb.st_gid) == 0)
		return ST_OK;
	(void)fclose(*out);
	(void)unlink(tmp);
	return err_sys(err, "chmod %s", tmp);
}

/* A file is there whole, or as it was before. */
static enum status
export_to(struct admin *ad, struct exporting *ex, const char *file,
    struct err *err)
{
	char *tmp = must(talloc_asprintf(ad->conf, "%s.tmp", file));
	enum status st;

	st = create(tmp, file, &ex->out, err);
	if (st != ST_OK)
		return st;
	st = export(ad, ex, err);
	if (st == ST_OK && (fflush(ex->out) != 0 ||
	    fsync(fileno(ex->out)) == -1))
		st = err_sys(err, "write %s", tmp);
	if (fclose(ex->out) != 0 && st == ST_OK)
		st = err_sys(err, "write %s", tmp);
	if (st == ST_OK && rename(tmp, file) == -1)
		st = err_sys(err, "rename %s", tmp);
	if (st != ST_OK)
		(void)unlink(tmp);
	return st;
}

/* The entry to go below: that of --map-entry, else where the present map is. */
static enum status
find_map_entry(struct admin *ad, struct exporting *ex, struct err *err)
{
	struct ldapconf *lc = NULL;
	enum status st;

	if (ex->format != FORMAT_LDIF || ex->map_entry != NULL)
		return ST_OK;
	if (strncmp(ad->conf->map, "ldap:", 5) != 0)
		return err_set(err, ST_NEVER, "LDIF for where? --map-entry "
		    "cn=mailferry,BASE");
	st = ldapconf_load(ad->conf, ad->conf->map + 5, &lc, err);
	if (st == ST_OK)
		ex->map_entry = lc->map_entry;
	return st;
}

static int
run(struct admin *ad, struct err *err)
{
	const char *file = ad->line.argv[0];
	const char *name = cmdline_value(&ad->line, "format", 0);
	struct exporting ex = { .out = stdout,
	    .format = file == NULL ? FORMAT_JSONL : rows_format_of(file),
	    .map_entry = cmdline_value(&ad->line, "map-entry", 0) };
	enum status st;

	if (name != NULL) {
		ex.table = table_find(name);
		if (ex.table == NULL && !rows_format(name, &ex.format))
			return admin_usage(err, "--format: %s is not known "
			    "(jsonl, csv, ldif, transport, access, "
			    "passwd-file)", name);
	}
	st = find_map_entry(ad, &ex, err);
	if (st != ST_OK)
		return admin_status(st);
	return admin_status(file == NULL || strcmp(file, "-") == 0 ?
	    export(ad, &ex, err) : export_to(ad, &ex, file, err));
}

static const struct option export_options[] = {
	{ "format", "FORMAT", "jsonl, csv, ldif, transport, access or "
	    "passwd-file", 0 },
	{ "map-entry", "DN", "of LDIF: the entry below which it goes", 0 },
	{ NULL, NULL, NULL, 0 },
};

const struct verb verb_export = {
	.name = "export", .run = run, .operands = "[FILE]", .max = 1,
	.options = export_options,
	.does = "Write all records, or a table made of them.",
};
