/* SPDX-License-Identifier: ISC */
/*
 * crc.h - CRC-32 of bytes: damage in a file, and hash buckets
 */
#ifndef MAPS_BASE_CRC_H
#define MAPS_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

/*
 * CRC-32 of `len` bytes, continued from `crc`, the sum of the bytes before them
 * (0 at the beginning).
 *
 * Source: IEEE 802.3; the same sum as zlib's crc32().
 */
uint32_t	crc32_of(uint32_t crc, const void *data, size_t len);

#endif
