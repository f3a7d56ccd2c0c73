/* SPDX-License-Identifier: ISC */
/*
 * change.c - the text form of one change of the map
 */
#include "maps/change.h"

#include <stdlib.h>
#include <string.h>

void
change_unescape(char *text)
{
	char *out = text;

	for (; *text != '\0'; text++) {
		if (*text == '\\' && text[1] != '\0') {
			text++;
			*out++ = *text == 'n' ? '\n' : *text;
		} else
			*out++ = *text;
	}
	*out = '\0';
}

char *
change_cut_line(char **text)
{
	char *line = *text, *lf = strchr(line, '\n');

	if (lf == NULL)
		return NULL;
	*lf = '\0';
	*text = lf + 1;
	return line;
}

static char *
put_record(char *out, const char *key, const struct record *rec)
{
	char *text;

	if (rec == NULL)
		return out;
	text = record_format(out, rec);
	out = must(talloc_asprintf_append_buffer(out, "%s %zu\n%s", key,
	    strlen(text), text));
	return out;
}

char *
change_format(TALLOC_CTX *ctx, const struct change *ch, uint64_t prev,
    size_t *len)
{
	char *by = record_escape(ctx, ch->by.by);
	char *why = record_escape(ctx, ch->by.why);
	char *out;

	out = must(talloc_asprintf(ctx,
	    "seq %llu\nuser %s\nprev %llu\nby %s\nat %lld\nwhy %s\n",
	    (unsigned long long)ch->seq, ch->user, (unsigned long long)prev, by,
	    (long long)ch->by.at, why));
	out = put_record(out, "was", ch->was);
	out = put_record(out, "is", ch->is);
	talloc_free(by);
	talloc_free(why);
	*len = strlen(out);
	return out;
}

struct reading {
	TALLOC_CTX	*ctx;
	char		*next;		/* what is not read yet, ends in NUL */
	struct change	*ch;
	uint64_t	 prev;
};

static enum status
bad(struct err *err)
{
	return err_set(err, ST_NEVER, "an entry of the history is damaged");
}

static enum status
read_record(struct reading *r, const char *length, const struct record **rec,
    struct err *err)
{
	unsigned long len = strtoul(length, NULL, 10);
	struct record *got;
	enum status st;

	if (r->ch->user == NULL || len > strlen(r->next))
		return bad(err);
	st = record_parse(r->ctx, r->ch->user, r->next, len, &got, err);
	if (st == ST_OK)
		*rec = got;
	r->next += len;
	return st;
}

static enum status
read_line(struct reading *r, char *key, char *value, struct err *err)
{
	if (strcmp(key, "seq") == 0)
		r->ch->seq = strtoull(value, NULL, 10);
	else if (strcmp(key, "prev") == 0)
		r->prev = strtoull(value, NULL, 10);
	else if (strcmp(key, "at") == 0)
		r->ch->by.at = (time_t)strtoll(value, NULL, 10);
	else if (strcmp(key, "user") == 0) {
		if (r->ch->user != NULL)
			return bad(err);	/* `was` needs the user */
		r->ch->user = value;
	} else if (strcmp(key, "by") == 0 || strcmp(key, "why") == 0) {
		change_unescape(value);
		*(key[0] == 'b' ? &r->ch->by.by : &r->ch->by.why) = value;
	} else if (strcmp(key, "was") == 0)
		return read_record(r, value, &r->ch->was, err);
	else if (strcmp(key, "is") == 0)
		return read_record(r, value, &r->ch->is, err);
	return ST_OK;			/* a newer program's line */
}

enum status
change_parse(TALLOC_CTX *ctx, const char *text, size_t len, struct change *ch,
    uint64_t *prev, struct err *err)
{
	struct reading r = { ctx, NULL, ch, 0 };
	char *line, *value;
	enum status st = ST_OK;

	*ch = (struct change){ .by = { "", 0, "" } };
	r.next = must(talloc_strndup(ctx, text, len));
	while (*r.next != '\0' && st == ST_OK) {
		line = r.next;
		r.next += strcspn(line, "\n");
		value = strchr(line, ' ');
		if (*r.next != '\n' || value == NULL || value > r.next)
			return bad(err);
		*r.next++ = '\0';
		*value++ = '\0';
		st = read_line(&r, line, value, err);
	}
	if (st == ST_OK && ch->user == NULL)
		st = bad(err);
	if (prev != NULL)
		*prev = r.prev;
	return st;
}

const struct record *
change_finish(TALLOC_CTX *ctx, const struct record *is, uint64_t before,
    const struct change_by *by)
{
	struct record *rec = record_copy(ctx, is);

	if (before >= rec->version) {	/* there was one of this name */
		if (rec->led == rec->version)
			rec->led = before + 1;
		rec->version = before + 1;
	}
	rec->by = must(talloc_strdup(rec, by->by));
	rec->why = must(talloc_strdup(rec, by->why));
	rec->at = by->at;
	return rec;
}
