/* SPDX-License-Identifier: ISC */
/*
 * seal.c - values that show when they are damaged, or another key's
 */
#include "maps/tdb/seal.h"

#include <stdio.h>
#include <string.h>

#include "maps/base/crc.h"

#define MAGIC "mfs1 "

char *
seal(TALLOC_CTX *ctx, const char *key, const char *text, size_t len,
    size_t *slen)
{
	char *out;
	int head;

	out = must(talloc_size(ctx, strlen(key) + len + 64));
	head = snprintf(out, strlen(key) + 64, MAGIC "%zu %08x %s\n", len,
	    crc32_of(0, text, len), key);
	memcpy(out + head, text, len);
	out[(size_t)head + len] = '\0';
	*slen = (size_t)head + len;
	return out;
}

/* A decimal or hex number that ends in a blank; -1 where it is none. */
static int
number(const char **p, const char *end, int base, uint64_t *n)
{
	const char *start = *p;
	int digit;

	*n = 0;
	for (; *p < end && **p != ' '; (*p)++) {
		digit = **p >= '0' && **p <= '9' ? **p - '0' : base == 16 &&
		    **p >= 'a' && **p <= 'f' ? **p - 'a' + 10 : -1;
		if (digit == -1 || *p - start >= 10)
			return -1;
		*n = *n * (unsigned)base + (unsigned)digit;
	}
	if (*p == end || *p == start)
		return -1;
	(*p)++;
	return 0;
}

enum status
unseal(const char *key, const char *data, size_t dlen, const char **text,
    size_t *len, struct err *err)
{
	const char *p = data, *end = data + dlen;
	size_t klen = strlen(key);
	uint64_t n, crc;

	if (dlen < sizeof(MAGIC) - 1 || memcmp(p, MAGIC,
	    sizeof(MAGIC) - 1) != 0)
		goto bad;
	p += sizeof(MAGIC) - 1;
	if (number(&p, end, 10, &n) == -1 || number(&p, end, 16, &crc) == -1)
		goto bad;
	if ((size_t)(end - p) != klen + 1 + n || memcmp(p, key, klen) != 0 ||
	    p[klen] != '\n')
		goto bad;
	p += klen + 1;
	if (crc32_of(0, p, n) != (uint32_t)crc)
		goto bad;
	*text = p;
	*len = n;
	return ST_OK;
bad:
	return err_set(err, ST_NEVER, "the entry of %s in the map is damaged",
	    key);
}
