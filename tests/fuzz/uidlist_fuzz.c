/* SPDX-License-Identifier: ISC */
/*
 * uidlist_fuzz.c - dovecot-uidlist of any content: read, mended, changed
 *
 * Input: OPERATION UID NAME FILLER LF FILE.  FILLER lines are put in behind the
 * header, for what is larger than a block.  What a line means is said once more
 * here, as Dovecot 2.3.19 reads it (maildir_uidlist_next()).
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "lda/store/uidlist.h"

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
	else
		check_from(ctx, ul, uid, lines, n);
	if (st != ST_OK)
		fuzz_err(&err);
	HOLDS(fuzz_count(fuzz_dir()) == 1);
	text = fuzz_get(ctx, fuzz_dir(), UIDLIST_NAME, &len);
	is = read_lines(ctx, text, len, &m);
	check_kept(lines, n, is, m, strcmp(op, "drop") == 0 ? name : NULL);
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
		operate(ctx, &ul, op, uid, name, lines, n);
		uidlist_close(&ul);
	}
	talloc_free(ctx);
	return 0;
}
