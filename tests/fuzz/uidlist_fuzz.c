/* SPDX-License-Identifier: ISC */
/*
 * uidlist_fuzz.c - dovecot-uidlist of any content: read, mended, changed,
 * written
 *
 * Input: OPERATION UID NAME FILLER LF FILE.  FILLER lines are put in behind the
 * header, for what is larger than a block.  What a line means is said once more
 * here, as Dovecot 2.3.19 reads it (maildir_uidlist_next()).
 *
 * Every list is scanned.  OPERATION: append, raise, drop; from; copy, by a scan
 * and a
 * writer; put, where FILE's lines are `NAME UIDkeys`, of any bytes, for a
 * writer.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "lda/store/mark.h"
#include "lda/store/uidlist.h"

#define LONGEST	65536		/* bytes of a line; what is longer is damage */

struct line {
	const char	*p, *end;	/* with its LF */
	uint32_t	 uid;		/* 0: no line that Dovecot takes */
	const char	*name;		/* up to `:` or LF */
	size_t		 nlen;
};

static uint32_t
uid_of(const char **p, const char *end)
{
	uint64_t n = 0;

	for (; *p < end && **p >= '0' && **p <= '9' && n < UINT32_MAX; (*p)++)
		n = n * 10 + (uint64_t)(**p - '0');
	return n >= UINT32_MAX || *p == end || **p != ' ' ? 0 : (uint32_t)n;
}

/* Words `KEYvalue`, then `:name`. */
static struct line
read_line(const char *p, const char *end)
{
	struct line l = { .p = p, .end = end };

	l.uid = uid_of(&p, end - 1);
	if (memchr(l.p, '\0', (size_t)(end - l.p)) != NULL)
		l.uid = 0;
	while (p < end - 1 && *p == ' ')
		p++;
	while (p < end - 1 && *p != ':') {
		while (p < end - 1 && *p != ' ')
			p++;
		while (p < end - 1 && *p == ' ')
			p++;
	}
	l.name = p + 1;
	for (p++; p < end - 1 && *p != ':'; p++)
		if (*p == '/')
			l.uid = 0;
	for (l.nlen = 0; l.name + l.nlen < p; l.nlen++)
		continue;
	if (l.name >= end - 1 || l.nlen == 0 ||
	    memchr(l.name, '/', (size_t)(end - l.name)) != NULL)
		l.uid = 0;
	return l;
}

/* The whole lines behind the header, in order. */
static struct line *
read_lines(TALLOC_CTX *ctx, const char *text, size_t len, size_t *n)
{
	struct line *lines = NULL;
	const char *p = memchr(text, '\n', len), *lf, *end = text + len;

	*n = 0;
	for (p = p == NULL ? end : p + 1; p < end && (lf = memchr(p, '\n',
	    (size_t)(end - p))) != NULL; p = lf + 1) {
		lines = must(talloc_realloc(ctx, lines, struct line,
		    (unsigned)*n + 1));
		lines[(*n)++] = read_line(p, lf + 1);
	}
	return lines;
}

static bool
all_valid(const struct line *lines, size_t n)
{
	uint32_t before = 0;
	size_t i;

	for (i = 0; i < n; before = lines[i++].uid)
		if (lines[i].uid <= before)
			return false;
	return true;
}

static bool
is_line(const struct line *l, uint32_t before)
{
	return l->uid > before && l->end - l->p <= LONGEST;
}

static bool
same_bytes(const char *text, const char *p, const char *end)
{
	size_t len = (size_t)(end - p);

	return strlen(text) == len && memcmp(text, p, len) == 0;
}

/* Any keys can be marked as ours, once, and are still keys of a line. */
static void
check_mark(TALLOC_CTX *ctx, const char *keys)
{
	char *marked = mark_keys(ctx, keys);

	HOLDS(mark_is(marked));
	HOLDS(strcmp(mark_keys(ctx, marked), marked) == 0);
	HOLDS(mark_is(keys) || strlen(marked) >= strlen(MARK_KEYS));
	HOLDS(marked[0] == ' ' && marked[strlen(marked) - 1] == ' ');
	HOLDS(strstr(marked, "  ") == NULL);
}

