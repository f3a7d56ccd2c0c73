/* SPDX-License-Identifier: ISC */
/*
 * record_json.c - a record as JSON, for people's tools and for import and
 * export
 */
#include "admin/record_json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "admin/times.h"
#include "maps/route.h"

/* What any JSON reader holds exactly; and the next one can be stored. */
#define VERSION_MAX	(1LL << 53)

const char *const record_json_columns[] = {
	"user", "uid", "state", "entered", "begin", "end", "version", "led",
	"old", "old_control", "old_index", "new", "new_control", "new_index",
	"address", "floor", "unknown", NULL,
};

char
record_json_separator(const char *column)
{
	return strcmp(column, "address") == 0 ? ' ' :
	    strcmp(column, "floor") == 0 ? ';' :
	    strcmp(column, "unknown") == 0 ? '\n' : '\0';
}

static void
set_text(json_t *obj, const char *key, const char *value)
{
	if (value != NULL && *value != '\0')
		(void)json_object_set_new(obj, key, must(json_string(value)));
}

static void
set_number(json_t *obj, const char *key, long long n)
{
	(void)json_object_set_new(obj, key, must(json_integer(n)));
}

static void
set_time(json_t *obj, const char *key, time_t t)
{
	char *text = time_text(NULL, t);

	set_text(obj, key, text);
	talloc_free(text);
}

static void
set_side(json_t *obj, const struct location *loc, const char *mail,
    const char *control, const char *index)
{
	set_text(obj, mail, loc->mail);
	set_text(obj, control, loc->control);
	set_text(obj, index, loc->index);
}

/* Arrays are there only where they have something in them. */
static void
append(json_t *obj, const char *key, const char *value, size_t len)
{
	json_t *list = json_object_get(obj, key);

	if (list == NULL) {
		list = must(json_array());
		(void)json_object_set_new(obj, key, list);
	}
	(void)json_array_append_new(list, must(json_stringn(value, len)));
}

static void
set_lists(json_t *obj, const struct record *rec)
{
	const char **a, *line, *lf;
	char *text;
	size_t i;

	for (a = rec->address; *a != NULL; a++)
		append(obj, "address", *a, strlen(*a));
	for (i = 0; i < rec->nfloor; i++) {
		text = must(talloc_asprintf(NULL, "%s %lu %lu",
		    rec->floor[i].guid, (unsigned long)rec->floor[i].validity,
		    (unsigned long)rec->floor[i].next));
		append(obj, "floor", text, strlen(text));
		talloc_free(text);
	}
	for (line = rec->unknown; (lf = strchr(line, '\n')) != NULL; line = lf +
	    1)
		append(obj, "unknown", line, (size_t)(lf - line));
}

json_t *
record_json(const struct record *rec)
{
	json_t *obj = must(json_object());

	set_text(obj, "user", rec->user);
	if (rec->uid != -1)
		set_number(obj, "uid", rec->uid);
	set_text(obj, "state", state_name(rec->state));
	if (rec->entered != STATE_NONE)
		set_text(obj, "entered", state_name(rec->entered));
	if (rec->end != 0) {
		set_time(obj, "begin", rec->begin);
		set_time(obj, "end", rec->end);
	}
	set_number(obj, "version", (long long)rec->version);
	if (rec->led != 0)
		set_number(obj, "led", (long long)rec->led);
	set_side(obj, &rec->side[OLD], "old", "old_control", "old_index");
	set_side(obj, &rec->side[NEW], "new", "new_control", "new_index");
	set_lists(obj, rec);
	return obj;
}

json_t *
record_json_shown(const struct record *rec, time_t now)
{
	json_t *obj = record_json(rec);

	if (rec->is_default)
		(void)json_object_set_new(obj, "default", json_true());
	set_text(obj, "effective", state_name(route_effective(rec, now)));
	set_text(obj, "leader", side_name(record_leader(rec)));
	set_text(obj, "by", rec->by);
	if (rec->at != 0)
		set_time(obj, "at", rec->at);
	set_text(obj, "why", rec->why);
	return obj;
}

