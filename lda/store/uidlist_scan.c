/* SPDX-License-Identifier: ISC */
/*
 * uidlist_scan.c - the lines of dovecot-uidlist: all in turn, or the last ones
 */
#include "lda/store/uidlist_scan.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER		(256 * 1024)	/* bytes read at once by a scan */

_Static_assert(BUFFER > UIDLIST_LINE_LONGEST, "a line fits");

struct uidlist_scan {
	int		 fd;
	off_t		 size;		/* up to and with the last LF */
	off_t		 next;		/* the next byte to be read */
	char		*at, *end;	/* in buf: read, and not given yet */
	uint32_t	 before;	/* UID of the line before */
	bool		 begun;		/* the header has been passed */
	char		 buf[BUFFER];
};

static enum status
damaged(unsigned long uid, struct err *err)
{
	return err_set(err, ST_NEVER, "%s is damaged near UID %lu (let Dovecot "
	    "mend it: doveadm force-resync)", UIDLIST_NAME, uid);
}

struct uidlist_scan *
uidlist_scan_begin(TALLOC_CTX *ctx, const struct uidlist *ul)
{
	struct uidlist_scan *scan = must(talloc(ctx, struct uidlist_scan));

	scan->fd = ul->fd;
	scan->size = ul->size;
	scan->next = 0;
	scan->at = scan->end = scan->buf;
	scan->before = 0;
	scan->begun = false;
	return scan;
}

/* What is left goes to the front; ST_NONE: the list ends. */
static enum status
fill(struct uidlist_scan *scan, struct err *err)
{
	size_t have = (size_t)(scan->end - scan->at), room = BUFFER - have;
	off_t left = scan->size - scan->next;
	ssize_t n;

	if (left == 0)
		return ST_NONE;
	memmove(scan->buf, scan->at, have);
	scan->at = scan->buf;
	scan->end = scan->buf + have;
	n = pread(scan->fd, scan->end, (off_t)room > left ? (size_t)left :
	    room, scan->next);
	if (n == -1)
		return err_sys(err, "read %s", UIDLIST_NAME);
	if (n == 0)
		return err_set(err, ST_AGAIN, "%s was cut", UIDLIST_NAME);
	scan->end += n;
	scan->next += n;
	return ST_OK;
}

enum status
uidlist_scan_bytes(struct uidlist_scan *scan, char **text, size_t *len,
    struct err *err)
{
	enum status st;
	char *lf;

	while ((lf = memchr(scan->at, '\n', (size_t)(scan->end - scan->at))) ==
	    NULL) {
		if (scan->end - scan->at >= UIDLIST_LINE_LONGEST)
			return damaged(scan->before, err);
		st = fill(scan, err);
		if (st != ST_OK)
			return st;
	}
	*text = scan->at;
	*len = (size_t)(lf + 1 - scan->at);
	scan->at = lf + 1;
	return *len <= UIDLIST_LINE_LONGEST ? ST_OK :
	    damaged(scan->before, err);
}

enum status
uidlist_scan_next(struct uidlist_scan *scan, struct uidlist_line *line,
    struct err *err)
{
	enum status st = ST_OK;
	char *text = NULL;
	size_t len = 0;

	if (!scan->begun)
		st = uidlist_scan_bytes(scan, &text, &len, err);
	scan->begun = true;
	if (st == ST_OK)
		st = uidlist_scan_bytes(scan, &text, &len, err);
	if (st != ST_OK)
		return st;
	text[len - 1] = '\0';
	if (strlen(text) != len - 1 || !uidlist_line_parse(text, line) ||
	    line->uid <= scan->before)
		return damaged(scan->before, err);
	scan->before = line->uid;
	return ST_OK;
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
		/* The first may be half a line, or the header: passed. */
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
	char *text = NULL, *end;
	struct uidlist_line line;
	uint32_t before = 0;
	enum status st;
	size_t room = 0;

	*lines = NULL;
	*n = 0;
	st = read_back(ul, ctx, from, &text, err);
	for (; st == ST_OK && *text != '\0'; text = end) {
		end = text + strcspn(text, "\n");
		if (*end == '\n')
			*end++ = '\0';
		if (!uidlist_line_parse(text, &line) || line.uid <= before)
			return damaged(before, err);
		before = line.uid;
		if (line.uid < from)
			continue;
		if (*n == room) {
			room = room == 0 ? 16 : room * 2;
			*lines = must(talloc_realloc(ctx, *lines,
			    struct uidlist_line, (unsigned)room));
		}
		(*lines)[(*n)++] = line;
	}
	return st;
}