/* Each line is given as it is, up to the first that is none. */
static void
check_scan(TALLOC_CTX *ctx, const struct uidlist *ul, const struct line *lines,
    size_t n)
{
	struct uidlist_scan *scan = uidlist_scan_begin(ctx, ul);
	struct uidlist_line got;
	uint32_t before = 0;
	enum status st;
	struct err err;
	size_t i;

	for (i = 0; i < n && is_line(&lines[i], before); i++) {
		st = uidlist_scan_next(scan, &got, &err);
		HOLDS(st == ST_OK && got.uid == lines[i].uid);
		HOLDS(same_bytes(got.name, lines[i].name,
		    lines[i].name + lines[i].nlen));
		HOLDS(same_bytes(got.keys, memchr(lines[i].p, ' ',
		    (size_t)(lines[i].end - lines[i].p)), lines[i].name - 1));
		check_mark(ctx, got.keys);
		before = got.uid;
	}
	st = uidlist_scan_next(scan, &got, &err);
	HOLDS(st == (i < n ? ST_NEVER : ST_NONE));
	if (st == ST_NEVER)
		fuzz_err(&err);
	talloc_free(scan);
}

/* All lines of `from` into a new list that takes its place.  False: not all. */
static bool
copy(TALLOC_CTX *ctx, struct uidlist *ul)
{
	struct uidlist_scan *scan = uidlist_scan_begin(ctx, ul);
	struct uidlist_writer *w = NULL;
	struct uidlist_line line;
	struct err err;
	enum status st;

	HOLDS(uidlist_write_begin(ctx, fuzz_dir(), ul->validity, ul->next,
	    ul->guid, 0600, (gid_t)-1, &w, &err) == ST_OK);
	while ((st = uidlist_scan_next(scan, &line, &err)) == ST_OK)
		if ((st = uidlist_write_put(w, &line, &err)) != ST_OK)
			break;
	talloc_free(scan);
	if (st == ST_NONE) {
		HOLDS(uidlist_write_commit(w, ul, &err) == ST_OK);
		return true;
	}
	HOLDS(st == ST_NEVER);
	fuzz_err(&err);
	talloc_free(w);
	return false;
}

struct put {				/* a line that a writer took */
	struct uidlist_line line;
	bool		 plain;		/* it had to */
};

/* `NAME UIDkeys`, any bytes but LF and NUL. */
static struct put
read_put(TALLOC_CTX *ctx, const struct line *l, uint32_t before)
{
	char *text = must(talloc_strndup(ctx, l->p,
	    (size_t)(l->end - 1 - l->p))), *keys;
	struct put put = { .line.name = fuzz_word(&text) };

	put.line.uid = (uint32_t)strtoul(text, &keys, 10);
	put.line.keys = keys;
	put.plain = put.line.uid > before && put.line.uid < UINT32_MAX &&
	    *put.line.name != '\0' && strlen(put.line.name) < 256 &&
	    strcspn(put.line.name, "/:\r\n") == strlen(put.line.name) &&
	    strcmp(keys, " ") == 0;
	return put;
}

