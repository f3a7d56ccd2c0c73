/* SPDX-License-Identifier: ISC */
/*
 * sessions.c - the IMAP and POP3 sessions that a user still has
 */
#include "admin/sessions.h"

#include <string.h>

#include "admin/command.h"

static const char blanks[] = " \t";

/* A word of the command, with the user for each %u. */
static char *
fill_in(TALLOC_CTX *ctx, const char *word, size_t len, const char *user)
{
	char *out = must(talloc_strdup(ctx, ""));
	size_t i;

	for (i = 0; i < len; i++)
		if (word[i] == '%' && i + 1 < len && word[i + 1] == 'u') {
			out = must(talloc_strdup_append_buffer(out, user));
			i++;
		} else
			out = must(talloc_strndup_append_buffer(out, word + i,
			    1));
	return out;
}

char *
sessions_command(TALLOC_CTX *ctx, const struct conf *conf, const char *user)
{
	return fill_in(ctx, conf->who_command, strlen(conf->who_command), user);
}

static unsigned
count_lines(const char *text, const char *user)
{
	size_t len = strlen(user);
	unsigned n = 0;

	while (*text != '\0') {
		if (strncmp(text, user, len) == 0 && text[len] != '\0' &&
		    strchr(" \t\n", text[len]) != NULL)
			n++;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return n;
}

enum status
sessions_count(const struct conf *conf, const char *user, unsigned *n)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	const char **argv = must(talloc_zero_array(ctx, const char *, 1));
	const char *p = conf->who_command;
	enum status st = ST_NONE;
	char *text = NULL;
	unsigned words = 0;
	struct err err;
	size_t len;

	for (p = p == NULL ? "" : p; *(p += strspn(p, blanks)) != '\0'; p +=
	    len) {
		len = strcspn(p, blanks);
		argv = must(talloc_realloc(ctx, argv, const char *, words + 2));
		argv[words++] = fill_in(ctx, p, len, user);
		argv[words] = NULL;
	}
	if (words > 0 && command_read(ctx, argv, &text, &err) != ST_NONE &&
	    *text != '\0') {
		*n = count_lines(text, user);
		st = ST_OK;
	}
	talloc_free(ctx);
	return st;
}
