/* SPDX-License-Identifier: ISC */
/*
 * visit_list.c - which mailboxes a visit has still to go to
 */
#include "lda/store/visit_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maps/base/err.h"
#include "maps/record.h"

static bool
same_id(struct visit_id a, struct visit_id b)
{
	return a.dev == b.dev && a.ino == b.ino;
}

static bool
is_there(struct visit_id id)
{
	return id.dev != 0 || id.ino != 0;
}

static int
by_name(const void *a, const void *b)
{
	const struct visit_place *x = a, *y = b;

	return strcmp(x->name, y->name);
}

void
visit_list_begin(struct visit_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		list->at[i].listed = false;
		memset(list->at[i].id, 0, sizeof(list->at[i].id));
	}
}

/* A LF would end the line, a backslash begins what stands for one. */
char *
visit_pack(TALLOC_CTX *ctx, const char *name)
{
	char *text = must(talloc_array(ctx, char,
	    (unsigned)(strlen(name) * 2 + 1))), *out = text;

	for (; *name != '\0'; name++) {
		if (*name == '\n' || *name == '\\')
			*out++ = '\\';
		*out++ = *name == '\n' ? 'n' : *name;
	}
	*out = '\0';
	return text;
}

void
visit_unpack(char *name)
{
	char *out = name;

	for (; *name != '\0'; name++) {
		if (*name == '\\' && name[1] != '\0') {
			name++;
			*out++ = *name == 'n' ? '\n' : *name;
		} else
			*out++ = *name;
	}
	*out = '\0';
}

char *
visit_line(TALLOC_CTX *ctx, enum side side, struct visit_id id,
    const char *name)
{
	char *packed = visit_pack(ctx, name);
	char *line = must(talloc_asprintf(ctx, "%s %" PRIu64 " %" PRIu64 " %s",
	    side_name(side), id.dev, id.ino, packed));

	talloc_free(packed);
	return line;
}

static struct visit_place *
place_of(TALLOC_CTX *ctx, struct visit_list *list, char *name)
{
	struct visit_place key = { .name = name }, *p = NULL;

	if (list->sorted > 0)
		p = bsearch(&key, list->at, list->sorted, sizeof(*p), by_name);
	if (p != NULL)
		return p;
	if (list->n == list->room) {
		list->room = list->room == 0 ? 64 : list->room * 2;
		list->at = must(talloc_realloc(ctx, list->at,
		    struct visit_place, (unsigned)list->room));
	}
	p = &list->at[list->n++];
	*p = (struct visit_place){
		.name = must(talloc_strdup(list->at, name)) };
	return p;
}

bool
visit_list_take(TALLOC_CTX *ctx, struct visit_list *list, const char *line)
{
	struct visit_place *p;
	char side[4], *name;
	struct visit_id id;
	int at = 0;

	if (sscanf(line, "%3[a-z] %" SCNu64 " %" SCNu64 "%n", side, &id.dev,
	    &id.ino, &at) != 3 || at == 0 || line[at] != ' ')
		return false;
	if (strcmp(side, side_name(OLD)) != 0 &&
	    strcmp(side, side_name(NEW)) != 0)
		return false;
	name = must(talloc_strdup(NULL, line + at + 1));
	visit_unpack(name);
	p = place_of(ctx, list, name);
	talloc_free(name);
	p->listed = true;
	p->id[strcmp(side, side_name(OLD)) == 0 ? OLD : NEW] = id;
	return true;
}

/* Names that came with both sides are in it twice until now. */
static void
sort(struct visit_list *list)
{
	struct visit_place *a, *b;
	size_t i, n = 0;
	int side;

	if (list->n == list->sorted)
		return;
	qsort(list->at, list->n, sizeof(*list->at), by_name);
	for (i = 0; i < list->n; i++) {
		a = n == 0 ? NULL : &list->at[n - 1];
		b = &list->at[i];
		if (a == NULL || strcmp(a->name, b->name) != 0) {
			list->at[n++] = *b;
			continue;
		}
		for (side = OLD; side <= NEW; side++)
			if (is_there(b->id[side]))
				a->id[side] = b->id[side];
		a->listed = a->listed || b->listed;
	}
	list->n = list->sorted = n;
}

static bool
was_visited(const struct visit_place *p)
{
	int side;

	for (side = OLD; side <= NEW; side++)
		if (is_there(p->id[side]) &&
		    !same_id(p->id[side], p->was[side]))
			return false;
	return true;
}

size_t *
visit_list_todo(TALLOC_CTX *ctx, struct visit_list *list, size_t *n)
{
	size_t *todo, i;

	sort(list);
	todo = must(talloc_array(ctx, size_t, (unsigned)list->n + 1));
	*n = 0;
	for (i = 0; i < list->n; i++)
		if (list->at[i].listed && !was_visited(&list->at[i]))
			todo[(*n)++] = i;
	return todo;
}

bool
visit_list_visited(struct visit_list *list, const char *line)
{
	struct visit_id was[2];
	char end;
	size_t i;

	if (sscanf(line, "%zu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
	    "%c", &i, &was[OLD].dev, &was[OLD].ino, &was[NEW].dev,
	    &was[NEW].ino, &end) != 5 || i >= list->sorted)
		return false;
	memcpy(list->at[i].was, was, sizeof(was));
	return true;
}
