/* SPDX-License-Identifier: ISC */
/*
 * policy.c - what Postfix and Dovecot are answered about a record
 */
#include "maps/policy.h"

#include <string.h>

#include "maps/location.h"

enum status
policy_transport(TALLOC_CTX *ctx, const struct conf *conf, const char *user,
    enum state state, char **text, struct err *err)
{
	static const int row[] = {
		[STATE_OLD] = 0, [STATE_OVERLAP] = 1, [STATE_CUTOVER] = 2,
		[STATE_SETTLE] = 3, [STATE_NEW] = 4,
	};
	const char *template = conf->transport[row[state]];

	if (template == NULL && state != STATE_NEW)
		template = conf->transport[0];
	return template == NULL ? ST_NONE :
	    template_fill(ctx, template, user, NULL, text, err);
}

char *
policy_window(TALLOC_CTX *ctx, const struct conf *conf, time_t seconds)
{
	const char *text = conf->window_text == NULL ? "" : conf->window_text;
	const char *at = strstr(text, "%s");

	return must(at == NULL ? talloc_strdup(ctx, text) :
	    talloc_asprintf(ctx, "%.*s%lld%s", (int)(at - text), text,
	    (long long)seconds, at + 2));
}

/* A colon ends a path; a colon of the path itself is doubled. */
static char *
put_path(char *out, const char *path)
{
	size_t len;

	for (; *path != '\0'; path += len) {
		len = strcspn(path, ":");
		out = must(talloc_strndup_append_buffer(out, path, len));
		if (path[len] == ':') {
			out = must(talloc_strdup_append_buffer(out, "::"));
			len++;
		}
	}
	return out;
}

char *
policy_dovecot(TALLOC_CTX *ctx, const struct location *loc)
{
	char *out = must(talloc_strdup(ctx, "maildir:"));

	out = put_path(out, loc->mail);
	if (loc->control != NULL)
		out = put_path(must(talloc_strdup_append_buffer(out,
		    ":CONTROL=")), loc->control);
	if (loc->index != NULL)
		out = put_path(must(talloc_strdup_append_buffer(out,
		    ":INDEX=")), loc->index);
	return out;
}
