/* SPDX-License-Identifier: ISC */
/*
 * uidlist_line.c - a line of dovecot-uidlist: taken apart, and put together
 */
#include "lda/store/uidlist_line.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "maps/base/err.h"

/* A value may have a colon as well, and a slash: POP3 UIDLs do. */
char *
uidlist_line_name(char *text)
{
	char *p = text;

	while (*p >= '0' && *p <= '9')
		p++;
	for (;;) {
		while (*p == ' ')
			p++;
		if (*p == ':')
			return p + 1;
		while (*p != ' ' && *p != '\n' && *p != '\0')
			p++;
		if (*p != ' ')
			return NULL;
	}
}

bool
uidlist_line_parse(char *text, struct uidlist_line *line)
{
	char *keys, *name = uidlist_line_name(text);
	unsigned long uid = strtoul(text, &keys, 10);

	if (*text < '0' || *text > '9' || *keys != ' ' || uid == 0 ||
	    uid > UIDLIST_UID_HIGHEST || name == NULL ||
	    strchr(name, '/') != NULL)
		return false;
	name[-1] = '\0';		/* its colon: the keys end there */
	name[strcspn(name, ":")] = '\0';
	*line = (struct uidlist_line){ (uint32_t)uid, name, keys };
	return *name != '\0';
}

/* Keys are words, and none of them begins with the colon that begins a name. */
static bool
are_keys(const char *keys)
{
	size_t len = strlen(keys);

	return len > 0 && keys[0] == ' ' && keys[len - 1] == ' ' &&
	    strstr(keys, " :") == NULL && strpbrk(keys, "\r\n") == NULL;
}

char *
uidlist_line_format(TALLOC_CTX *ctx, const struct uidlist_line *line)
{
	size_t len = strlen(line->name);
	char *text;

	if (line->uid == 0 || line->uid > UIDLIST_UID_HIGHEST || len == 0 ||
	    len > NAME_MAX || strpbrk(line->name, ":\r\n/") != NULL ||
	    !are_keys(line->keys))
		return NULL;
	text = must(talloc_asprintf(ctx, "%lu%s:%s\n",
	    (unsigned long)line->uid, line->keys, line->name));
	if (strlen(text) <= UIDLIST_LINE_LONGEST)
		return text;
	talloc_free(text);
	return NULL;
}
