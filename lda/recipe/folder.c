/* SPDX-License-Identifier: ISC */
/*
 * folder.c - folders outside of the migration: mbox, directory, MH, Maildir
 *
 * As procmail writes them, but for what it leaves half done: a file of a
 * directory has its name only when it is whole.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lda/recipe/engine.h"
#include "lda/store/maildir.h"
#include "maps/base/file.h"

#define FILE_MODE	0667		/* before the umask */
#define ARRIVED		S_IXOTH		/* on a folder: there is new mail */

enum folder_kind { F_MBOX, F_DIR, F_MH, F_MAILDIR, F_NONE };

struct folder {
	enum folder_kind kind;
	char		*path;		/* without what says its kind */
	mode_t		 mode;
};

/* `x/` a Maildir, `x/.` an MH folder; further slashes are nothing. */
enum dest_kind
folder_split(TALLOC_CTX *ctx, const char *name, char **path)
{
	enum dest_kind kind = DEST_FILE;
	size_t len = strlen(name);

	if (len > 2 && strcmp(name + len - 2, "/.") == 0) {
		kind = DEST_MH;
		len -= 2;
	} else if (len > 1 && name[len - 1] == '/') {
		kind = DEST_MAILDIR;
		len--;
	}
	while (kind != DEST_FILE && len > 1 && name[len - 1] == '/')
		len--;
	*path = must(talloc_strndup(ctx, name, len));
	return kind;
}

/* Its mode; 0: there is no such thing and it cannot be made. */
static mode_t
make_dir(const char *path)
{
	struct stat sb;

	if (stat(path, &sb) == 0)
		return sb.st_mode;
	if (errno != ENOENT || mkdir(path, 0777) == -1)
		return 0;
	return stat(path, &sb) == 0 ? sb.st_mode : 0;
}

static bool
make_maildir(TALLOC_CTX *ctx, const char *path)
{
	static const char *const parts[] = { "new", "cur", "tmp" };
	bool ok = true;
	size_t i;

	for (i = 0; i < 3 && ok; i++) {
		char *part = must(talloc_asprintf(ctx, "%s/%s", path, parts[i]));

		ok = S_ISDIR(make_dir(part));
		talloc_free(part);
	}
	return ok;
}

/* What is it, and make it where it is a directory.  secondary: it must be one. */
static struct folder
find_folder(struct engine *e, enum dest_kind kind, char *path, bool secondary)
{
	struct folder f = { F_MBOX, path, 0 };
	struct stat sb;

	if (kind == DEST_FILE && !secondary) {
		if (stat(path, &sb) == -1)
			f.mode = S_IFREG | (FILE_MODE & ~e->umask);
		else
			f.mode = sb.st_mode;
		if (S_ISDIR(f.mode))
			f.kind = F_DIR;
		return f;
	}
	f.mode = make_dir(path);
	f.kind = kind == DEST_MAILDIR ? F_MAILDIR : kind == DEST_MH ? F_MH :
	    F_DIR;
	if (S_ISDIR(f.mode) && (kind != DEST_MAILDIR ||
	    make_maildir(e->ctx, path)))
		return f;
	diag_of(e, "Unable to treat as directory", path);
	f.kind = F_NONE;
	if (secondary || S_ISDIR(f.mode)) {
		diag_of(e, "Skipped", path);
		return f;
	}
	f.kind = F_MBOX;		/* then as the file that it looks like */
	if (f.mode == 0)
		f.mode = S_IFREG | (FILE_MODE & ~e->umask);
	return f;
}

bool
write_failed(struct engine *e, const char *name)
{
	diag_of(e, errno == ENOSPC ? "No space left to finish writing" :
	    errno == EDQUOT ? "Quota exceeded while writing" :
	    "Error while writing to", name);
	return false;
}

/* A writer that counts. */
struct out {
	int		 fd;
	long		 n;
	bool		 failed;
	int		 error;
};

static void
put(struct out *o, const char *data, size_t len)
{
	if (o->failed || len == 0)
		return;
	if (file_write(o->fd, data, len) == -1) {
		o->failed = true;
		o->error = errno;
	} else
		o->n += (long)len;
}

