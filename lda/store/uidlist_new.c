/* SPDX-License-Identifier: ISC */
/*
 * uidlist_new.c - dovecot-uidlist as a new file: made, raised, a line dropped
 *
 * Anything but an append is a new file and a rename: an open IMAP session
 * notices a change by inode and size only.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lda/store/uidlist.h"
#include "maps/base/file.h"

#define TMP UIDLIST_NAME ".tmp"

/* Swap the file written to `fd` in, and read it as anybody would. */
static enum status
swap_in(struct uidlist *ul, int ctlfd, int fd, struct err *err)
{
	enum status st = ST_OK;

	if (fsync(fd) == -1)
		st = err_sys(err, "fsync %s", TMP);
	if (close(fd) == -1 && st == ST_OK)
		st = err_sys(err, "close %s", TMP);
	if (st == ST_OK && renameat(ctlfd, TMP, ctlfd, UIDLIST_NAME) == -1)
		st = err_sys(err, "rename %s", TMP);
	if (st != ST_OK) {
		(void)unlinkat(ctlfd, TMP, 0);
		return st;
	}
	if (fsync(ctlfd) == -1)
		return err_sys(err, "fsync the directory of %s", UIDLIST_NAME);
	uidlist_close(ul);
	st = uidlist_read(ul, ctlfd, err);
	return st == ST_NONE ? err_set(err, ST_AGAIN, "%s is gone",
	    UIDLIST_NAME) : st;
}

static int
create(int ctlfd, mode_t mode, gid_t gid, struct err *err)
{
	int fd;

	(void)unlinkat(ctlfd, TMP, 0);
	fd = openat(ctlfd, TMP, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd == -1) {
		(void)err_sys(err, "create %s", TMP);
		return -1;
	}
	if (file_permit(fd, mode, gid) == -1) {
		(void)err_sys(err, "chmod %s", TMP);
		(void)close(fd);
		(void)unlinkat(ctlfd, TMP, 0);
		return -1;
	}
	return fd;
}

enum status
uidlist_make(struct uidlist *ul, int ctlfd, uint32_t validity, uint32_t next,
    const char *guid, mode_t mode, gid_t gid, struct err *err)
{
	char head[128];
	int fd, len;

	ul->fd = -1;
	fd = create(ctlfd, mode, gid, err);
	if (fd == -1)
		return ST_AGAIN;
	len = snprintf(head, sizeof(head), "3 V%lu N%lu G%s\n",
	    (unsigned long)validity, (unsigned long)next, guid);
	if (file_write(fd, head, (size_t)len) == -1) {
		enum status st = err_sys(err, "write %s", TMP);

		(void)close(fd);
		(void)unlinkat(ctlfd, TMP, 0);
		return st;
	}
	return swap_in(ul, ctlfd, fd, err);
}

struct rewriting {
	uint32_t	 next;		/* N at least */
	const char	*drop;		/* base name whose line goes; NULL */
};

/* The header again with N = next, every other key as it was. */
static int
write_header(FILE *out, char *line, uint32_t next)
{
	char *save = NULL, *w = strtok_r(line, " \n", &save);

	(void)fputs(w, out);
	while ((w = strtok_r(NULL, " \n", &save)) != NULL) {
		if (*w == 'N')
			(void)fprintf(out, " N%lu", (unsigned long)next);
		else
			(void)fprintf(out, " %s", w);
	}
	return fputc('\n', out);
}

static int
is_dropped(char *line, const struct rewriting *rw)
{
	size_t len = rw->drop == NULL ? 0 : strlen(rw->drop);
	const char *name = len == 0 ? NULL : uidlist_name(line);

	return name != NULL && strncmp(name, rw->drop, len) == 0 &&
	    (name[len] == ':' || name[len] == '\n');
}

static enum status
copy_lines(FILE *in, FILE *out, const struct rewriting *rw, struct err *err)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int first = 1;

	while ((n = getline(&line, &room, in)) > 0 && line[n - 1] == '\n') {
		if (first)
			(void)write_header(out, line, rw->next);
		else if (!is_dropped(line, rw))	/* NUL bytes and all */
			(void)fwrite(line, 1, (size_t)n, out);
		first = 0;
	}
	free(line);
	if (ferror(in) || first)
		return err_sys(err, "read %s", UIDLIST_NAME);
	return fflush(out) == 0 && !ferror(out) ? ST_OK :
	    err_sys(err, "write %s", TMP);
}

