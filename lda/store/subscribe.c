/*
 * subscribe.c - a new mailbox among those that clients show
 *
 * Source: Dovecot 2.3.19 lib-storage/list/subscription-file.c: version 2 has a head
 * `V TAB 2`, an empty line, and names with TAB between their parts; version 1 is
 * names alone.
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

static bool
has_line(const char *text, const char *name)
{
	size_t len = strlen(name);
	const char *p;

	for (p = text; p != NULL && *p != '\0'; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, name, len) == 0 && (p[len] == '\n' ||
		    p[len] == '\0'))
			return true;
	}
	return false;
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
	if (len == 0) {
		talloc_free(text);
		text = must(talloc_strdup(NULL, HEAD));
	}
	version2 = strncmp(text, "V\t", 2) == 0;
	name = name_of(text, md->folder, version2);
	st = ST_OK;
	if (!has_line(text, name)) {
		text = must(talloc_asprintf_append(text, "%s%s\n",
		    text[strlen(text) - 1] == '\n' ? "" : "\n", name));
		st = file_replace(dirfd, FILE_NAME, text, strlen(text), md->fmode,
		    err);
	}
	talloc_free(text);
	return st;
}

enum status
maildir_subscribe(const struct maildir *md, const struct location *loc,
    struct err *err)
{
	struct dotlock lk = { .on_nfs = md->on_nfs };
	enum status st;
	int dirfd;

	dirfd = open(loc->control != NULL ? loc->control : loc->mail,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd == -1)
		return err_sys(err, "%s", md->path);
	st = dotlock_take(&lk, dirfd, FILE_LOCK, FILE_NAME, PATIENCE, err);
	if (st == ST_OK)
		st = add(dirfd, md, err);
	dotlock_drop(&lk);
	(void)close(dirfd);
	return st;
}
