/* SPDX-License-Identifier: ISC */
/*
 * wire.c - requests to mailferry-mapd and their results, for both ends
 */
#include "maps/wire.h"

#include <string.h>

enum status
wire_result(const char *answer, size_t len, const char **body, size_t *blen,
    struct err *err)
{
	if (memchr(answer, '\0', len) != NULL)
		return err_set(err, ST_AGAIN, "map: a NUL in the answer");
	if (len >= 3 && memcmp(answer, "OK\n", 3) == 0) {
		*body = answer + 3;
		*blen = len - 3;
		return ST_OK;
	}
	if (len == 4 && memcmp(answer, "NONE", 4) == 0)
		return ST_NONE;
	if (len > 6 && memcmp(answer, "AGAIN ", 6) == 0)
		return err_set(err, ST_AGAIN, "map: %.*s", (int)len - 6,
		    answer + 6);
	if (len > 6 && memcmp(answer, "NEVER ", 6) == 0)
		return err_set(err, ST_NEVER, "map: %.*s", (int)len - 6,
		    answer + 6);
	return err_set(err, ST_AGAIN, "map: an answer that is none");
}
