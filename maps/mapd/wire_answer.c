/* SPDX-License-Identifier: ISC */
/*
 * wire_answer.c - what mailferry-mapd answers to LDA, milter and command
 */
#include "maps/mapd/wire_answer.h"

#include <stdlib.h>
#include <string.h>

#include "maps/backend.h"
#include "maps/change.h"
#include "maps/wire.h"

#define BATCH_MAX	(128 * 1024)	/* bytes of one answer to each */
#define HISTORY_MAX	1000

struct asking {
	TALLOC_CTX		*ctx;
	struct map		*map;
	const struct wire_peer	*peer;
	char			*word[4];	/* verb and arguments, or "" */
	char			*body;		/* behind the LF, or "" */
	char			*out;
	bool			 watch;
	bool			 conflict;	/* the record had changed */
	bool			 window;	/* the answer defers */
};

static enum status
denied(struct err *err)
{
	return err_set(err, ST_NEVER, "not permitted");
}

bool
wire_may_get(const struct wire_peer *peer, const struct record *rec)
{
	return peer->admin || peer->trusted || rec->is_default ||
	    (rec->uid >= 0 && (uid_t)rec->uid == peer->uid);
}

static enum status
answer_get(struct asking *q, struct err *err)
{
	struct record *rec;
	enum status st;

	st = map_get_open(q->map, q->ctx, q->word[1], time(NULL), &rec, err);
	if (st != ST_OK)
		return q->peer->admin || st == ST_AGAIN ? st : denied(err);
	if (!wire_may_get(q->peer, rec))
		return denied(err);
	/* A client that accepts a late answer asks again before it defers. */
	if (rec->state == STATE_CUTOVER && q->word[2][0] == '\0')
		q->window = true;
	q->out = must(talloc_strdup_append_buffer(q->out,
	    record_format(q->ctx, rec)));
	return ST_OK;
}

static enum status
answer_stored(struct asking *q, struct err *err)
{
	struct record *rec;
	enum status st;

	st = map_get_stored(q->map, q->ctx, q->word[1], &rec, err);
	if (st == ST_OK)
		q->out = must(talloc_strdup_append_buffer(q->out,
		    record_format(q->ctx, rec)));
	return st;
}

static char *
cut_line(char **text)
{
	char *line = *text, *lf = strchr(line, '\n');

	if (lf == NULL) {
		*text = line + strlen(line);
		return line;
	}
	*lf = '\0';
	*text = lf + 1;
	return line;
}

static enum status
read_is(struct asking *q, const char *user, struct record **is,
    struct err *err)
{
	*is = NULL;
	if (q->body[0] == '\0')
		return ST_OK;
	return record_parse(q->ctx, user, q->body, strlen(q->body), is, err);
}

/*
 * The author of a change is the peer, as the kernel reports it; the name is not
 * looked up, since NSS may hang.  What the client says beyond that is kept as a
 * remark.
 */
static const char *
author(struct asking *q, const char *says)
{
	const char *by = q->peer->uid == 0 ? "root" : must(talloc_asprintf(
	    q->ctx, "uid %lu", (unsigned long)q->peer->uid));

	if (*says == '\0' || strcmp(says, by) == 0)
		return by;
	return must(talloc_asprintf(q->ctx, "%s (says %s)", by, says));
}

/* `BY LF WHY LF`, cut off the body.  When is our own clock's. */
static struct change_by
read_by(struct asking *q)
{
	char *by = cut_line(&q->body), *why = cut_line(&q->body);

	change_unescape(by);
	change_unescape(why);
	return (struct change_by){ author(q, by), time(NULL), why };
}

static enum status
answer_replace(struct asking *q, struct err *err)
{
	uint64_t was_version = strtoull(q->word[2], NULL, 10), version = 0;
	struct change_by by = read_by(q);
	struct record *was = NULL, *is;
	enum status st;

	st = read_is(q, q->word[1], &is, err);
	if (st == ST_OK)
		st = map_get_stored(q->map, q->ctx, q->word[1], &was, err);
	if (st == ST_NONE)
		st = ST_OK;
	if (st != ST_OK)
		return st;
	q->conflict = (was == NULL ? 0 : was->version) != was_version;
	if (q->conflict)
		return err_set(err, ST_AGAIN,
		    "somebody else changed the record of %s", q->word[1]);
	if (was == NULL && is == NULL)
		return ST_NONE;
	st = map_replace(q->map, was, is, &by, &version, err);
	if (st == ST_OK)
		q->out = must(talloc_asprintf_append_buffer(q->out, "%llu",
		    (unsigned long long)version));
	return st;
}

