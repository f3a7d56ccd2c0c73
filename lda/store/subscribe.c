/* SPDX-License-Identifier: ISC */
/*
 * subscribe.c - a new mailbox among those that clients show
 *
 * Source: Dovecot 2.3.19 lib-storage/list/subscription-file.c: version 2 has a
 * head `V TAB 2`, an empty line, and names with TAB between their parts;
 * version 1 is names alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lda/store/dotlock.h"
#include "lda/store/maildir.h"
#include "maps/base/file.h"

#define FILE_NAME	"subscriptions"
#define FILE_LOCK	"subscriptions.lock"
#define FILE_MAX	(1024 * 1024)	/* bytes */
#define HEAD		"V\t2\n\n"
#define PATIENCE	2000		/* ms for the lock */

/* The name as the file's version writes it; talloc child of ctx. */
static char *
name_of(TALLOC_CTX *ctx, const char *folder, bool version2)
{
	char *name = must(talloc_strdup(ctx, folder + 1)), *p;

	for (p = name; version2 && (p = strchr(p, '.')) != NULL; p++)
		*p = '\t';
	return name;
}

/* Behind the LF, or at the end. */
static const char *
next_line(const char *p, const char *end)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p));

	return lf == NULL ? end : lf + 1;
}

/* Among the names: the head of version 2 is none. */
static bool
has_name(const char *text, size_t len, const char *name, bool version2)
{
	const char *p = text, *end = text + len, *next;
	size_t n = strlen(name), line;

	if (version2)
		p = next_line(next_line(p, end), end);
	for (; p < end; p = next) {
		next = next_line(p, end);
		line = (size_t)(next - p) - (next[-1] == '\n');
		if (line == n && memcmp(p, name, n) == 0)
			return true;
	}
	return false;
}

/* What is there stays as it is, whatever it is; a head that was cut gets its
 * end. */
static char *
append(char *text, size_t *len, const char *name, bool version2)
{
	size_t n = strlen(name);

	text = must(talloc_realloc(NULL, text, char, (unsigned)(*len + n + 3)));
	if (text[*len - 1] != '\n')
		text[(*len)++] = '\n';
	if (version2 && next_line(text, text + *len) == text + *len)
		text[(*len)++] = '\n';
	memcpy(text + *len, name, n);
	*len += n;
	text[(*len)++] = '\n';
	return text;
}

/* Nothing, or the zeros that a crash left. */
static bool
is_empty(const char *text, size_t len)
{
	while (len > 0 && text[len - 1] == '\0')
		len--;
	return len == 0;
}

static enum status
add(int dirfd, const struct maildir *md, struct err *err)
{
	char *text = NULL, *name;
	bool version2;
	enum status st;
	size_t len = 0;

	st = file_read(NULL, dirfd, FILE_NAME, FILE_MAX, &text, &len, err);
	if (st != ST_OK && st != ST_NONE)
		return st;
	if (is_empty(text, len)) {
		talloc_free(text);
		text = must(talloc_strdup(NULL, HEAD));
		len = sizeof(HEAD) - 1;
	}
	version2 = strncmp(text, "V\t", 2) == 0;
	name = name_of(NULL, md->folder, version2);
	st = ST_OK;
	if (!has_name(text, len, name, version2)) {
		text = append(text, &len, name, version2);
		st = file_replace(dirfd, FILE_NAME, text, len, md->fmode, err);
	}
	talloc_free(name);
	talloc_free(text);
	return st;
}

enum status
maildir_subscribe(const struct maildir *md, const struct location *loc,
    struct err *err)
{
	struct dotlock lk;
	enum status st;
	int dirfd;

	dirfd = open(loc->control != NULL ? loc->control : loc->mail,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd == -1)
		return err_sys(err, "%s", md->path);
	st = dotlock_take(&lk, dirfd, FILE_LOCK, FILE_NAME, -1, PATIENCE, err);
	if (st == ST_OK)
		st = add(dirfd, md, err);
	dotlock_drop(&lk);
	(void)close(dirfd);
	return st;
}
