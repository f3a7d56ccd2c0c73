/* SPDX-License-Identifier: ISC */
/*
 * passwd_fuzz.c - lines of /etc/passwd and of getent(1)
 *
 * Input: NAME LF UID LF HINT LF LINES; an empty NAME looks for the UID.
 */
#include "tests/fuzz/fuzz.h"

#include "lda/account.c"

/* `:ID:`, in digits. */
static bool
is_id(const char **p, unsigned long id)
{
	char *end;

	if ((*p)[0] != ':' || (*p)[1] < '0' || (*p)[1] > '9' ||
	    strtoull(*p + 1, &end, 10) != id || *end != ':')
		return false;
	*p = end;
	return true;
}

/* The line of an account says what the account says. */
static void
is_line_of(const char *text, const struct account *a)
{
	char *start = must(talloc_asprintf(NULL, "%s:", a->name));
	const char *line, *second;
	bool found = false;

	for (line = text; line != NULL && !found; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, start, strlen(start)) != 0)
			continue;
		second = strchr(line + strlen(start), ':');
		found = second != NULL && is_id(&second, a->uid) &&
		    is_id(&second, a->gid);
	}
	HOLDS(found);
	talloc_free(start);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = fuzz_input(data, size);
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	const char *name = fuzz_line(ctx, &in);
	uid_t uid = (uid_t)strtoul(fuzz_line(ctx, &in), NULL, 10);
	const char *hint = fuzz_line(ctx, &in);
	char *text = must(talloc_strndup(ctx, fuzz_rest(&in)));
	struct account *a;

	if (*name == '\0')
		name = NULL;
	a = best_of(ctx, must(talloc_strdup(ctx, text)), name, uid, hint);
	if (a != NULL) {
		HOLDS(
		    name != NULL ? strcmp(a->name, name) == 0 : a->uid == uid);
		HOLDS(a->uid != (uid_t)-1 && a->gid != (gid_t)-1);
		HOLDS(strpbrk(a->home, ":\n") == NULL);
		is_line_of(text, a);
	}
	talloc_free(ctx);
	return 0;
}