/* What a writer takes is what a scan gives. */
static void
put_all(TALLOC_CTX *ctx, struct uidlist *ul, const struct line *lines, size_t n)
{
	struct put *puts = must(talloc_array(ctx, struct put, (unsigned)n + 1));
	struct uidlist_writer *w = NULL;
	struct uidlist_scan *scan;
	struct uidlist_line got;
	uint32_t before = 0;
	size_t i, k = 0;
	struct err err;

	HOLDS(uidlist_write_begin(ctx, fuzz_dir(), 7, 1, "", 0600, (gid_t)-1,
	    &w, &err) == ST_OK);
	for (i = 0; i < n; i++) {
		puts[k] = read_put(ctx, &lines[i], before);
		if (uidlist_write_put(w, &puts[k].line, &err) == ST_OK)
			before = puts[k++].line.uid;
		else
			HOLDS(!puts[k].plain);
	}
	HOLDS(uidlist_write_commit(w, ul, &err) == ST_OK);
	HOLDS(ul->validity == 7 && ul->next == before + 1 && ul->torn == 0);
	scan = uidlist_scan_begin(ctx, ul);
	for (i = 0; i < k; i++)
		HOLDS(uidlist_scan_next(scan, &got, &err) == ST_OK &&
		    got.uid == puts[i].line.uid &&
		    strcmp(got.name, puts[i].line.name) == 0 &&
		    strcmp(got.keys, puts[i].line.keys) == 0);
	HOLDS(uidlist_scan_next(scan, &got, &err) == ST_NONE);
	talloc_free(scan);
	HOLDS(fuzz_count(fuzz_dir()) == 1);
}

/* What it gives is the end of the list, and what it leaves out lies below. */
static void
check_from(TALLOC_CTX *ctx, const struct uidlist *ul, uint32_t from,
    const struct line *lines, size_t n)
{
	struct uidlist_line *got = NULL;
	struct err err;
	size_t k, i;

	if (uidlist_from(ctx, ul, from, &got, &k, &err) != ST_OK) {
		HOLDS(!all_valid(lines, n));
		fuzz_err(&err);
		return;
	}
	HOLDS(k <= n);
	for (i = 1; i <= k; i++) {
		HOLDS(got[k - i].uid == lines[n - i].uid);
		HOLDS(got[k - i].uid >= from && got[k - i].uid < ul->next);
		HOLDS(strlen(got[k - i].name) == lines[n - i].nlen &&
		    memcmp(got[k - i].name, lines[n - i].name,
		    lines[n - i].nlen) == 0);
	}
	if (k < n)
		HOLDS(lines[n - k - 1].uid != 0 && lines[n - k - 1].uid < from);
}

/* Every line of before is there, byte by byte, but those of `dropped`. */
static void
check_kept(const struct line *was, size_t n, const struct line *is, size_t m,
    const char *dropped)
{
	size_t i, j = 0, len = dropped == NULL ? 0 : strlen(dropped);

	for (i = 0; i < n; i++) {
		if (dropped != NULL && was[i].uid != 0 && was[i].nlen == len &&
		    memcmp(was[i].name, dropped, len) == 0)
			continue;
		/* Of a line that is none anything may become. */
		if (dropped != NULL && was[i].uid == 0)
			continue;
		while (dropped != NULL && j < m && is[j].uid == 0)
			j++;
		HOLDS(j < m && was[i].end - was[i].p == is[j].end - is[j].p &&
		    memcmp(was[i].p, is[j].p, (size_t)(was[i].end -
		    was[i].p)) == 0);
		j++;
	}
}

