/* SPDX-License-Identifier: ISC */
/*
 * path.c - the file that a path names, with its symbolic links followed
 */
#include "maps/base/path.h"

#include <string.h>
#include <unistd.h>

#include "maps/base/err.h"

#define LINKS_MAX	40
#define LINK_SIZE	4096

/* Append one component to `done`; ".." removes the last one. */
static char *
step(char *done, const char *name, size_t len)
{
	char *slash;

	if (len == 0 || (len == 1 && name[0] == '.'))
		return done;
	if (len == 2 && memcmp(name, "..", 2) == 0) {
		slash = strrchr(done, '/');
		if (slash != NULL)
			*slash = '\0';
		return done;
	}
	return must(talloc_asprintf_append(done, "/%.*s", (int)len, name));
}

char *
path_resolve(TALLOC_CTX *ctx, const char *dir, const char *path)
{
	char *done = must(talloc_strdup(ctx, "")), *todo, *rest, *slash;
	char target[LINK_SIZE];
	int links = 0;
	size_t len;
	ssize_t n;

	todo = must(*path == '/' ? talloc_strdup(ctx, path) :
	    talloc_asprintf(ctx, "%s/%s", dir, path));
	while (*todo != '\0') {
		len = strcspn(todo, "/");
		done = step(done, todo, len);
		rest = must(talloc_strdup(ctx,
		    todo + len + (todo[len] == '/')));
		talloc_free(todo);
		todo = rest;
		n = len == 0 ? -1 : readlink(done, target, sizeof(target) - 1);
		if (n <= 0)
			continue;	/* not a link, or not there */
		if (++links > LINKS_MAX)
			return NULL;
		target[n] = '\0';
		slash = strrchr(done, '/');
		*slash = '\0';
		if (target[0] == '/')
			*done = '\0';
		rest = must(talloc_asprintf(ctx, "%s/%s", target, todo));
		talloc_free(todo);
		todo = rest;
	}
	talloc_free(todo);
	return *done == '\0' ? must(talloc_strdup(ctx, "/")) : done;
}

const char *
path_below(const char *path, const char *root)
{
	size_t len = strlen(root);

	if (strncmp(path, root, len) != 0)
		return NULL;
	if (path[len] == '\0')
		return path + len;
	return path[len] == '/' ? path + len + 1 : NULL;
}
