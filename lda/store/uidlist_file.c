/* SPDX-License-Identifier: ISC */
/*
 * uidlist_file.c - the file dovecot-uidlist: its head, its end, a line appended
 */
#include "lda/store/uidlist_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maps/base/file.h"

#define BLOCK		4096		/* bytes read at once, at either end */

static enum status
damaged(struct err *err, const char *what)
{
	return err_set(err, ST_NEVER, "%s is damaged: %s (let Dovecot mend it: "
	    "doveadm force-resync)", UIDLIST_NAME, what);
}

/* Digits at p, ended by any of `ends`; NULL: there are none, or too many. */
static const char *
number(const char *p, const char *end, const char *ends, uint32_t *n)
{
	const char *start = p;
	uint64_t v = 0;

	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (uint64_t)(*p - '0');
		if (v > UINT32_MAX)
			return NULL;
	}
	if (p == start || p == end || strchr(ends, *p) == NULL)
		return NULL;
	*n = (uint32_t)v;
	return p;
}

/* ` V1 N2 Gx`, with keys that we do not know among them. */
static enum status
parse_header(struct uidlist *ul, const char *p, const char *end,
    struct err *err)
{
	const char *next;

	for (; p < end && *p != '\n'; p = next) {
		if (*p++ != ' ')
			return damaged(err, "its header");
		next = p + strcspn(p, " \n");
		if (*p == 'V' &&
		    number(p + 1, end, " \n", &ul->validity) != next)
			return damaged(err, "its UIDVALIDITY");
		if (*p == 'N' && number(p + 1, end, " \n", &ul->next) != next)
			return damaged(err, "its next UID");
		if (*p == 'G' && next - p == 33) {
			memcpy(ul->guid, p + 1, 32);
			ul->guid[32] = '\0';
		}
	}
	if (ul->validity == 0 || ul->next == 0)
		return damaged(err, "its header lacks V or N");
	return ST_OK;
}

static enum status
read_header(struct uidlist *ul, char *buf, size_t len, struct err *err)
{
	char *lf = memchr(buf, '\n', len);

	if (lf == NULL)
		return damaged(err, "its header does not end");
	buf[len] = '\0';
	if (buf[0] == '1' && buf[1] == ' ')
		return err_set(err, ST_NEVER, "%s has the format of Dovecot "
		    "1.0: let Dovecot 1.1 or later open the mailbox once "
		    "(doveadm mailbox status uidnext)", UIDLIST_NAME);
	if (buf[0] != '3' || buf[1] != ' ')
		return err_set(err, ST_NEVER, "%s has an unknown version: this "
		    "mailferry writes version 3 only", UIDLIST_NAME);
	return parse_header(ul, buf + 1, lf + 1, err);
}

/* For the comparison of two sides; a name too long is none. */
static void
remember_last(struct uidlist *ul, char *line)
{
	const char *name = uidlist_line_name(line);
	size_t len = name == NULL ? 0 : strcspn(name, ":");

	if (len == 0 || len >= sizeof(ul->last_name))
		return;
	ul->last = (uint32_t)strtoul(line, NULL, 10);
	memcpy(ul->last_name, name, len);
	ul->last_name[len] = '\0';
}

/*
 * The tail: where the last whole line begins and ends.  Reads blocks from the
 * end until there are two LFs, or the header's.
 */
