/* SPDX-License-Identifier: ISC */
/*
 * uidlist_write.c - dovecot-uidlist as a new file: made, raised, a line dropped
 *
 * Anything but an append is a new file and a rename: an open IMAP session
 * notices a change by inode and size only.
 */
#include "lda/store/uidlist_write.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lda/store/uidlist_scan.h"
#include "maps/base/file.h"

#define TMP	UIDLIST_NAME ".tmp"
#define BUFFER	(64 * 1024)		/* bytes written at once */

struct uidlist_writer {
	int		 ctlfd;
	int		 fd;		/* TMP; -1: it was committed */
	uint32_t	 last;		/* UID of the last line that was put */
	size_t		 len;		/* in buf: not written yet */
	char		 buf[BUFFER];
};

/* What was not committed never was. */
static int
writer_abort(struct uidlist_writer *w)
{
	if (w->fd == -1)
		return 0;
	(void)close(w->fd);
	(void)unlinkat(w->ctlfd, TMP, 0);
	return 0;
}

static enum status
flush(struct uidlist_writer *w, struct err *err)
{
	size_t len = w->len;

	w->len = 0;
	return file_write(w->fd, w->buf, len) == -1 ?
	    err_sys(err, "write %s", TMP) : ST_OK;
}

static enum status
put_bytes(struct uidlist_writer *w, const char *text, size_t len,
    struct err *err)
{
	enum status st = ST_OK;
	size_t n;

	for (; len > 0 && st == ST_OK; text += n, len -= n) {
		n = len < BUFFER - w->len ? len : BUFFER - w->len;
		memcpy(w->buf + w->len, text, n);
		w->len += n;
		if (w->len == BUFFER)
			st = flush(w, err);
	}
	return st;
}

/* Without a header. */
static enum status
begin(TALLOC_CTX *ctx, int ctlfd, mode_t mode, gid_t gid,
    struct uidlist_writer **out, struct err *err)
{
	struct uidlist_writer *w = must(talloc(ctx, struct uidlist_writer));
	enum status st = ST_OK;

	w->ctlfd = ctlfd;
	w->last = 0;
	w->len = 0;
	(void)unlinkat(ctlfd, TMP, 0);
	w->fd = openat(ctlfd, TMP, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	talloc_set_destructor(w, writer_abort);
	if (w->fd == -1)
		st = err_sys(err, "create %s", TMP);
	else if (file_permit(w->fd, mode, gid) == -1)
		st = err_sys(err, "chmod %s", TMP);
	if (st == ST_OK)
		*out = w;
	else
		talloc_free(w);
	return st;
}

enum status
uidlist_write_begin(TALLOC_CTX *ctx, int ctlfd, uint32_t validity,
    uint32_t next, const char *guid, mode_t mode, gid_t gid,
    struct uidlist_writer **w, struct err *err)
{
	char head[128];
	enum status st;
	int len;

	st = begin(ctx, ctlfd, mode, gid, w, err);
	if (st != ST_OK)
		return st;
	len = snprintf(head, sizeof(head), "3 V%lu N%lu G%s\n",
	    (unsigned long)validity, (unsigned long)next, guid);
	return put_bytes(*w, head, (size_t)len, err);
}

enum status
uidlist_write_put(struct uidlist_writer *w, const struct uidlist_line *line,
    struct err *err)
{
	char *text = line->uid > w->last ? uidlist_line_format(NULL, line) :
	    NULL;
	enum status st;

	if (text == NULL)
		return err_set(err, ST_NEVER, "%s: no line for UID %lu, %s",
		    TMP, (unsigned long)line->uid, line->name);
	w->last = line->uid;
	st = put_bytes(w, text, strlen(text), err);
	talloc_free(text);
	return st;
}

/* The file is on the disk before it has the name, and the name before we go
 * on. */
static enum status
swap_in(struct uidlist_writer *w, struct err *err)
{
	enum status st;
	int fd = w->fd;

	st = flush(w, err);
	if (st == ST_OK && fsync(fd) == -1)
		st = err_sys(err, "fsync %s", TMP);
	if (close(fd) == -1 && st == ST_OK)
		st = err_sys(err, "close %s", TMP);
	w->fd = -1;
	if (st == ST_OK &&
	    renameat(w->ctlfd, TMP, w->ctlfd, UIDLIST_NAME) == -1)
		st = err_sys(err, "rename %s", TMP);
	if (st != ST_OK) {
		(void)unlinkat(w->ctlfd, TMP, 0);
		return st;
	}
	return fsync(w->ctlfd) == 0 ? ST_OK :
	    err_sys(err, "fsync the directory of %s", UIDLIST_NAME);
}

enum status
uidlist_write_commit(struct uidlist_writer *w, struct uidlist *ul,
    struct err *err)
{
	int ctlfd = w->ctlfd;
	enum status st;

