/* SPDX-License-Identifier: ISC */
/*
 * location_fuzz.c - location templates never lead out of where they begin
 *
 * Input: TEMPLATE LF USER LF HOME.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "maps/location.h"

static void
check_path(const char *template, const char *path)
{
	size_t fixed = strcspn(template, "%"), len = strlen(path);

	HOLDS(path[0] == '/' && len > 1 && path[len - 1] != '/');
	HOLDS(strstr(path, "//") == NULL && strstr(path, "/../") == NULL &&
	    strstr(path, "/./") == NULL);
	HOLDS(len < 3 || strcmp(path + len - 3, "/..") != 0);
	HOLDS(strncmp(path, template, fixed) == 0);
}

static bool
ends_with(const char *text, const char *end)
{
	return strlen(text) >= strlen(end) &&
	    strcmp(text + strlen(text) - strlen(end), end) == 0;
}

/* The configuration's own judgement of a template holds for every user. */
static void
check_conf(TALLOC_CTX *ctx, const char *template)
{
	char *text = must(talloc_asprintf(ctx, "old_mail = %s\n", template));
	struct conf *conf;
	const char *path;
	struct err err;

	if (conf_parse(ctx, "fuzz.conf", text, strlen(text), &conf, &err) !=
	    ST_OK || conf->mail[OLD] == NULL)
		return;
	if (location_expand(ctx, conf->mail[OLD], "alice@example.test",
	    "/home/alice", &path, &err) != ST_OK)
		HOLDS(!ends_with(err.text, "mean something"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = fuzz_input(data, size);
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	const char *template = fuzz_line(ctx, &in);
	const char *user = fuzz_line(ctx, &in), *home = fuzz_line(ctx, &in);
	const char *path = NULL;
	struct err err;
	enum status st;

	if (record_user_valid(user)) {
		st = location_expand(ctx, template, user, *home == '\0' ? NULL :
		    home, &path, &err);
		HOLDS(st == ST_OK || st == ST_NEVER);
		if (st == ST_OK)
			check_path(template, path);
		else
			fuzz_err(&err);
	}
	check_conf(ctx, template);
	talloc_free(ctx);
	return 0;
}