static enum status
rewrite(struct uidlist *ul, int ctlfd, const struct rewriting *rw,
    struct err *err)
{
	FILE *in = NULL, *out = NULL;
	int fd, rfd, wfd;
	struct stat sb;
	enum status st;

	if (fstat(ul->fd, &sb) == -1)
		return err_sys(err, "stat %s", UIDLIST_NAME);
	fd = create(ctlfd, sb.st_mode & 0777, sb.st_gid, err);
	if (fd == -1)
		return ST_AGAIN;
	rfd = openat(ctlfd, UIDLIST_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	in = rfd == -1 ? NULL : fdopen(rfd, "r");
	wfd = dup(fd);
	out = wfd == -1 ? NULL : fdopen(wfd, "w");
	st = in == NULL || out == NULL ? err_sys(err, "rewrite %s",
	    UIDLIST_NAME) : copy_lines(in, out, rw, err);
	if (in != NULL)
		(void)fclose(in);
	if (out != NULL && fclose(out) != 0 && st == ST_OK)
		st = err_sys(err, "write %s", TMP);
	if (st == ST_OK)
		return swap_in(ul, ctlfd, fd, err);
	(void)close(fd);
	(void)unlinkat(ctlfd, TMP, 0);
	return st;
}

enum status
uidlist_raise(struct uidlist *ul, int ctlfd, uint32_t next, struct err *err)
{
	struct rewriting rw = { next, NULL };

	return next <= ul->next ? ST_OK : rewrite(ul, ctlfd, &rw, err);
}

enum status
uidlist_renew(struct uidlist *ul, int ctlfd, struct err *err)
{
	struct rewriting rw = { ul->next, NULL };

	return rewrite(ul, ctlfd, &rw, err);
}

enum status
uidlist_drop(struct uidlist *ul, int ctlfd, const char *name, uint32_t next,
    struct err *err)
{
	struct rewriting rw = { next, name };

	return rewrite(ul, ctlfd, &rw, err);
}

static enum status
damaged(unsigned long uid, struct err *err)
{
	return err_set(err, ST_NEVER, "%s is damaged near UID %lu",
	    UIDLIST_NAME, uid);
}

/* Whole lines from the end on, in growing steps, until one is below `from`. */
static enum status
read_back(const struct uidlist *ul, TALLOC_CTX *ctx, uint32_t from,
    char **text, struct err *err)
{
	size_t want = 4096, len;
	unsigned long uid;
	char *buf = NULL, *line;
	off_t at;

	for (;; want *= 2) {
		len = (off_t)want > ul->size ? (size_t)ul->size : want;
		at = ul->size - (off_t)len;
		buf = must(talloc_realloc_size(ctx, buf, len + 1));
		if (pread(ul->fd, buf, len, at) != (ssize_t)len)
			return err_sys(err, "read %s", UIDLIST_NAME);
		buf[len] = '\0';
		if (strlen(buf) != len)
			return damaged(from, err);
		/* The first may be half a line, or the header: not looked at. */
		line = strchr(buf, '\n');
		*text = line == NULL ? buf + len : line + 1;
		if (at == 0)
			return ST_OK;
		uid = strtoul(*text, NULL, 10);
		if (**text != '\0' && uid < from)
			return ST_OK;
	}
}

enum status
uidlist_from(TALLOC_CTX *ctx, const struct uidlist *ul, uint32_t from,
    struct uidlist_line **lines, size_t *n, struct err *err)
{
	char *text = NULL, *line, *end, *after, *name;
	unsigned long uid, before = 0;
	enum status st;

	*lines = NULL;
	*n = 0;
	st = read_back(ul, ctx, from, &text, err);
	if (st != ST_OK)
		return st;
	for (line = text; *line != '\0'; line = end) {
		end = line + strcspn(line, "\n");
		if (*end == '\n')
			*end++ = '\0';
		uid = strtoul(line, &after, 10);
		name = uidlist_name(line);
		if (*line < '0' || *line > '9' || *after != ' ' || uid <= before ||
		    uid > UINT32_MAX - 1 || name == NULL ||
		    strchr(name, '/') != NULL)
			return damaged(before, err);
		name[strcspn(name, ":")] = '\0';
		if (*name == '\0')
			return damaged(before, err);
		before = uid;
		if (uid < from)
			continue;
		*lines = must(talloc_realloc(ctx, *lines, struct uidlist_line,
		    (unsigned)*n + 1));
		name[-1] = '\0';	/* its colon: the keys end there */
		(*lines)[(*n)++] = (struct uidlist_line){ (uint32_t)uid, name,
		    after };
	}
	return ST_OK;
}
