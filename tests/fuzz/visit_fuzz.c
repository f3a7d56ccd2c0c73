/* SPDX-License-Identifier: ISC */
/*
 * visit_fuzz.c - what the children of a visit report: listings and visits
 *
 * Each line is one of theirs: `L LINE` of a listing, `V LINE` of a visit, `E`
 * the end of a listing, after which all that is to be visited is visited.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

#include "lda/store/visit_list.h"

static void
end_listing(struct visit_list *list)
{
	char line[200];
	size_t *todo, n, again, i;

	todo = visit_list_todo(NULL, list, &n);
	HOLDS(n <= list->n && list->sorted == list->n);
	for (i = 1; i < list->n; i++)
		HOLDS(strcmp(list->at[i - 1].name, list->at[i].name) < 0);
	for (i = 0; i < n; i++) {
		const struct visit_id *id = list->at[todo[i]].id;

		HOLDS(list->at[todo[i]].listed);
		(void)snprintf(line, sizeof(line), "%zu %llu %llu %llu %llu",
		    todo[i], (unsigned long long)id[OLD].dev,
		    (unsigned long long)id[OLD].ino,
		    (unsigned long long)id[NEW].dev,
		    (unsigned long long)id[NEW].ino);
		HOLDS(visit_list_visited(list, line));
	}
	talloc_free(todo);
	todo = visit_list_todo(NULL, list, &again);
	HOLDS(again == 0);
	talloc_free(todo);
	visit_list_begin(list);
}

/* A name comes back as it was. */
static void
pack(const char *name)
{
	char *packed = visit_pack(NULL, name);

	HOLDS(strchr(packed, '\n') == NULL);
	visit_unpack(packed);
	HOLDS(strcmp(packed, name) == 0);
	talloc_free(packed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = fuzz_input(data, size);
	struct visit_list list = { NULL, 0, 0, 0 };
	char *line, *whole;
	size_t n;

	whole = must(talloc_strndup(NULL, in.p, (size_t)(in.end - in.p)));
	pack(whole);
	talloc_free(whole);
	while (in.p < in.end) {
		line = fuzz_line(NULL, &in);
		n = list.n;
		if (strncmp(line, "L ", 2) == 0) {
			if (!visit_list_take(NULL, &list, line + 2))
				HOLDS(list.n == n);
		} else if (strncmp(line, "V ", 2) == 0)
			(void)visit_list_visited(&list, line + 2);
		else if (strcmp(line, "E") == 0)
			end_listing(&list);
		talloc_free(line);
	}
	end_listing(&list);
	talloc_free(list.at);
	return 0;
}
