/* SPDX-License-Identifier: ISC */
/*
 * record_format.c - what the map knows of one user: its text form written
 *
 * mapd writes one for every answer: into one piece of memory that seldom has to
 * grow, and without printf.
 */
#include <stdint.h>
#include <string.h>

#include "maps/record.h"

#define ROOM	1024			/* bytes: most records fit */
#define DIGITS	20			/* of 2^64 */

struct text {
	char	*p;			/* talloc; not terminated meanwhile */
	size_t	 len, room;
};

static void
bytes(struct text *t, const char *data, size_t len)
{
	if (t->room - t->len < len) {
		t->room = t->room * 2 + len;
		t->p = must(talloc_realloc_size(NULL, t->p, t->room));
	}
	memcpy(t->p + t->len, data, len);
	t->len += len;
}

static void
word(struct text *t, const char *s)
{
	bytes(t, s, strlen(s));
}

static void
number(struct text *t, uint64_t n)
{
	char digits[DIGITS], *p = digits + sizeof(digits);

	do
		*--p = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	bytes(t, p, (size_t)(digits + sizeof(digits) - p));
}

static void
put(struct text *t, const char *key, const char *value)
{
	if (value == NULL)
		return;
	word(t, key);
	word(t, " ");
	word(t, value);
	word(t, "\n");
}

static void
put_number(struct text *t, const char *key, uint64_t n)
{
	word(t, key);
	word(t, " ");
	number(t, n);
	word(t, "\n");
}

static void
put_two(struct text *t, const char *key, uint64_t a, uint64_t b)
{
	word(t, key);
	word(t, " ");
	number(t, a);
	word(t, " ");
	number(t, b);
	word(t, "\n");
}

static void
put_text(struct text *t, const char *key, const char *value)
{
	char *line;

	if (*value == '\0')
		return;
	line = record_escape(NULL, value);
	put(t, key, line);
	talloc_free(line);
}

static void
put_side(struct text *t, const char *mail, const char *control,
    const char *index, const struct location *loc)
{
	put(t, mail, loc->mail);
	put(t, control, loc->control);
	put(t, index, loc->index);
}

static void
put_floor(struct text *t, const struct floor *f)
{
	word(t, "floor ");
	put_two(t, f->guid, f->validity, f->next);
}

char *
record_format(TALLOC_CTX *ctx, const struct record *rec)
{
	struct text t = { must(talloc_size(NULL, ROOM)), 0, ROOM };
	const char **addr;
	size_t i;

	word(&t, RECORD_HEAD);
	put(&t, "user", rec->user);
	put(&t, "default", rec->is_default ? "yes" : NULL);
	if (rec->uid != -1)
		put_number(&t, "uid", (uint64_t)rec->uid);
	put(&t, "state", state_name(rec->state));
	put(&t, "entered", rec->entered == STATE_NONE ? NULL :
	    state_name(rec->entered));
	if (rec->end != 0)
		put_two(&t, "window", (uint64_t)rec->begin, (uint64_t)rec->end);
	put_number(&t, "version", rec->version);
	if (rec->led != 0)
		put_number(&t, "led", rec->led);
	put_side(&t, "old", "old_control", "old_index", &rec->side[OLD]);
	put_side(&t, "new", "new_control", "new_index", &rec->side[NEW]);
	for (addr = rec->address; *addr != NULL; addr++)
		put(&t, "address", *addr);
	for (i = 0; i < rec->nfloor; i++)
		put_floor(&t, &rec->floor[i]);
	put_text(&t, "by", rec->by);
	if (rec->at > 0 && rec->at <= RECORD_TIME_MAX)	/* what can be read */
		put_number(&t, "at", (uint64_t)rec->at);
	put_text(&t, "why", rec->why);
	word(&t, rec->unknown);
	bytes(&t, "", 1);
	/* Callers append to it: the size of a string is that of its block. */
	t.p = must(talloc_realloc_size(NULL, t.p, t.len));
	talloc_set_name_const(t.p, "char");
	return talloc_steal(ctx, t.p);
}