static void
operate(TALLOC_CTX *ctx, struct uidlist *ul, const char *op, uint32_t uid,
    const char *name, const struct line *lines, size_t n)
{
	struct uidlist was = *ul;
	enum status st = ST_OK;
	struct line *is;
	struct err err;
	size_t len, m;
	char *text;

	if (strcmp(op, "append") == 0) {
		st = uidlist_append(ul, uid, name, &err);
		HOLDS(st == ST_NEVER || ul->next == uid + 1);
	} else if (strcmp(op, "raise") == 0) {
		st = uidlist_raise(ul, fuzz_dir(), uid, &err);
		HOLDS(st != ST_OK || ul->next >= uid);
	} else if (strcmp(op, "drop") == 0)
		st = uidlist_drop(ul, fuzz_dir(), name, ul->next, &err);
	else if (strcmp(op, "copy") == 0) {
		if (copy(ctx, ul))
			check_scan(ctx, ul, lines, n);
	} else
		check_from(ctx, ul, uid, lines, n);
	if (st != ST_OK)
		fuzz_err(&err);
	HOLDS(fuzz_count(fuzz_dir()) == 1);
	text = fuzz_get(ctx, fuzz_dir(), UIDLIST_NAME, &len);
	is = read_lines(ctx, text, len, &m);
	if (strcmp(op, "copy") != 0)	/* there flags of names are left out */
		check_kept(lines, n, is, m, strcmp(op, "drop") == 0 ? name :
		    NULL);
	uidlist_close(ul);
	HOLDS(uidlist_read(ul, fuzz_dir(), &err) == ST_OK || (m > 0 && m < n));
	if (ul->fd == -1)		/* a dropped line laid damage bare */
		return;
	HOLDS(ul->validity == was.validity && strcmp(ul->guid, was.guid) == 0);
	HOLDS(ul->next >= was.next && ul->torn == 0);
	if (strcmp(op, "append") == 0 && st == ST_OK)
		HOLDS(m == n + 1 && is[n].uid == uid &&
		    is[n].nlen == strcspn(name, ":") &&
		    memcmp(is[n].name, name, is[n].nlen) == 0);
}

static char *
fill(TALLOC_CTX *ctx, const struct input *in, unsigned long filler, size_t *len)
{
	const char *lf = in->p == in->end ? NULL : memchr(in->p, '\n',
	    (size_t)(in->end - in->p));
	size_t head = lf == NULL ? 0 : (size_t)(lf + 1 - in->p);
	size_t rest = (size_t)(in->end - in->p) - head;
	char *text = must(talloc_strndup(ctx, "", 0));
	unsigned long i;
	size_t n;

	for (i = 1; head > 0 && i <= filler && i <= 3000; i++)
		text = must(talloc_asprintf_append_buffer(text,
		    "%lu W9 :filler%lu\n", i, i));
	n = strlen(text);
	text = must(talloc_realloc(ctx, text, char,
	    (unsigned)(head + n + rest + 1)));
	memmove(text + head, text, n);
	memcpy(text, in->p, head);
	memcpy(text + head + n, in->p + head, rest);
	*len = head + n + rest;
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = fuzz_input(data, size);
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	char *line = fuzz_line(ctx, &in), *op = fuzz_word(&line);
	uint32_t uid = (uint32_t)strtoul(fuzz_word(&line), NULL, 10);
	const char *name = fuzz_word(&line);
	size_t len, n, whole;
	char *text = fill(ctx, &in, strtoul(line, NULL, 10), &len);
	struct uidlist ul;
	struct line *lines;
	enum status st;
	struct err err;

	fuzz_clear(fuzz_dir());
	fuzz_put(fuzz_dir(), UIDLIST_NAME, text, len);
	lines = read_lines(ctx, text, len, &n);
	st = uidlist_read(&ul, fuzz_dir(), &err);
	HOLDS(fuzz_is(fuzz_dir(), UIDLIST_NAME, text, len));
	if (st != ST_OK) {
		HOLDS(ul.fd == -1 && (st == ST_NEVER || len == 0));
		if (st == ST_NEVER)
			fuzz_err(&err);
	} else {
		whole = (size_t)ul.size;
		HOLDS(
		    whole + (size_t)ul.torn == len && text[whole - 1] == '\n');
		HOLDS(ul.validity != 0 && ul.next != 0);
		if (n > 0 && lines[n - 1].uid != 0)
			HOLDS(ul.next > lines[n - 1].uid);
		HOLDS(uidlist_mend(&ul, &err) == ST_OK && ul.torn == 0);
		HOLDS(fuzz_is(fuzz_dir(), UIDLIST_NAME, text, whole));
		check_scan(ctx, &ul, lines, n);
		if (strcmp(op, "put") == 0)
			put_all(ctx, &ul, lines, n);
		else
			operate(ctx, &ul, op, uid, name, lines, n);
		uidlist_close(&ul);
	}
	talloc_free(ctx);
	return 0;
}
