/* SPDX-License-Identifier: ISC */
/*
 * shown.c - what is printed for a person: no byte that a terminal obeys
 *
 * The streams themselves escape, so that no verb can forget to.
 */
#include "admin/shown.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "maps/base/err.h"

#define PIECE	1024		/* bytes that are escaped at once */

struct guard {
	FILE		*to;
	struct shown	 shown;
};

static size_t
put_bytes(const unsigned char *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < n; i++) {
		*out++ = '\\';
		*out++ = 'x';
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	return 4 * n;
}

/* Bytes of a character that begins so; 0: none does. */
static size_t
length_of(unsigned char c)
{
	return c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 &&
	    c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
}

static unsigned long
value_of(const unsigned char *c, size_t n)
{
	unsigned long v = n == 1 ? c[0] : c[0] & (0x7f >> n);
	size_t i;

	for (i = 1; i < n; i++)
		v = v << 6 | (c[i] & 0x3f);
	return v;
}

static int
may_be_shown(unsigned long v, size_t n)
{
	static const unsigned long least[] = { 0, 0, 0x80, 0x800, 0x10000 };

	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return 0;		/* not UTF-8 */
	if (v < 0x20)
		return v == '\n' || v == '\t';
	/* Separators of lines, marks and overrides of direction. */
	return !(v >= 0x7f && v < 0xa0) && v != 0x061c && v != 0x200e &&
	    v != 0x200f && !(v >= 0x2028 && v <= 0x202e) &&
	    !(v >= 0x2066 && v <= 0x2069);
}

/* A character is whole. */
static size_t
put_whole(struct shown *s, char *out)
{
	size_t n = s->n;

	s->n = 0;
	if (!may_be_shown(value_of(s->seq, n), n))
		return put_bytes(s->seq, n, out);
	memcpy(out, s->seq, n);
	return n;
}

size_t
shown_end(struct shown *s, char *out)
{
	size_t n = put_bytes(s->seq, s->n, out);

	s->n = 0;
	return n;
}

size_t
shown_escape(struct shown *s, const char *text, size_t len, char *out)
{
	char *p = out;
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (s->n > 0 && (c & 0xc0) != 0x80)
			p += shown_end(s, p);
		if (s->n == 0) {
			s->want = length_of(c);
			if (s->want == 0) {
				p += put_bytes(&c, 1, p);
				continue;
			}
		}
		s->seq[s->n++] = c;
		if (s->n == s->want)
			p += put_whole(s, p);
	}
	return (size_t)(p - out);
}

static ssize_t
guard_write(void *cookie, const char *text, size_t len)
{
	struct guard *g = cookie;
	char out[SHOWN_MAX * (PIECE + 3)];
	size_t at, n;

	for (at = 0; at < len; at += n) {
		size_t done;

		n = len - at < PIECE ? len - at : PIECE;
		done = shown_escape(&g->shown, text + at, n, out);
		if (fwrite(out, 1, done, g->to) != done)
			return 0;
	}
	return fflush(g->to) == 0 ? (ssize_t)len : 0;
}

void
shown_guard(FILE **stream)
{
	static const cookie_io_functions_t io = { .write = guard_write };
	struct guard *g = must(calloc(1, sizeof(*g)));
	FILE *guarded;

	g->to = *stream;
	guarded = must(fopencookie(g, "w", io));
	(void)setvbuf(guarded, NULL, *stream == stderr ? _IONBF :
	    isatty(fileno(*stream)) == 1 ? _IOLBF : _IOFBF,
	    *stream == stderr ? 0 : BUFSIZ);
	*stream = guarded;
}
