/* SPDX-License-Identifier: ISC */
/*
 * dict.c - what mailferry-mapd answers to Dovecot
 */
#include "maps/mapd/dict.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "maps/address.h"
#include "maps/backend.h"
#include "maps/location.h"
#include "maps/mapd/wire_answer.h"
#include "maps/policy.h"
#include "maps/route.h"

struct asking {
	TALLOC_CTX		*ctx;
	struct map		*map;
	const struct wire_peer	*peer;
	struct record		*rec;
	struct plan		 plan;
	struct answer		*out;
};

static enum status
parse_line(const char *buf, size_t len, const char **req, size_t *rlen,
    size_t *used)
{
	const char *lf = memchr(buf, '\n', len);

	if (lf == NULL)
		return len > DICT_REQUEST_MAX ? ST_NEVER : ST_AGAIN;
	*req = buf;
	*rlen = (size_t)(lf - buf);
	*used = *rlen + 1;
	return *rlen > DICT_REQUEST_MAX ? ST_NEVER : ST_OK;
}

/* In place; returns the new length.  An escape that is not valid is kept. */
static size_t
unescape(char *text)
{
	static const char from[] = "01trn";
	static const char to[] = { '\0', 1, '\t', '\r', '\n' };
	const char *p, *which;
	char *out = text;

	for (p = text; *p != '\0'; p++) {
		which = *p == 1 && p[1] != '\0' ? strchr(from, p[1]) : NULL;
		*out++ = which == NULL ? *p : to[which - from];
		p += which != NULL;
	}
	*out = '\0';
	return (size_t)(out - text);
}

/* A JSON string without any byte that the line would have to escape. */
static char *
put_json(char *out, const char *text)
{
	const char *p;

	out = must(talloc_strdup_append_buffer(out, "\""));
	for (p = text; *p != '\0'; p++)
		out = must(*p == '"' || *p == '\\' ?
		    talloc_asprintf_append_buffer(out, "\\%c", *p) :
		    (unsigned char)*p < ' ' ?
		    talloc_asprintf_append_buffer(out, "\\u%04x", *p) :
		    talloc_strndup_append_buffer(out, p, 1));
	return must(talloc_strdup_append_buffer(out, "\""));
}

static void
say(struct asking *q, char letter, const char *text)
{
	q->out->data = must(talloc_asprintf(q->ctx, "%c%s\n", letter, text));
	q->out->len = strlen(q->out->data);
}

/* A reason on one line of ASCII. */
static void
fail(struct asking *q, enum status st, const char *why)
{
	char *copy = must(talloc_strdup(q->ctx, why)), *p;

	for (p = copy; *p != '\0'; p++)
		if (*p < ' ' || *p == 0x7f)
			*p = '?';
	q->out->st = st;
	say(q, 'F', copy);
}

static void
hang_up(struct asking *q, const char *why)
{
	q->out->st = ST_NEVER;
	q->out->close = true;
	q->out->why = why;
}

/* NAME@DOMAIN with a domain of ours is NAME, unless that is a user's name. */
static enum status
find_user(struct asking *q, const char *name, time_t now, struct err *err)
{
	const char *at = strrchr(name, '@');
	enum status st;
	char *local;

	if (!record_user_valid(name))
		return ST_NONE;
	st = map_get_open(q->map, q->ctx, name, now, &q->rec, err);
	if (st != ST_OK || !q->rec->is_default || at == NULL ||
	    !address_is_ours(q->map->conf, at + 1))
		return st;
	local = must(talloc_strndup(q->ctx, name, (size_t)(at - name)));
	return record_user_valid(local) ? map_get_open(q->map, q->ctx, local,
	    now, &q->rec, err) : ST_OK;
}

static enum status
answer_userdb(struct asking *q, char **json, struct err *err)
{
	const struct location *loc = &q->rec->side[q->plan.leader];
	enum status st;

	if (!q->peer->dict && !wire_may_get(q->peer, q->rec))
		return err_set(err, ST_NEVER, "uid %ld may not ask for %s: see "
		    "trusted_users in mailferry.conf(5)", (long)q->peer->uid,
		    q->rec->user);
	/* Home directories are not known here; Dovecot may know them. */
	st = record_locate(q->rec, q->map->conf, HOME_OPEN, err);
	if (st != ST_OK)
		return st;
	if (loc->mail == NULL)
		return err_set(err, ST_NEVER, "%s: the record has no %s "
		    "location, and %s_mail is not set", q->rec->user,
		    side_name(q->plan.leader), side_name(q->plan.leader));
	*json = put_json(must(talloc_strdup(q->ctx, "{\"mail\":")),
	    policy_dovecot(q->ctx, loc));
	if (q->rec->uid >= 0)
		*json = must(talloc_asprintf_append_buffer(*json,
		    ",\"uid\":%ld", q->rec->uid));
	*json = must(talloc_strdup_append_buffer(*json, "}"));
	return ST_OK;
}