static enum status
put_record(const struct record *rec, void *arg, struct err *err)
{
	struct asking *q = arg;
	char *text = record_format(q->ctx, rec);

	(void)err;
	q->out = must(talloc_asprintf_append_buffer(q->out, "%zu\n%s",
	    strlen(text), text));
	talloc_free(text);
	return talloc_get_size(q->out) < BATCH_MAX ? ST_OK : ST_NONE;
}

static enum status
answer_each(struct asking *q, struct err *err)
{
	char *cursor = must(talloc_strdup(q->ctx, q->word[1]));
	char *head = q->out;
	enum status st;

	if (q->map->ops->each == NULL)
		return ST_NONE;
	q->out = must(talloc_strdup(q->ctx, ""));
	st = q->map->ops->each(q->map, q->ctx, &cursor, put_record, q, err);
	q->out = must(talloc_asprintf(q->ctx, "%s%s\n%s", head, cursor,
	    q->out));
	return st;
}

static enum status
put_change(const struct change *ch, void *arg, struct err *err)
{
	struct asking *q = arg;
	size_t len;
	char *text = change_format(q->ctx, ch, 0, &len);

	(void)err;
	q->out = must(talloc_asprintf_append_buffer(q->out, "%zu\n%s", len,
	    text));
	talloc_free(text);
	return talloc_get_size(q->out) < BATCH_MAX ? ST_OK : ST_NONE;
}

static enum status
answer_history(struct asking *q, struct err *err)
{
	const char *user = strcmp(q->word[1], "*") == 0 ? NULL :
	    strcmp(q->word[1], "**") == 0 ? RECORD_DEFAULT : q->word[1];
	int limit = atoi(q->word[2]);

	return map_history(q->map, user, limit < 1 || limit > HISTORY_MAX ?
	    HISTORY_MAX : limit, put_change, q, err);
}

static enum status
answer_watch(struct asking *q, struct err *err)
{
	(void)err;
	q->watch = true;
	return ST_OK;
}

static enum status
answer_address(struct asking *q, struct err *err)
{
	char *user = NULL;
	enum status st;

	st = map_by_address(q->map, q->ctx, q->word[1], &user, err);
	if (st == ST_OK)
		q->out = must(talloc_strdup_append_buffer(q->out, user));
	return st;
}

static enum status
answer_recipient(struct asking *q, struct err *err)
{
	bool local = strcmp(q->word[1], "local") == 0;
	struct record *rec;
	enum status st;

	if (!q->peer->admin && !q->peer->trusted)
		return denied(err);
	st = map_recipient(q->map, q->ctx, q->body, strlen(q->body), local,
	    time(NULL), &rec, err);
	if (st == ST_OK)
		q->out = must(talloc_strdup_append_buffer(q->out,
		    record_format(q->ctx, rec)));
	return st;
}

static enum status
answer_begin(struct asking *q, struct err *err)
{
	char *id = NULL;
	enum status st;

	st = map_import_begin(q->map, q->ctx, &id, err);
	if (st == ST_OK)
		q->out = must(talloc_strdup_append_buffer(q->out, id));
	return st;
}

static enum status
answer_put(struct asking *q, struct err *err)
{
	const char *user = q->word[2];
	struct change_by by;
	struct record *is;
	enum status st;

	(void)cut_line(&q->body);	/* the client's clock */
	by = read_by(q);
	st = read_is(q, user, &is, err);
	if (st == ST_OK && is == NULL)
		st = err_set(err, ST_NEVER, "an import deletes nobody");
	return st == ST_OK ? map_import_put(q->map, q->word[1],
	    strtoull(q->word[3], NULL, 10), is, &by, err) : st;
}

