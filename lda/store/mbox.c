/* SPDX-License-Identifier: ISC */
/*
 * mbox.c - one message more in an mbox file, as procmail does it
 *
 * In constant memory: of a line only its first bytes are kept until it is clear
 * what they are, and a Content-Length is corrected in its place at the end.
 */
#include "lda/store/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lda/store/dotlock.h"
#include "maps/base/file.h"

#define LENGTH_FIELD	"Content-Length:"
#define HEAD_MAX	(sizeof(LENGTH_FIELD) - 1)
#define BUFFER		16384

enum part { HEAD_OF_LINE, LENGTH_VALUE, REST_OF_LINE };

struct mbox {
	const char	*path, *name;	/* name: its last component */
	const char	*lockname;
	int		 fd, dirfd;
	struct dotlock	 lock;
	off_t		 base;		/* where the message begins */
	off_t		 at;		/* where the next byte will be */
	bool		 whole;		/* it stays */
	bool		 berkeley;
	/* Where we are in the message. */
	enum part	 part;
	bool		 body;
	char		 head[HEAD_MAX];
	size_t		 nhead;
	off_t		 length_at;	/* of the value; 0: no such field */
	size_t		 length_width;
	off_t		 body_at;
	char		 last[2];	/* bytes written last */
	size_t		 nbuf;
	char		 buf[BUFFER];
};

static int
mbox_destroy(struct mbox *mb)
{
	if (mb->fd != -1 && !mb->whole && mb->base >= 0)
		(void)!ftruncate(mb->fd, mb->base);
	if (mb->fd != -1)
		(void)close(mb->fd);	/* and with it the fcntl lock */
	dotlock_drop(&mb->lock);
	if (mb->dirfd != -1)
		(void)close(mb->dirfd);
	return 0;
}

static enum status
take_dotlock(struct mbox *mb, long wait, struct err *err)
{
	if (faccessat(mb->dirfd, ".", W_OK, AT_EACCESS) == -1)
		return ST_OK;		/* our rights do not reach to take it */
	return dotlock_take(&mb->lock, mb->dirfd, mb->lockname, mb->name, -1,
	    wait, err);
}

/* Where a link leads, or NULL and errno.  Owner and target are those of one
 * inode, so that the link cannot be exchanged between the two questions. */