	st = swap_in(w, err);
	talloc_free(w);
	if (st != ST_OK)
		return st;
	uidlist_close(ul);
	st = uidlist_read(ul, ctlfd, err);	/* as others will */
	return st == ST_NONE ? err_set(err, ST_AGAIN, "%s is gone",
	    UIDLIST_NAME) : st;
}

enum status
uidlist_make(struct uidlist *ul, int ctlfd, uint32_t validity, uint32_t next,
    const char *guid, mode_t mode, gid_t gid, struct err *err)
{
	struct uidlist_writer *w = NULL;
	enum status st;

	ul->fd = -1;
	st = uidlist_write_begin(NULL, ctlfd, validity, next, guid, mode, gid,
	    &w, err);
	if (st == ST_OK)
		return uidlist_write_commit(w, ul, err);
	talloc_free(w);
	return st;
}

/* The header with N = next, every other key as it was. */
static enum status
put_header(struct uidlist_writer *w, char *line, size_t len, uint32_t next,
    struct err *err)
{
	char *save = NULL, *word, *head = must(talloc_strdup(w, ""));
	enum status st;

	line[len - 1] = '\0';
	for (word = strtok_r(line, " ", &save); word != NULL;
	    word = strtok_r(NULL, " ", &save)) {
		if (*head != '\0')
			head = must(talloc_strdup_append_buffer(head, " "));
		head = must(*word != 'N' ?
		    talloc_strdup_append_buffer(head, word) :
		    talloc_asprintf_append_buffer(head, "N%lu",
		    (unsigned long)next));
	}
	head = must(talloc_strdup_append_buffer(head, "\n"));
	st = put_bytes(w, head, strlen(head), err);
	talloc_free(head);
	return st;
}

struct dropping {			/* which lines are left out */
	const char	*name;		/* base name; NULL: none */
	uint32_t	 below;		/* those with a lower UID */
};

static bool
is_dropped(const char *text, size_t len, const struct dropping *drop)
{
	char copy[UIDLIST_LINE_LONGEST];
	const char *name;
	size_t n;

	if (drop->name == NULL || *drop->name == '\0')
		return false;
	memcpy(copy, text, len);
	copy[len - 1] = '\0';
	name = uidlist_line_name(copy);
	n = strlen(drop->name);
	return name != NULL && strncmp(name, drop->name, n) == 0 &&
	    (name[n] == ':' || name[n] == '\0') &&
	    strtoul(copy, NULL, 10) < drop->below;
}

/* All lines but those of `drop`, whatever they are: NUL bytes and all. */
static enum status
put_lines(struct uidlist_writer *w, const struct uidlist *ul, uint32_t next,
    const struct dropping *drop, struct err *err)
{
	struct uidlist_scan *scan = uidlist_scan_begin(w, ul);
	char *text = NULL;
	enum status st;
	size_t len = 0;

	st = uidlist_scan_bytes(scan, &text, &len, err);
	if (st == ST_OK)
		st = put_header(w, text, len, next, err);
	while (st == ST_OK) {
		st = uidlist_scan_bytes(scan, &text, &len, err);
		if (st == ST_OK && !is_dropped(text, len, drop))
			st = put_bytes(w, text, len, err);
	}
	return st == ST_NONE ? ST_OK : st;
}

/* The same list with N = next, without the lines of `drop`. */
static enum status
rewrite(struct uidlist *ul, int ctlfd, uint32_t next,
    const struct dropping *drop, struct err *err)
{
	struct uidlist_writer *w = NULL;
	struct stat sb;
	enum status st;

	if (fstat(ul->fd, &sb) == -1)
		return err_sys(err, "stat %s", UIDLIST_NAME);
	st = begin(NULL, ctlfd, sb.st_mode & 0777, sb.st_gid, &w, err);
	if (st == ST_OK)
		st = put_lines(w, ul, next, drop, err);
	if (st == ST_OK)
		return uidlist_write_commit(w, ul, err);
	talloc_free(w);
	return st;
}

enum status
uidlist_raise(struct uidlist *ul, int ctlfd, uint32_t next, struct err *err)
{
	return next <= ul->next ? ST_OK :
	    rewrite(ul, ctlfd, next, &(struct dropping){ NULL, 0 }, err);
}

enum status
uidlist_renew(struct uidlist *ul, int ctlfd, struct err *err)
{
	return rewrite(ul, ctlfd, ul->next, &(struct dropping){ NULL, 0 }, err);
}

enum status
uidlist_drop(struct uidlist *ul, int ctlfd, const char *name, uint32_t next,
    struct err *err)
{
	return rewrite(ul, ctlfd, next, &(struct dropping){ name, UINT32_MAX },
	    err);
}

enum status
uidlist_drop_below(struct uidlist *ul, int ctlfd, const char *name,
    uint32_t uid, struct err *err)
{
	return rewrite(ul, ctlfd, ul->next, &(struct dropping){ name, uid },
	    err);
}

void
uidlist_guid(char guid[33])
{
	unsigned char raw[16];
	int i;

	while (getentropy(raw, sizeof(raw)) == -1)
		continue;
	for (i = 0; i < 16; i++)
		(void)snprintf(guid + 2 * i, 3, "%02x", raw[i]);
}
