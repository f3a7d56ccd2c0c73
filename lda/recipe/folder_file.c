/* SPDX-License-Identifier: ISC */
/*
 * folder_file.c - a file in a directory, an MH folder or a Maildir
 */
#include "lda/recipe/folder_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lda/recipe/delivered.h"
#include "lda/recipe/engine.h"
#include "lda/store/maildir.h"

/* Write a whole, synced file of the folder, under a name that no reader looks
 * at. */
static char *
write_temporary(struct engine *e, const struct folder *f,
    const struct part *in, bool ignore)
{
	char *unique = maildir_unique(e->ctx), *path;
	struct folder_out o = { .fd = -1 };

	path = must(talloc_asprintf(e->ctx, f->kind == F_MAILDIR ? "%s/tmp/%s" :
	    "%s/_%s", f->path, unique));
	talloc_free(unique);
	o.fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    FOLDER_FILE_MODE);
	if (o.fd == -1) {
		rclog_say_of(&e->log, "Couldn't create or rename temp file",
		    f->path);
		return NULL;
	}
	folder_put(&o, in->data, in->len);
	if (f->kind != F_MAILDIR)
		folder_put_last_line(&o, in);
	if (!o.failed && fsync(o.fd) == -1) {
		o.failed = true;
		o.error = errno;
	}
	if (close(o.fd) == -1 && !o.failed) {	/* quota and NFS speak here */
		o.failed = true;
		o.error = errno;
	}
	e->last.bytes = o.failed ? (long)in->len : o.n;
	if (!o.failed || ignore)
		return path;
	(void)unlink(path);
	errno = o.error;
	(void)folder_failed(e, path);
	return NULL;
}

/* One more than the highest number in an MH folder. */
static unsigned long
next_number(struct engine *e, const char *path)
{
	unsigned long most = 0, n;
	struct dirent *de;
	char *end;
	DIR *dir = opendir(path);

	if (dir == NULL) {
		rclog_say_of(&e->log, "Couldn't read", path);
		return 1;
	}
	while ((de = readdir(dir)) != NULL) {
		n = strtoul(de->d_name, &end, 10);
		if (*end == '\0' && *de->d_name >= '0' && *de->d_name <= '9' &&
		    n > most)
			most = n;
	}
	(void)closedir(dir);
	return most + 1;
}

/* A number in 64 letters, as procmail writes inode numbers. */
static void
in_letters(unsigned long n, char *to)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789-_";

	do {
		*to++ = letters[n & 63];
		n >>= 6;
	} while (n != 0);
	*to = '\0';
}

char *
folder_link(struct engine *e, const struct folder *f, const char *from)
{
	unsigned long n = 0;
	struct stat sb;
	char letters[16], *path = NULL, *unique;
	int tries;

	if (f->kind == F_MH)
		n = next_number(e, f->path);
	else if (f->kind == F_DIR)
		n = stat(from, &sb) == 0 ? sb.st_ino : 0;
	for (tries = 0; tries < 1000; tries++, n++) {
		if (f->kind == F_MH)
			path = must(talloc_asprintf(e->ctx, "%s/%lu", f->path,
			    n));
		else if (f->kind == F_DIR) {
			in_letters(n, letters);
			path = must(talloc_asprintf(e->ctx, "%s/%s%s", f->path,
			    e->folders.msgprefix, letters));
		} else {
			unique = maildir_unique(e->ctx);
			path = must(talloc_asprintf(e->ctx, "%s/new/%s",
			    f->path, unique));
			talloc_free(unique);
		}
		if (link(from, path) == 0)
			return path;
		if (errno != EEXIST)
			break;
	}
	talloc_free(path);
	return NULL;
}

static void
sync_dir(const char *file)
{
	char *dir = must(talloc_strndup(NULL, file,
	    (size_t)(strrchr(file, '/') - file)));
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd != -1) {
		(void)fsync(fd);
		(void)close(fd);
	}
	talloc_free(dir);
}

char *
folder_new_file(struct engine *e, const struct folder *f, const struct part *in,
    bool ignore)
{
	char *temporary, *path;

	e->last.tell = -1;
	temporary = write_temporary(e, f, in, ignore);
	if (temporary == NULL)
		return NULL;
	path = folder_link(e, f, temporary);
	(void)unlink(temporary);
	talloc_free(temporary);
	if (path == NULL) {
		rclog_say_of(&e->log, "Couldn't create or rename temp file",
		    f->path);
		return NULL;
	}
	sync_dir(path);
	delivered_to(e, path);
	folder_mark_arrived(e, f);
	return path;
}