static char *
target_of(const struct mbox *mb)
{
	int fd = openat(mb->dirfd, mb->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char target[PATH_MAX];
	struct stat sb;
	ssize_t n = -1;

	if (fd == -1)
		return NULL;
	if (fstat(fd, &sb) == 0 && sb.st_uid == geteuid())
		n = readlinkat(fd, "", target, sizeof(target) - 1);
	(void)close(fd);
	if (n > 0)
		return must(talloc_strndup(NULL, target, (size_t)n));
	errno = ELOOP;
	return NULL;
}

/* A link is followed only where the caller owns it. */
static int
open_file(const struct mbox *mb)
{
	int fd, flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	char *target;

	fd = openat(mb->dirfd, mb->name, flags | O_NOFOLLOW, 0600);
	if (fd != -1 || errno != ELOOP)
		return fd;
	target = target_of(mb);
	if (target == NULL)
		return -1;
	fd = openat(mb->dirfd, target, flags, 0600);
	talloc_free(target);
	return fd;
}

static enum status
open_and_lock(struct mbox *mb, struct err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat sb;

	mb->fd = open_file(mb);
	if (mb->fd == -1)
		return err_sys(err, "open %s", mb->path);
	if (fstat(mb->fd, &sb) == -1)
		return err_sys(err, "stat %s", mb->path);
	if (!S_ISREG(sb.st_mode))
		return err_set(err, ST_NEVER, "%s is not a regular file",
		    mb->path);
	while (fcntl(mb->fd, F_SETLKW, &lock) == -1)
		if (errno != EINTR)
			return err_sys(err, "lock %s", mb->path);
	mb->base = lseek(mb->fd, 0, SEEK_END);
	if (mb->base == -1)
		return err_sys(err, "seek %s", mb->path);
	mb->at = mb->base;
	return ST_OK;
}

static enum status
flush(struct mbox *mb, struct err *err)
{
	size_t n = mb->nbuf;

	mb->nbuf = 0;
	return file_write(mb->fd, mb->buf, n) == -1 ?
	    err_sys(err, "write %s", mb->path) : ST_OK;
}

static enum status
out(struct mbox *mb, const char *data, size_t len, struct err *err)
{
	enum status st = ST_OK;

	if (len == 0)
		return ST_OK;
	mb->last[0] = len > 1 ? data[len - 2] : mb->last[1];
	mb->last[1] = data[len - 1];
	mb->at += (off_t)len;
	if (mb->nbuf + len > BUFFER)
		st = flush(mb, err);
	if (st == ST_OK && len > BUFFER)
		return file_write(mb->fd, data, len) == -1 ?
		    err_sys(err, "write %s", mb->path) : ST_OK;
	memcpy(mb->buf + mb->nbuf, data, len);
	mb->nbuf += len;
	return st;
}

enum status
mbox_begin(TALLOC_CTX *ctx, const char *path, const char *from, bool berkeley,
    long wait, struct mbox **out_mb, struct err *err)
{
	struct mbox *mb = must(talloc_zero(ctx, struct mbox));
	enum status st;

	mb->fd = mb->dirfd = -1;
	mb->base = -1;
	mb->berkeley = berkeley;
	mb->path = must(talloc_strdup(mb, path));
	mb->name = basename(must(talloc_strdup(mb, path)));
	mb->lockname = must(talloc_asprintf(mb, "%s.lock", mb->name));
	talloc_set_destructor(mb, mbox_destroy);
	mb->dirfd = open(dirname(must(talloc_strdup(mb, path))),
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	st = mb->dirfd == -1 ? err_sys(err, "%s", path) :
	    take_dotlock(mb, wait, err);
	if (st == ST_OK)
		st = open_and_lock(mb, err);
	if (st == ST_OK)
		st = out(mb, from, strlen(from), err);
	if (st == ST_OK)
		*out_mb = mb;
	else
		talloc_free(mb);
	return st;
}

/* May there be a line of which these are the first bytes, and that matters? */
static bool
may_matter(const struct mbox *mb)
{
	size_t n = mb->nhead;

	if (n < 5 && memcmp(mb->head, "From ", n) == 0)
		return true;
	return !mb->body && !mb->berkeley && mb->length_at == 0 &&
	    n < HEAD_MAX && strncasecmp(mb->head, LENGTH_FIELD, n) == 0;
}

/* What the line begins with is known: write it, escaped where it must be. */
static enum status
end_of_head(struct mbox *mb, struct err *err)
{
	enum status st = ST_OK;

	mb->part = REST_OF_LINE;
	if (mb->nhead >= 5 && memcmp(mb->head, "From ", 5) == 0 &&
	    !(mb->body && mb->length_at != 0))
		st = out(mb, ">", 1, err);
	if (st == ST_OK)
		st = out(mb, mb->head, mb->nhead, err);
	if (mb->nhead == HEAD_MAX && !mb->body && !mb->berkeley &&
	    mb->length_at == 0 &&
	    strncasecmp(mb->head, LENGTH_FIELD, HEAD_MAX) == 0)
		mb->part = LENGTH_VALUE;
	mb->nhead = 0;
	return st;
}

/* A line's LF: what it says of the lines after it. */
static enum status
end_of_line(struct mbox *mb, bool empty, struct err *err)
{
	enum status st = out(mb, "\n", 1, err);

	if (empty && !mb->body) {
		mb->body = true;
		mb->body_at = mb->at;
	}
	mb->part = HEAD_OF_LINE;
	return st;
}

/* The value begins where we are; without room for a digit it says nothing. */
static void
take_length(struct mbox *mb, size_t width)
{
	if (mb->length_at == 0 && width > 0)
		mb->length_at = mb->at;
	if (mb->length_at != 0)
		mb->length_width += width;
}

static enum status
put_piece(struct mbox *mb, const char **p, const char *end, struct err *err)
{
	const char *lf;
	enum status st = ST_OK;
	size_t n;

	if (mb->part == HEAD_OF_LINE) {
		if (**p == '\n') {
			bool empty = mb->nhead == 0;

			st = end_of_head(mb, err);
			(*p)++;
			return st == ST_OK ? end_of_line(mb, empty, err) : st;
		}
		mb->head[mb->nhead++] = *(*p)++;
		return may_matter(mb) ? ST_OK : end_of_head(mb, err);
	}
	lf = memchr(*p, '\n', (size_t)(end - *p));
	n = (size_t)((lf == NULL ? end : lf) - *p);
	if (mb->part == LENGTH_VALUE)
		take_length(mb, n);
	st = out(mb, *p, n, err);
	*p += n;
	if (st == ST_OK && lf != NULL) {
		(*p)++;
		st = end_of_line(mb, false, err);
	}
	return st;
}

enum status
mbox_put(struct mbox *mb, const char *data, size_t len, struct err *err)
{
	const char *p = data, *end = data + len;
	enum status st = ST_OK;

	while (p < end && st == ST_OK)
		st = put_piece(mb, &p, end, err);
	return st;
}

static enum status
write_at(const struct mbox *mb, const char *data, size_t len, off_t at,
    struct err *err)
{
	while (len > 0) {
		ssize_t n = pwrite(mb->fd, data, len, at);

		if (n == -1 && errno != EINTR)
			return err_sys(err, "write %s", mb->path);
		if (n > 0) {
			data += n;
			len -= (size_t)n;
			at += n;
		}
	}
	return ST_OK;
}

/*
 * Right-aligned in the room that the field has, or in the first bytes of a very
 * large one; nines where it is too small.  Nothing of the sender's number
 * stays.
 */
static enum status
correct_length(struct mbox *mb, off_t body, struct err *err)
{
	char digits[24], value[128];
	int n = snprintf(digits, sizeof(digits), "%lld", (long long)body);
	size_t left = mb->length_width, width;
	enum status st = ST_OK;

	width = left > sizeof(value) ? sizeof(value) : left;
	memset(value, (size_t)n > width ? '9' : ' ', width);
	if ((size_t)n <= width)
		memcpy(value + width - n, digits, (size_t)n);
	while (left > 0 && st == ST_OK) {
		st = write_at(mb, value, width, mb->length_at +
		    (off_t)(mb->length_width - left), err);
		left -= width;
		width = left > sizeof(value) ? sizeof(value) : left;
		memset(value, ' ', width);
	}
	return st;
}

enum status
mbox_end(struct mbox *mb, struct err *err)
{
	enum status st = end_of_head(mb, err);
	off_t body = mb->body ? mb->at - mb->body_at : 0;

	/* A last empty line is the one that belongs between two messages. */
	if (st == ST_OK && mb->last[0] == '\n' && mb->last[1] == '\n')
		body -= body > 0;
	else if (st == ST_OK)
		st = out(mb, "\n", 1, err);
	if (st == ST_OK)
		st = flush(mb, err);
	if (st == ST_OK)
		st = correct_length(mb, body, err);
	if (st == ST_OK && fsync(mb->fd) == -1)
		st = err_sys(err, "fsync %s", mb->path);
	mb->whole = st == ST_OK;
	return st;
}
