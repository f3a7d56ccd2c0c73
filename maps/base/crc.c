/* SPDX-License-Identifier: ISC */
/*
 * crc.c - CRC-32 of bytes
 */
#include "maps/base/crc.h"

/* table[k][b]: what byte b does to the sum with k bytes behind it. */
static uint32_t table[4][256];

static void
table_make(void)
{
	uint32_t c, i;
	int k;

	for (i = 0; i < 256; i++) {
		c = i;
		for (k = 0; k < 8; k++)
			c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
		table[0][i] = c;
	}
	for (i = 0; i < 256; i++)
		for (k = 1; k < 4; k++)
			table[k][i] = table[0][table[k - 1][i] & 0xff] ^
			    (table[k - 1][i] >> 8);
}

/* Four bytes at a time: each look-up takes the sum of a whole record. */
uint32_t
crc32_of(uint32_t crc, const void *data, size_t len)
{
	const unsigned char *p = data;

	if (table[0][1] == 0)
		table_make();
	crc = ~crc;
	for (; len >= 4; len -= 4, p += 4) {
		crc ^= p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
		    (uint32_t)p[3] << 24;
		crc = table[3][crc & 0xff] ^ table[2][crc >> 8 & 0xff] ^
		    table[1][crc >> 16 & 0xff] ^ table[0][crc >> 24];
	}
	while (len-- > 0)
		crc = table[0][(crc ^ *p++) & 0xff] ^ (crc >> 8);
	return ~crc;
}