/* The next LF from `at` on that a "From " follows, which an mbox must escape. */
static size_t
next_escape(const struct mail *m, size_t at, size_t end)
{
	const char *p = m->b.p, *hit;
	size_t i;

	while (at < end) {
		hit = memchr(p + at, '\n', end - at);
		if (hit == NULL)
			return end;
		i = (size_t)(hit - p);
		if (i + 1 >= end)
			return end;
		at = i + 1;
		if (i + 6 > m->b.len || memcmp(hit, "\nFrom ", 6) != 0)
			continue;
		if (i >= m->escape || (i > m->head && i + 6 <= m->body))
			return i;
	}
	return end;
}

static void
put_escaped(struct engine *e, struct out *o, const struct piece *in)
{
	size_t at = (size_t)(in->data - e->mail->b.p), end = at + in->len, lf;

	while (at < end) {
		lf = next_escape(e->mail, at, end);
		if (lf == end) {
			put(o, e->mail->b.p + at, end - at);
			return;
		}
		put(o, e->mail->b.p + at, lf + 1 - at);
		put(o, ">", 1);
		at = lf + 1;
	}
}

/* The empty line that every message but a Maildir's ends with. */
static void
put_last_line(struct out *o, const struct piece *in)
{
	if (in->raw || (o->n >= 2 && in->len >= 2 &&
	    in->data[in->len - 1] == '\n' && in->data[in->len - 2] == '\n'))
		return;
	put(o, "\n", 1);
}

static void
mark_arrived(struct engine *e, const struct folder *f)
{
	if (((f->mode | e->umask) & ARRIVED) == 0)
		(void)!chmod(f->path, (f->mode | ARRIVED) & 07777);
}

static bool
lock_file(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	while (fcntl(fd, F_SETLKW, &lock) == -1)
		if (errno != EINTR)
			return errno == ENOLCK || errno == EINVAL;
	return true;
}

static bool
write_mbox(struct engine *e, const struct folder *f, const struct piece *in,
    bool ignore)
{
	bool nowhere = strcmp(f->path, "/dev/null") == 0;
	struct out o = { .fd = -1 };

	set_folder(e, f->path);
	e->tell = -1;
	if (nowhere) {
		e->dumped = (long)in->len;
		return true;
	}
	mark_arrived(e, f);
	chat(e, "Opening", f->path);
	o.fd = open(f->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
	    O_NOCTTY, FILE_MODE);
	if (o.fd == -1)
		return ignore || write_failed(e, f->path);
	if (!lock_file(o.fd))
		diag(e, "Kernel-lock failed");
	e->tell = lseek(o.fd, 0, SEEK_END);
	if (in->raw)
		put(&o, in->data, in->len);
	else
		put_escaped(e, &o, in);
	put_last_line(&o, in);
	if (!o.failed && fsync(o.fd) == -1 && errno != EINVAL) {
		o.failed = true;
		o.error = errno;
	}
	e->dumped = o.failed ? (long)in->len : o.n;
	if (o.failed && !ignore) {
		errno = o.error;
		(void)write_failed(e, f->path);
		if (e->tell >= 0 && ftruncate(o.fd, e->tell) == 0)
			diag(e, "Truncated file to former size");
	}
	(void)close(o.fd);
	return !o.failed || ignore;
}

/* A file in the folder, whole and synced, under a name that nobody looks at. */
static char *
write_temporary(struct engine *e, const struct folder *f,
    const struct piece *in, bool ignore)
{
	char *unique = maildir_unique(e->ctx), *path;
	struct out o = { .fd = -1 };

	path = must(talloc_asprintf(e->ctx, f->kind == F_MAILDIR ? "%s/tmp/%s" :
	    "%s/_%s", f->path, unique));
	talloc_free(unique);
	o.fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    FILE_MODE);
	if (o.fd == -1) {
		diag_of(e, "Couldn't create or rename temp file", f->path);
		return NULL;
	}
	put(&o, in->data, in->len);
	if (f->kind != F_MAILDIR)
		put_last_line(&o, in);
	if (!o.failed && fsync(o.fd) == -1) {
		o.failed = true;
		o.error = errno;
	}
	if (close(o.fd) == -1 && !o.failed) {	/* quota and NFS speak here */
		o.failed = true;
		o.error = errno;
	}
	e->dumped = o.failed ? (long)in->len : o.n;
	if (!o.failed || ignore)
		return path;
	(void)unlink(path);
	errno = o.error;
	(void)write_failed(e, path);
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
		diag_of(e, "Couldn't read", path);
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