json_t *
change_json(const struct change *ch)
{
	json_t *obj = must(json_object());

	set_number(obj, "seq", (long long)ch->seq);
	set_text(obj, "user", ch->user);
	set_text(obj, "by", ch->by.by);
	set_time(obj, "at", ch->by.at);
	set_text(obj, "why", ch->by.why);
	(void)json_object_set_new(obj, "was", ch->was == NULL ? json_null() :
	    record_json(ch->was));
	(void)json_object_set_new(obj, "is", ch->is == NULL ? json_null() :
	    record_json(ch->is));
	return obj;
}

char *
json_line(TALLOC_CTX *ctx, json_t *json)
{
	char *text = must(json_dumps(json, JSON_COMPACT));
	char *line = must(talloc_strdup(ctx, text));

	free(text);
	json_decref(json);
	return line;
}

void
json_print(FILE *out, json_t *json)
{
	(void)json_dumpf(json, out, JSON_COMPACT);
	(void)fputc('\n', out);
	json_decref(json);
}

static bool
read_number(const json_t *v, long long *n)
{
	const char *text = json_string_value(v);
	char *end;

	if (json_is_integer(v)) {
		*n = json_integer_value(v);
		return *n >= 0;
	}
	if (text == NULL)
		return false;
	*n = strtoll(text, &end, 10);
	return end != text && *end == '\0' && *n >= 0;
}

static bool
read_time(const json_t *v, time_t *t)
{
	long long n;

	if (json_is_null(v)) {
		*t = 0;
		return true;
	}
	if (json_is_string(v))
		return time_parse(json_string_value(v), time(NULL), t);
	if (!read_number(v, &n))
		return false;
	*t = (time_t)n;
	return n <= RECORD_TIME_MAX;
}

/* A text of one line, for that is what it will be; or null: NULL. */
static bool
read_text(TALLOC_CTX *ctx, const json_t *v, const char **field)
{
	if (!json_is_null(v) && (!json_is_string(v) ||
	    strchr(json_string_value(v), '\n') != NULL))
		return false;
	*field = json_is_null(v) ? NULL :
	    must(talloc_strdup(ctx, json_string_value(v)));
	return true;
}

static bool
read_state(const json_t *v, enum state *field)
{
	*field = json_is_string(v) ? state_parse(json_string_value(v)) :
	    STATE_NONE;
	return *field != STATE_NONE || json_is_null(v);
}

/* An array of texts, null, or one text with separators: NULL-terminated
 * words. */
static const char **
read_list(TALLOC_CTX *ctx, const json_t *v, const char *sep)
{
	const char **list = must(talloc_zero_array(ctx, const char *, 1));
	char *copy, *word, *rest;
	size_t n = 0, i;

	if (json_is_string(v)) {
		copy = must(talloc_strdup(list, json_string_value(v)));
		for (word = strtok_r(copy, sep, &rest); word != NULL;
		    word = strtok_r(NULL, sep, &rest)) {
			list = must(talloc_realloc(ctx, list, const char *,
			    (unsigned)n + 2));
			list[n++] = word;
			list[n] = NULL;
		}
		return list;
	}
	if (!json_is_null(v) && !json_is_array(v))
		return NULL;
	n = json_array_size(v);
	list = must(talloc_realloc(ctx, list, const char *, (unsigned)n + 1));
	for (i = 0; i < n; i++)
		if (!read_text(list, json_array_get(v, i), &list[i]) ||
		    list[i] == NULL)
			return NULL;
	list[n] = NULL;
	return list;
}

static bool
read_addresses(struct record *rec, const json_t *v)
{
	const char **list = read_list(rec, v, " "), **a;

	rec->address = list;
	for (a = list; a != NULL && *a != NULL; a++)
		record_fold_address((char *)(uintptr_t)*a);	/* our copies */
	return list != NULL;
}

static bool
read_floors(struct record *rec, const json_t *v)
{
	const char **list = read_list(rec, v, ";");
	unsigned long validity, next;
	struct floor *f;
	int end;

	rec->floor = NULL;
	rec->nfloor = 0;
	for (; list != NULL && *list != NULL; list++) {
		rec->floor = must(talloc_realloc(rec, rec->floor, struct floor,
		    (unsigned)rec->nfloor + 1));
		f = &rec->floor[rec->nfloor++];
		end = 0;
		if (sscanf(*list, "%32[0-9a-f] %lu %lu%n", f->guid, &validity,
		    &next, &end) != 3 || (*list)[end] != '\0' ||
		    validity > UINT32_MAX || next > UINT32_MAX)
			return false;
		f->validity = (uint32_t)validity;
		f->next = (uint32_t)next;
	}
	return list != NULL;
}

