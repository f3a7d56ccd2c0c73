/* SPDX-License-Identifier: ISC */
/*
 * said.c - what a worker process reports to the loop, as bytes
 */
#include "maps/mapd/said.h"

#include <inttypes.h>
#include <string.h>

#include "maps/base/netstring.h"

#define WORDS	4
#define FLAGS	4
#define LINE	100			/* bytes; the longest has some 60 */

static const char *const answer_flags = "cwfh";
static const char *const change_flags = "i";
static const char *const record_flags = "stc";

static const char *const events[] = {
	[FOLLOW_BEGIN] = "begin", [FOLLOW_RECORD] = "record",
	[FOLLOW_COMPLETE] = "complete", [FOLLOW_ALIVE] = "alive",
};
#define EVENTS (sizeof(events) / sizeof(events[0]))

struct reading {
	char		 line[LINE];
	char		*word[WORDS];	/* of the line */
	int		 words;
	const char	*body, *end;	/* behind the LF; NULL: none */
};

/* Exactly one blank between two words, none before or behind. */
static bool
split(struct reading *r, const char *payload, size_t len)
{
	const char *lf = memchr(payload, '\n', len);
	size_t n = lf == NULL ? len : (size_t)(lf - payload);
	char *p = r->line;

	if (n >= sizeof(r->line) || memchr(payload, '\0', n) != NULL)
		return false;
	memcpy(r->line, payload, n);
	r->line[n] = '\0';
	r->body = lf == NULL ? NULL : lf + 1;
	r->end = payload + len;
	for (r->words = 0; p != NULL; r->words++) {
		if (r->words == WORDS || *p == ' ' || *p == '\0')
			return false;
		r->word[r->words] = p;
		p = strchr(p, ' ');
		if (p != NULL)
			*p++ = '\0';
	}
	return true;
}

/* In its only form: no sign, no leading zero. */
static bool
number(const char *text, uint64_t *n)
{
	const char *p = text;

	for (*n = 0; *p >= '0' && *p <= '9'; p++) {
		if (*n > (UINT64_MAX - (uint64_t)(*p - '0')) / 10)
			return false;
		*n = *n * 10 + (uint64_t)(*p - '0');
	}
	return p != text && *p == '\0' && (*text != '0' || p == text + 1);
}

/* Letters of `known`, each at most once and in that order. */
static bool
flags(const char *text, const char *known, bool *yes)
{
	size_t i;

	memset(yes, 0, FLAGS * sizeof(*yes));
	if (strcmp(text, "-") == 0)
		return true;
	for (i = 0; known[i] != '\0'; i++)
		if (*text == known[i]) {
			yes[i] = true;
			text++;
		}
	return *text == '\0';
}

/* The next of the body's strings, with its NUL; NULL: there is none. */
static const char *
cut(struct reading *r)
{
	const char *text = r->body;
	const char *nul = text == NULL ? NULL : memchr(text, '\0',
	    (size_t)(r->end - text));

	if (nul == NULL)
		return NULL;
	r->body = nul + 1;
	return text;
}

static bool
read_answer(struct reading *r, struct said *said)
{
	struct answer *a = &said->answer;
	bool yes[FLAGS];

	if (r->words != 3 || !flags(r->word[2], answer_flags, yes))
		return false;
	a->st = ST_OK;
	while (strcmp(r->word[1], status_name(a->st)) != 0)
		if (a->st++ == ST_NEVER)
			return false;
	a->conflict = yes[0];
	a->window = yes[1];
	a->watch = yes[2];
	a->close = yes[3];
	a->why = cut(r);
	if (a->why == NULL)
		return false;
	if (*a->why == '\0')
		a->why = NULL;
	a->data = (char *)(uintptr_t)r->body;
	a->len = (size_t)(r->end - r->body);
	return true;
}

static bool
read_change(struct reading *r, struct said *said)
{
	bool yes[FLAGS];

	if (r->words != 2 || r->body == NULL || r->body == r->end ||
	    !flags(r->word[1], change_flags, yes))
		return false;
	said->imported = yes[0];
	said->change = r->body;
	said->change_len = (size_t)(r->end - r->body);
	return memchr(said->change, '\0', said->change_len) == NULL;
}

static bool
user_valid(const char *user)
{
	return record_user_valid(user) || strcmp(user, RECORD_DEFAULT) == 0;
}

static bool
read_record(struct reading *r, struct said *said)
{
	struct followed *rec = &said->rec;
	bool yes[FLAGS];

	if (r->words != 4 || !number(r->word[1], &rec->version) ||
	    !number(r->word[2], &rec->seq) ||
	    !flags(r->word[3], record_flags, yes))
		return false;
	rec->staged = yes[0];
	rec->user = cut(r);
	if (rec->user == NULL || !user_valid(rec->user))
		return false;
	if (yes[1] && (rec->text = cut(r)) == NULL)
		return false;
	if (yes[2] && (rec->change = cut(r)) == NULL)
		return false;
	return r->body == r->end;
}

static bool
read_event(struct reading *r, struct said *said)
{
	size_t i;

	for (i = 0; strcmp(r->word[0], events[i]) != 0;)
		if (++i == EVENTS)
			return false;
	said->event = (enum follow_event)i;
	return said->event == FOLLOW_RECORD ? read_record(r, said) :
	    r->words == 1 && r->body == NULL;
}