static enum status
read_tail(struct uidlist *ul, off_t file_size, struct err *err)
{
	char buf[UIDLIST_LINE_LONGEST + 1];
	size_t want = BLOCK, len;
	char *last, *before;
	uint32_t uid;
	off_t from;

	for (;;) {
		len = (off_t)want > file_size ? (size_t)file_size : want;
		from = file_size - (off_t)len;
		if (pread(ul->fd, buf, len, from) != (ssize_t)len)
			return err_sys(err, "read %s", UIDLIST_NAME);
		last = memrchr(buf, '\n', len);
		before = last == NULL ? NULL : memrchr(buf, '\n',
		    (size_t)(last - buf));
		if (before != NULL || len == (size_t)file_size)
			break;
		if (want == UIDLIST_LINE_LONGEST)
			return damaged(err, "a line that does not end");
		want = want * 4 > UIDLIST_LINE_LONGEST ?
		    UIDLIST_LINE_LONGEST : want * 4;
	}
	ul->size = from + (last - buf) + 1;
	ul->torn = file_size - ul->size;
	if (before == NULL)		/* the header is all there is */
		return ST_OK;
	*last = '\0';
	remember_last(ul, before + 1);
	if (number(before + 1, last, " ", &uid) == NULL || uid == 0 ||
	    uid > UIDLIST_UID_HIGHEST)
		return damaged(err, "its last line");
	if (uid + 1 > ul->next)
		ul->next = uid + 1;
	return ST_OK;
}

enum status
uidlist_read(struct uidlist *ul, int ctlfd, struct err *err)
{
	char buf[BLOCK + 1];
	struct statx sx;
	enum status st;
	ssize_t len;

	memset(ul, 0, sizeof(*ul));
	ul->fd = openat(ctlfd, UIDLIST_NAME,
	    O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (ul->fd == -1)
		return errno == ENOENT ? ST_NONE :
		    err_sys(err, "open %s", UIDLIST_NAME);
	if (file_ask(ul->fd, &sx) == -1 ||
	    (len = pread(ul->fd, buf, BLOCK, 0)) == -1)
		st = err_sys(err, "read %s", UIDLIST_NAME);
	else if (!S_ISREG(sx.stx_mode))
		st = err_set(err, ST_NEVER, "%s is no file", UIDLIST_NAME);
	else if (sx.stx_nlink == 0)	/* the name as NFS remembers it */
		st = err_set(err, ST_AGAIN, "%s was replaced", UIDLIST_NAME);
	else if (len == 0)
		st = ST_NONE;		/* Dovecot takes it for none, too */
	else
		st = read_header(ul, buf, (size_t)len, err);
	if (st == ST_OK)
		st = read_tail(ul, (off_t)sx.stx_size, err);
	if (st != ST_OK)
		uidlist_close(ul);
	return st;
}

enum status
uidlist_mend(struct uidlist *ul, struct err *err)
{
	if (ul->torn == 0)
		return ST_OK;
	if (ftruncate(ul->fd, ul->size) == -1)
		return err_sys(err, "cut the torn line off %s", UIDLIST_NAME);
	ul->torn = 0;
	return ST_OK;
}

enum status
uidlist_append_line(struct uidlist *ul, const struct uidlist_line *line,
    struct err *err)
{
	char *text = line->uid < ul->next ? NULL :
	    uidlist_line_format(NULL, line);
	enum status st = ST_OK;
	size_t len;
	ssize_t n;

	if (text == NULL)
		return err_set(err, ST_NEVER, "%s: no line for UID %lu, %s",
		    UIDLIST_NAME, (unsigned long)line->uid, line->name);
	len = strlen(text);
	n = write(ul->fd, text, len);
	if (n != (ssize_t)len) {
		st = err_sys(err, "append to %s", UIDLIST_NAME);
		if (n >= 0)		/* a full disk took half of it */
			st = err_set(err, ST_AGAIN, "append to %s: no space",
			    UIDLIST_NAME);
		if (n > 0)
			(void)!ftruncate(ul->fd, ul->size);
		goto out;
	}
	ul->size += (off_t)len;
	ul->next = line->uid + 1;
	ul->last = 0;			/* used before anything is written */
out:
	talloc_free(text);
	return st;
}

enum status
uidlist_append(struct uidlist *ul, uint32_t uid, const char *name,
    struct err *err)
{
	return uidlist_append_line(ul, &(struct uidlist_line){ .uid = uid,
	    .name = name, .keys = " " }, err);
}

void
uidlist_close(struct uidlist *ul)
{
	if (ul->fd != -1)
		(void)close(ul->fd);
	ul->fd = -1;
}
