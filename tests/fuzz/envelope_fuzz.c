/* SPDX-License-Identifier: ISC */
/*
 * envelope_fuzz.c - the command line, the environment, and where they lead
 *
 * Input: an argument a line, an empty line, a variable a line.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "lda/envelope.h"
#include "lda/place.h"

/* Lines up to an empty one, NULL-terminated. */
static char **
list(TALLOC_CTX *ctx, struct input *in, const char *first)
{
	char **v = must(talloc_array(ctx, char *, 2)), *line;
	size_t n = 0;

	if (first != NULL)
		v[n++] = must(talloc_strdup(v, first));
	while (in->p < in->end && *(line = fuzz_line(ctx, in)) != '\0') {
		v = must(talloc_realloc(ctx, v, char *, (unsigned)n + 2));
		v[n++] = line;
	}
	v[n] = NULL;
	return v;
}

static void
check_list(const char **list_of)
{
	for (; *list_of != NULL; list_of++)
		(void)strlen(*list_of);
}

static void
check_envelope(const struct envelope *env)
{
	size_t i;

	check_list(env->args);
	check_list(env->rcfiles);
	check_list(env->more_users);
	HOLDS(env->extension != NULL);
	HOLDS((env->from == FROM_SENDER) == (env->from_sender != NULL));
	HOLDS(env->recipient_user != NULL || env->more_users[0] == NULL);
	HOLDS(env->recipient_user == NULL || env->rcfiles[0] == NULL);
	for (i = 0; i < env->nset; i++) {
		HOLDS(env->set[i].name[0] != '\0' &&
		    strchr(env->set[i].name, '=') == NULL);
		HOLDS(
		    env->set[i].value == NULL || env->set[i].value[0] != '\0');
		HOLDS(envelope_set(env, env->set[i].name) != NULL);
	}
}

static void
check_place(TALLOC_CTX *ctx, const struct envelope *env)
{
	struct record rec = { .user = "alice", .side[OLD].mail = "/old/alice",
	    .side[NEW].mail = "/new/alice" };
	struct place place = { .path = NULL };
	struct err err;
	enum status st;
	size_t len;

	st = place_choose(ctx, env, "alice", env->home, NULL, &place, &err);
	if (st == ST_OK) {
		len = strlen(place.path);
		HOLDS(place.path[0] == '/');
		HOLDS(place.kind == PLACE_NOWHERE || len == 1 ||
		    place.path[len - 1] != '/');
	} else {
		HOLDS(st == ST_NEVER);
		fuzz_err(&err);
	}
	st = place_check(ctx, env, env->home, &rec, &err);
	HOLDS(st == ST_OK || st == ST_NEVER);
	if (st == ST_OK && envelope_set(env, "DEFAULT") != NULL)
		HOLDS(place.kind == PLACE_MAILDIR);
}

static void
check_folder(TALLOC_CTX *ctx, const char *extension)
{
	const char *folder = place_folder(ctx, extension);
	size_t len = strlen(folder);

	if (len == 0)
		return;
	HOLDS(folder[0] == '.' && len >= 2 && len <= 101);
	HOLDS(folder[1] != '.' && folder[len - 1] != '.');
	HOLDS(strpbrk(folder, "/\n\r:\t ") == NULL &&
	    strstr(folder, "..") == NULL);
	HOLDS(strcmp(folder + 1, extension) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = fuzz_input(data, size);
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	char **argv = list(ctx, &in, "mailferry-lda");
	char **envp = list(ctx, &in, NULL);
	struct envelope *env = NULL;
	struct err err;
	enum status st;

	st = envelope_read(ctx, 0, argv, envp, &env, &err);
	if (st == ST_OK) {
		check_envelope(env);
		check_place(ctx, env);
		check_folder(ctx, env->extension);
	} else {
		HOLDS(st == ST_NEVER && env == NULL);
		fuzz_err(&err);
	}
	talloc_free(ctx);
	return 0;
}