static bool
read_unknown(struct record *rec, const json_t *v)
{
	const char **list = read_list(rec, v, "\n");
	char *text = must(talloc_strdup(rec, ""));

	for (; list != NULL && *list != NULL; list++) {
		if (!record_unknown_valid(*list))
			return false;
		text = must(talloc_asprintf_append_buffer(text, "%s\n", *list));
	}
	rec->unknown = text;
	return list != NULL;
}

/* Locations and the like: where a key's text belongs. */
static const char **
text_field(struct record *rec, const char *key)
{
	const struct {
		const char *key, **field;
	} fields[] = {
		{ "old", &rec->side[OLD].mail },
		{ "old_control", &rec->side[OLD].control },
		{ "old_index", &rec->side[OLD].index },
		{ "new", &rec->side[NEW].mail },
		{ "new_control", &rec->side[NEW].control },
		{ "new_index", &rec->side[NEW].index },
	};
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strcmp(fields[i].key, key) == 0)
			return fields[i].field;
	return NULL;
}

/* What a record is shown with, but not made of. */
static bool
is_shown_only(const char *key)
{
	static const char *const shown[] = { "effective", "leader", "default",
	    "by", "at", "why", NULL };
	int i;

	for (i = 0; shown[i] != NULL; i++)
		if (strcmp(key, shown[i]) == 0)
			return true;
	return false;
}

static enum status
not_known(const char *key, struct err *err)
{
	char *all = must(talloc_strdup(NULL, ""));
	int i;

	for (i = 0; record_json_columns[i] != NULL; i++)
		all = must(talloc_asprintf_append_buffer(all, " %s",
		    record_json_columns[i]));
	(void)err_set(err, ST_NEVER, "%s is no key of a record (there are:%s)",
	    key, all);
	talloc_free(all);
	return ST_NEVER;
}

static bool
apply(struct record *rec, const char *key, const json_t *v, bool *known)
{
	const char **text = text_field(rec, key);
	long long n = 0;

	*known = true;
	if (text != NULL)
		return read_text(rec, v, text);
	if (strcmp(key, "user") == 0)
		return json_is_string(v) &&
		    strcmp(json_string_value(v), rec->user) == 0;
	if (strcmp(key, "uid") == 0) {
		if (json_is_null(v))
			n = -1;
		else if (!read_number(v, &n))
			return false;
		rec->uid = (long)n;
		return true;
	}
	if (strcmp(key, "state") == 0)
		return json_is_string(v) && read_state(v, &rec->state);
	if (strcmp(key, "entered") == 0)
		return read_state(v, &rec->entered);
	if (strcmp(key, "begin") == 0)
		return read_time(v, &rec->begin);
	if (strcmp(key, "end") == 0)
		return read_time(v, &rec->end);
	if (strcmp(key, "led") == 0 || strcmp(key, "version") == 0) {
		if (!read_number(v, &n) || n > VERSION_MAX)
			return false;
		*(*key == 'l' ? &rec->led : &rec->version) = (uint64_t)n;
		return true;
	}
	if (strcmp(key, "address") == 0)
		return read_addresses(rec, v);
	if (strcmp(key, "floor") == 0)
		return read_floors(rec, v);
	if (strcmp(key, "unknown") == 0)
		return read_unknown(rec, v);
	*known = is_shown_only(key);
	return *known;
}

enum status
record_json_apply(json_t *obj, struct record *rec, struct err *err)
{
	enum state state = STATE_NONE;
	const char *key;
	json_t *v;
	bool known;

	v = json_object_get(obj, "state");
	if (v != NULL && read_state(v, &state) && state != rec->state) {
		rec->entered = STATE_NONE;
		rec->begin = rec->end = 0;
	}
	json_object_foreach(obj, key, v) {
		if (apply(rec, key, v, &known))
			continue;
		return !known ? not_known(key, err) :
		    err_set(err, ST_NEVER, "%s: the value of %s is not valid",
		    rec->user, key);
	}
	return ST_OK;
}