static bool
read_report(struct reading *r, struct said *said)
{
	if (strcmp(r->word[0], "answer") == 0) {
		said->what = SAID_ANSWER;
		return read_answer(r, said);
	}
	if (strcmp(r->word[0], "change") == 0) {
		said->what = SAID_CHANGE;
		return read_change(r, said);
	}
	said->what = SAID_FOLLOWED;
	return read_event(r, said);
}

/* All records come between BEGIN and COMPLETE, later those that change. */
static bool
may_follow(struct speaker *sp, enum follow_event event)
{
	switch (event) {
	case FOLLOW_BEGIN:
		sp->begun = true;
		sp->whole = false;
		return true;
	case FOLLOW_RECORD:
		return sp->begun;
	case FOLLOW_COMPLETE:
		if (!sp->begun || sp->whole)
			return false;
		sp->whole = true;
		return true;
	case FOLLOW_ALIVE:
		return sp->whole;
	}
	return false;
}

static bool
may_say(struct speaker *sp, const struct said *said)
{
	bool due = sp->asked;

	switch (said->what) {
	case SAID_ANSWER:
		sp->asked = false;
		return sp->role == ANSWERS && due;
	case SAID_CHANGE:
		return sp->role != FOLLOWS;
	case SAID_FOLLOWED:
		return sp->role == FOLLOWS && may_follow(sp, said->event);
	}
	return false;
}

enum status
said_parse(struct speaker *sp, const char *buf, size_t len, struct said *said,
    size_t *used)
{
	const char *payload;
	struct reading r;
	enum status st;
	size_t plen;

	st = netstring_parse(buf, len, SAID_MAX, &payload, &plen, used);
	if (st != ST_OK)
		return st;
	*said = (struct said){ .what = SAID_ANSWER };
	return split(&r, payload, plen) && read_report(&r, said) &&
	    may_say(sp, said) ? ST_OK : ST_NEVER;
}

static const char *
put_flags(char text[FLAGS + 1], const char *known, const bool *yes)
{
	char *p = text;
	size_t i;

	for (i = 0; known[i] != '\0'; i++)
		if (yes[i])
			*p++ = known[i];
	if (p == text)
		*p++ = '-';
	*p = '\0';
	return text;
}

static char *
put_line(TALLOC_CTX *ctx, const struct said *said)
{
	const struct answer *a = &said->answer;
	const struct followed *rec = &said->rec;
	char text[FLAGS + 1];

	switch (said->what) {
	case SAID_ANSWER:
		return talloc_asprintf(ctx, "answer %s %s\n",
		    status_name(a->st), put_flags(text, answer_flags,
		    (bool []){ a->conflict, a->window, a->watch, a->close }));
	case SAID_CHANGE:
		return talloc_asprintf(ctx, "change %s\n", put_flags(text,
		    change_flags, &said->imported));
	case SAID_FOLLOWED:
		break;
	}
	return said->event != FOLLOW_RECORD ?
	    talloc_strdup(ctx, events[said->event]) :
	    talloc_asprintf(ctx, "record %" PRIu64 " %" PRIu64 " %s\n",
	    rec->version, rec->seq, put_flags(text, record_flags, (bool []){
	    rec->staged, rec->text != NULL, rec->change != NULL }));
}

struct part {
	const void	*data;
	size_t		 len;
};

static struct part
string(const char *text)		/* with its NUL; NULL has no bytes */
{
	return (struct part){ text, text == NULL ? 0 : strlen(text) + 1 };
}

/* The body, in at most three parts. */
static void
parts(const struct said *said, struct part part[3])
{
	memset(part, 0, 3 * sizeof(part[0]));
	switch (said->what) {
	case SAID_ANSWER:
		part[0] = string(said->answer.why == NULL ? "" :
		    said->answer.why);
		part[1] = (struct part){ said->answer.data, said->answer.len };
		return;
	case SAID_CHANGE:
		part[0] = (struct part){ said->change, said->change_len };
		return;
	case SAID_FOLLOWED:
		if (said->event != FOLLOW_RECORD)
			return;
		part[0] = string(said->rec.user);
		part[1] = string(said->rec.text);
		part[2] = string(said->rec.change);
	}
}

char *
said_format(TALLOC_CTX *ctx, const struct said *said, size_t *len)
{
	char head[NETSTRING_OVERHEAD], *line, *out, *p;
	size_t n, hlen;
	struct part part[3];
	int i;

	if (said->what == SAID_FOLLOWED && said->event == FOLLOW_RECORD &&
	    !user_valid(said->rec.user))
		return NULL;
	line = must(put_line(NULL, said));
	parts(said, part);
	n = strlen(line) + part[0].len + part[1].len + part[2].len;
	hlen = netstring_head(head, n);
	out = must(talloc_size(ctx, hlen + n + 1));
	p = mempcpy(out, head, hlen);
	p = mempcpy(p, line, strlen(line));
	for (i = 0; i < 3; i++)
		if (part[i].len > 0)
			p = mempcpy(p, part[i].data, part[i].len);
	*p = ',';
	*len = hlen + n + 1;
	talloc_free(line);
	if (n > SAID_MAX)
		TALLOC_FREE(out);
	return out;
}
