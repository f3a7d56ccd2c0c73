/* SPDX-License-Identifier: ISC */
/*
 * socketmap.c - what mailferry-mapd answers to Postfix
 */
#include "maps/mapd/socketmap.h"

#include <string.h>
#include <time.h>

#include "maps/backend.h"
#include "maps/policy.h"
#include "maps/route.h"

struct asking {
	TALLOC_CTX	*ctx;
	struct map	*map;
	const struct record *rec;
	time_t		 now;
	bool		 window;
};

static enum status
answer_transport(struct asking *q, char **text, struct err *err)
{
	return policy_transport(q->ctx, q->map->conf, q->rec->user,
	    q->rec->state, text, err);
}

static enum status
answer_access(struct asking *q, char **text, struct err *err)
{
	struct plan plan;

	(void)err;
	if (route(q->rec, q->now, &plan) == ST_OK)
		return ST_NONE;
	q->window = true;
	*text = must(talloc_asprintf(q->ctx, "450 4.2.1 %s",
	    policy_window(q->ctx, q->map->conf, plan.retry_after)));
	return ST_OK;
}

static const struct table {
	const char	 *name;
	enum status	(*answer)(struct asking *, char **text, struct err *);
} tables[] = {
	{ "transport",	answer_transport },
	{ "access",	answer_access },
};

static const struct table *
find_table(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (strlen(tables[i].name) == len &&
		    memcmp(tables[i].name, name, len) == 0)
			return &tables[i];
	return NULL;
}

/* The answer, as one line of printable ASCII. */
static char *
put(TALLOC_CTX *ctx, const char *word, const char *text)
{
	size_t wlen = strlen(word), tlen = strlen(text);
	char *out = must(talloc_size(ctx, wlen + tlen + 2)), *p;

	p = mempcpy(out, word, wlen);
	*p++ = ' ';
	memcpy(p, text, tlen + 1);
	for (; *p != '\0'; p++)
		if (*p < ' ' || *p == 0x7f)
			*p = '?';
	return out;
}

static char *
say(TALLOC_CTX *ctx, enum status st, const char *text, const struct err *err)
{
	switch (st) {
	case ST_OK:
		return put(ctx, "OK", text);
	case ST_NONE:
		return put(ctx, "NOTFOUND", "");
	case ST_AGAIN:
	case ST_NEVER:		/* it can be mended: no mail bounces for it */
		break;
	}
	return put(ctx, "TEMP", err->text);
}

static void
socketmap_answer(TALLOC_CTX *ctx, struct map *map, const struct wire_peer *peer,
    const char *req, size_t len, struct answer *out)
{
	struct asking q = { .ctx = ctx, .map = map, .now = time(NULL) };
	const char *blank = memchr(req, ' ', len);
	const struct table *table = blank == NULL ? NULL :
	    find_table(req, (size_t)(blank - req));
	struct record *rec = NULL;
	char *text = NULL;
	struct err err;

	(void)peer;			/* any client may ask where mail goes */
	if (table == NULL) {
		out->st = ST_NEVER;
		out->data = put(ctx, "PERM", blank == NULL ?
		    "a request is MAP ADDRESS" :
		    "no such map: there are transport and access");
	} else {
		out->st = map_recipient(map, ctx, blank + 1,
		    len - (size_t)(blank + 1 - req), false, q.now, &rec, &err);
		q.rec = rec;
		if (out->st == ST_OK)
			out->st = table->answer(&q, &text, &err);
		out->data = say(ctx, out->st, text, &err);
	}
	out->len = strlen(out->data);
	out->window = q.window;
}

/* Postfix only chooses where to send a message; the LDA decides. */
static int
socketmap_late(const char *req, size_t len)
{
	(void)req;
	(void)len;
	return LATE_AS_LEASED;
}

const struct protocol protocol_socketmap = {
	.name = "socketmap", .netstrings = true,
	.request_max = SOCKETMAP_REQUEST_MAX, .answer = socketmap_answer,
	.late = socketmap_late, .patience = SOCKETMAP_PATIENCE,
	.busy = "TEMP too many clients of mailferry-mapd, or its map does not "
	    "answer",
};
