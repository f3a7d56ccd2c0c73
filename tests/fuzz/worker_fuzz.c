/* SPDX-License-Identifier: ISC */
/*
 * worker_fuzz.c - what comes out of a worker's pipe, in pieces
 *
 * First line: how many bytes come at a time.  The rest is what comes.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "lda/store/asuser_lines.h"

struct seen {
	size_t	 lines, bytes;
};

static void
on_line(const char *line, void *arg)
{
	struct seen *seen = arg;

	HOLDS(strchr(line, '\n') == NULL);
	HOLDS(strlen(line) + 2 <= AS_USER_LINE);
	seen->lines++;
	seen->bytes += strlen(line) + 2;
}

static void
feed(struct worker_lines *in, const char *p, size_t len, size_t piece,
    struct seen *seen)
{
	size_t n;

	for (; len > 0; p += n, len -= n) {
		n = piece < len ? piece : len;
		worker_lines_feed(in, p, n, on_line, seen);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct worker_lines once, pieces;
	struct input in = fuzz_input(data, size);
	char *first = fuzz_line(NULL, &in);
	size_t len = (size_t)(in.end - in.p), piece = strtoul(first, NULL, 10);
	struct seen a = { 0, 0 }, b = { 0, 0 };

	memset(&once, 0, sizeof(once));
	memset(&pieces, 0, sizeof(pieces));
	feed(&once, in.p, len, len == 0 ? 1 : len, &a);
	feed(&pieces, in.p, len, piece == 0 ? 1 : piece, &b);
	HOLDS(a.lines == b.lines && a.bytes == b.bytes && a.bytes <= len);
	HOLDS(once.ended == pieces.ended && once.said == pieces.said);
	HOLDS(!once.said || (once.ended && once.result == pieces.result));
	if (once.said && once.result != ST_OK && once.result != ST_NONE)
		HOLDS(strcmp(once.err.text, pieces.err.text) == 0);
	talloc_free(first);
	return 0;
}
