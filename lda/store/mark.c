/* SPDX-License-Identifier: ISC */
/*
 * mark.c - lines of a uidlist that are known to be ours
 */
#include "lda/store/mark.h"

#include <string.h>

bool
mark_due(const struct record *rec, enum side follower)
{
	return rec->led != 0 || follower == OLD;
}

/* The length of the word at p, which is `Y1`; 0: it is another. */
static size_t
mark_at(const char *p)
{
	return strncmp(p, "Y1", 2) == 0 && (p[2] == ' ' || p[2] == '\0') ?
	    2 : 0;
}

bool
mark_is(const char *keys)
{
	const char *p;

	for (p = keys + strspn(keys, " "); *p != '\0'; p += strspn(p, " ")) {
		if (mark_at(p) > 0)
			return true;
		p += strcspn(p, " ");
	}
	return false;
}

char *
mark_keys(TALLOC_CTX *ctx, const char *keys)
{
	char *out = must(talloc_strdup(ctx, " "));
	const char *p;
	size_t len;

	for (p = keys + strspn(keys, " "); *p != '\0';
	    p += len, p += strspn(p, " ")) {
		len = strcspn(p, " ");
		if (mark_at(p) == 0)
			out = must(talloc_asprintf_append_buffer(out, "%.*s ",
			    (int)len, p));
	}
	return must(talloc_strdup_append_buffer(out, &MARK_KEYS[1]));
}