static enum status
answer_passdb(struct asking *q, char **json, struct err *err)
{
	(void)err;
	*json = must(talloc_asprintf(q->ctx, "{\"leader\":\"%s\"}",
	    side_name(q->plan.leader)));
	return ST_OK;
}

static const struct table {
	const char	 *prefix;
	enum status	(*answer)(struct asking *, char **json, struct err *);
} tables[] = {
	{ "shared/userdb/",	answer_userdb },
	{ "shared/passdb/",	answer_passdb },
};

static const struct table *
find_table(const char *key)
{
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (strncmp(key, tables[i].prefix,
		    strlen(tables[i].prefix)) == 0)
			return &tables[i];
	return NULL;
}

/* During a window nothing else that is known of the user counts. */
static enum status
look_up(struct asking *q, const struct table *table, const char *user,
    char **json, struct err *err)
{
	time_t now = time(NULL);
	enum status st;

	st = find_user(q, user, now, err);
	if (st != ST_OK)
		return st;
	if (route(q->rec, now, &q->plan) != ST_OK) {
		q->out->window = true;
		return err_set(err, ST_AGAIN, "%s", policy_window(q->ctx,
		    q->map->conf, q->plan.retry_after));
	}
	return table->answer(q, json, err);
}

static void
answer_lookup(struct asking *q, char *key)
{
	const struct table *table;
	enum status st = ST_NONE;
	char *json = NULL;
	struct err err;
	size_t len;

	key[strcspn(key, "\t")] = '\0';	/* the user again: not needed */
	len = unescape(key);
	table = find_table(key);
	if (table != NULL && strlen(key) == len)
		st = look_up(q, table, key + strlen(table->prefix), &json,
		    &err);
	if (st == ST_OK)
		say(q, 'O', json);
	else if (st == ST_NONE)
		say(q, 'N', "");
	else
		fail(q, st, err.text);
	q->out->st = st;
}

static void
answer_hello(struct asking *q, const char *args)
{
	if (strtoul(args, NULL, 10) != DICT_MAJOR || *args < '0' || *args > '9')
		hang_up(q, "a version of Dovecot's dict protocol other than 3, "
		    "which is that of Dovecot 2.3; for 2.4 see "
		    "mailferry-dovecot(5)");
}

static void
dict_answer(TALLOC_CTX *ctx, struct map *map, const struct wire_peer *peer,
    const char *req, size_t len, struct answer *out)
{
	struct asking q = { .ctx = ctx, .map = map, .peer = peer, .out = out };
	char *line = must(talloc_strndup(ctx, req, len));

	if (strlen(line) != len) {
		hang_up(&q,
		    "a line with a NUL byte, which Dovecot never sends");
		return;
	}
	switch (*line) {
	case 'H':
		answer_hello(&q, line + 1);
		return;
	case 'L':
		answer_lookup(&q, line + 1);
		return;
	case 'I':
		fail(&q, ST_NEVER, "users are not listed here: set "
		    "iterate_disable = yes");
		return;
	case 'C':
	case 'D':				/* ID TAB REASON */
		out->st = ST_NEVER;
		say(&q, 'F', must(talloc_asprintf(ctx,
		    "%lu\tnothing is written here: see mailferry(8)",
		    strtoul(line + 1, NULL, 10))));
		return;
	case 'B': case 'R': case 'S': case 'U': case 'A': case 'T': case 'V':
		return;				/* it waits for no answer */
	default:
		hang_up(&q,
		    "a command that Dovecot's dict protocol does not have");
	}
}

/* A step kicks the sessions that log in by the record from before it. */
static int
dict_late(const char *req, size_t len)
{
	(void)req;
	(void)len;
	return LATE_A_MOMENT;
}

const struct protocol protocol_dict = {
	.name = "dict", .request_max = DICT_REQUEST_MAX, .parse = parse_line,
	.answer = dict_answer, .late = dict_late,
	.busy = "Ftoo many clients of mailferry-mapd\n",
};
