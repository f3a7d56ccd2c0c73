/* SPDX-License-Identifier: ISC */
/*
 * netstring.c - `LENGTH:BYTES,`, the framing of every protocol here
 */
#include "maps/base/netstring.h"

#include <string.h>

enum status
netstring_parse(const char *buf, size_t len, size_t max, const char **payload,
    size_t *plen, size_t *used)
{
	size_t n = 0, i;

	for (i = 0; i < len && buf[i] >= '0' && buf[i] <= '9'; i++) {
		if (i > 0 && buf[0] == '0')
			return ST_NEVER;
		n = n * 10 + (size_t)(buf[i] - '0');
		if (n > max)		/* also before n can overflow */
			return ST_NEVER;
	}
	if (i == len)
		return ST_AGAIN;
	if (i == 0 || buf[i] != ':')
		return ST_NEVER;
	i++;
	if (len - i <= n)		/* the comma, too, must be here */
		return ST_AGAIN;
	if (buf[i + n] != ',')
		return ST_NEVER;
	*payload = buf + i;
	*plen = n;
	*used = i + n + 1;
	return ST_OK;
}

size_t
netstring_head(char *head, size_t plen)
{
	char digits[NETSTRING_OVERHEAD], *p = digits + sizeof(digits);
	size_t n;

	/* Not by printf(3): it would take longer than a look-up in the map. */
	*--p = ':';
	do
		*--p = (char)('0' + plen % 10);
	while ((plen /= 10) > 0);
	n = (size_t)(digits + sizeof(digits) - p);
	memcpy(head, p, n);
	head[n] = '\0';
	return n;
}