static enum status
answer_commit(struct asking *q, struct err *err)
{
	uint64_t left;
	enum status st;

	st = map_import_commit(q->map, q->word[1], &left, err);
	if (st == ST_OK)
		q->out = must(talloc_asprintf_append_buffer(q->out, "%llu",
		    (unsigned long long)left));
	return st;
}

static enum status
answer_abort(struct asking *q, struct err *err)
{
	(void)err;
	map_import_abort(q->map, q->word[1]);
	return ST_OK;
}

static const struct verb {
	const char	 *name;
	enum status	(*answer)(struct asking *, struct err *);
	bool		  anyone;	/* the verb checks permission itself */
} verbs[] = {
	{ "get",	answer_get,	true },
	{ "stored",	answer_stored,	false },
	{ "replace",	answer_replace,	false },
	{ "each",	answer_each,	false },
	{ "history",	answer_history,	false },
	{ "watch",	answer_watch,	false },
	{ "address",	answer_address,	false },
	{ "recipient",	answer_recipient, true },
	{ "begin",	answer_begin,	false },
	{ "put",	answer_put,	false },
	{ "commit",	answer_commit,	false },
	{ "abort",	answer_abort,	false },
};

static enum status
dispatch(struct asking *q, struct err *err)
{
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(q->word[0], verbs[i].name) == 0)
			return verbs[i].anyone || q->peer->admin ?
			    verbs[i].answer(q, err) : denied(err);
	return q->peer->admin ? err_set(err, ST_NEVER,
	    "no such request: is mailferry-mapd older than you?") : denied(err);
}

/* The line's words; a user's name has no blank. */
static void
split(struct asking *q, char *text)
{
	char *line = cut_line(&text);
	int i;

	q->body = text;
	for (i = 0; i < 4; i++) {
		q->word[i] = line;
		line += strcspn(line, " ");
		if (*line != '\0')
			*line++ = '\0';
	}
}

static void
map_answer(TALLOC_CTX *ctx, struct map *map, const struct wire_peer *peer,
    const char *request, size_t len, struct answer *out)
{
	struct asking q = { .ctx = ctx, .map = map, .peer = peer };
	enum status st;
	struct err err;

	q.out = must(talloc_strdup(ctx, "OK\n"));
	if (memchr(request, '\0', len) != NULL)
		st = err_set(&err, ST_NEVER, "a NUL in the request");
	else {
		split(&q, must(talloc_strndup(ctx, request, len)));
		st = dispatch(&q, &err);
	}
	if (st == ST_NONE)
		q.out = must(talloc_strdup(ctx, "NONE"));
	else if (st != ST_OK)
		q.out = must(talloc_asprintf(ctx, "%s %s", st == ST_AGAIN ?
		    "AGAIN" : "NEVER", err.text));
	out->st = st;
	out->conflict = q.conflict;
	out->window = q.window;
	out->watch = q.watch;
	out->data = q.out;
	out->len = strlen(q.out);
}

/*
 * The milter's question, since the LDA decides; and the LDA's first question,
 * which only selects the locks: it asks again under them.
 */
static int
map_late(const char *req, size_t len)
{
	static const char recipient[] = "recipient ", get[] = "get ";
	const size_t word = sizeof(WIRE_LATE) - 1;

	if (len >= sizeof(recipient) - 1 &&
	    memcmp(req, recipient, sizeof(recipient) - 1) == 0)
		return LATE_AS_LEASED;
	return len > sizeof(get) - 1 + word &&
	    memcmp(req, get, sizeof(get) - 1) == 0 &&
	    memcmp(req + len - word, WIRE_LATE, word) == 0 ? LATE_A_MOMENT : 0;
}

const struct protocol protocol_map = {
	.name = "map", .netstrings = true, .request_max = WIRE_REQUEST_MAX,
	.answer = map_answer, .late = map_late,
	.busy = "AGAIN too many clients, or a map that does not answer",
};

char *
wire_change(TALLOC_CTX *ctx, const struct change *ch, size_t *alen)
{
	size_t len;
	char *text = change_format(ctx, ch, 0, &len);
	char *out = must(talloc_asprintf(ctx, "OK\n%zu\n%s", len, text));

	*alen = strlen(out);
	return out;
}