/* A second name for a file, its final one in a folder; NULL: not possible. */
static char *
link_into(struct engine *e, const struct folder *f, const char *from)
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
			path = must(talloc_asprintf(e->ctx, "%s/%lu", f->path, n));
		else if (f->kind == F_DIR) {
			in_letters(n, letters);
			path = must(talloc_asprintf(e->ctx, "%s/%s%s", f->path,
			    e->set.msgprefix, letters));
		} else {
			unique = maildir_unique(e->ctx);
			path = must(talloc_asprintf(e->ctx, "%s/new/%s", f->path,
			    unique));
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

/* Its file under its final name; NULL: not delivered. */
static char *
write_file(struct engine *e, const struct folder *f, const struct piece *in,
    bool ignore)
{
	char *temporary, *path;

	e->tell = -1;
	temporary = write_temporary(e, f, in, ignore);
	if (temporary == NULL)
		return NULL;
	path = link_into(e, f, temporary);
	(void)unlink(temporary);
	talloc_free(temporary);
	if (path == NULL) {
		diag_of(e, "Couldn't create or rename temp file", f->path);
		return NULL;
	}
	sync_dir(path);
	set_folder(e, path);
	mark_arrived(e, f);
	return path;
}

/* Further folders get a link to the file that the first one has. */
static void
link_others(struct engine *e, const struct words *names, const char *name,
    const char *file)
{
	struct folder f;
	char *path, *linked;
	enum dest_kind kind;

	for (; name != NULL; name = words_next(names, name)) {
		kind = folder_split(e->ctx, name, &path);
		f = find_folder(e, kind, path, true);
		if (f.kind == F_NONE)
			continue;
		linked = link_into(e, &f, file);
		if (linked == NULL) {
			diag_of(e, "Couldn't make link to", path);
			continue;
		}
		chat(e, "Linking to", linked);
		set_folder(e, must(talloc_asprintf(e->ctx, "%s %s",
		    vars_text(e->vars, "LASTFOLDER"), linked)));
		mark_arrived(e, &f);
	}
}

/* A Maildir's file has no From_ line. */
struct piece
folder_piece(struct engine *e, const struct piece *in)
{
	struct piece p = *in;
	size_t skip;

	if (in->data == e->mail->b.p) {
		skip = mail_from_lines(in->data, in->len);
		p.data += skip;
		p.len -= skip;
	}
	return p;
}

/* To standard output: what begins with a `|`. */
bool
stdout_write(struct engine *e, const char *name, const struct piece *in,
    bool ignore)
{
	struct out o = { .fd = STDOUT_FILENO };

	rclog_flush(e);
	set_folder(e, name);
	e->tell = -1;
	put(&o, in->data, in->len);
	put_last_line(&o, in);
	e->dumped = o.n;
	if (!o.failed || ignore)
		return true;
	errno = o.error;
	return write_failed(e, name);
}

bool
folder_write_one(struct engine *e, enum dest_kind kind, char *path,
    const struct words *names, const char *others, const struct piece *in,
    unsigned how)
{
	bool second = (how & WRITE_SECOND) != 0;
	bool ignore = (how & WRITE_IGNORE) != 0;
	struct piece piece;
	struct folder f;
	char *left;

	if (*path == '|' && !second)
		return stdout_write(e, path, in, ignore);
	f = find_folder(e, kind, path, second);
	piece = f.kind == F_MAILDIR ? folder_piece(e, in) : *in;
	if (f.kind == F_NONE)
		return false;
	if (f.kind != F_MBOX) {
		left = write_file(e, &f, &piece, ignore);
		if (left != NULL)
			link_others(e, names, others, left);
		return left != NULL;
	}
	if (others != NULL) {
		left = words_join(e->ctx, names, others);
		if (*left != '\0')
			diag_of(e, "Skipped", left);
	}
	if ((how & WRITE_LOCK) != 0 && strcmp(path, "/dev/null") != 0) {
		left = must(talloc_asprintf(e->ctx, "%s%s", path,
		    e->set.lockext));
		if (e->global == NULL || strcmp(e->global, left) != 0)
			(void)lock_take(e, left, &e->local);
		if (e->stop)
			return false;
	}
	return write_mbox(e, &f, &piece, ignore);
}
