/* SPDX-License-Identifier: ISC */
/*
 * dotlock_fuzz.c - a lock file of others, whatever is in it, is theirs
 *
 * It is as young as this run, so nothing in it makes it stale.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <unistd.h>

#include "lda/store/dotlock.h"

#define LOCK "f.lock"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int dir = fuzz_dir();
	struct dotlock lk;
	struct err err;

	fuzz_clear(dir);
	fuzz_put(dir, LOCK, data, size);
	HOLDS(dotlock_take(&lk, dir, LOCK, "f", -1, 0, &err) == ST_AGAIN);
	HOLDS(!lk.held);
	fuzz_err(&err);
	HOLDS(fuzz_is(dir, LOCK, data, size) && fuzz_count(dir) == 1);

	HOLDS(unlinkat(dir, LOCK, 0) == 0);
	HOLDS(dotlock_take(&lk, dir, LOCK, "f", -1, 0, &err) == ST_OK);
	HOLDS(dotlock_check(&lk, &err) == ST_OK);
	HOLDS(unlinkat(dir, LOCK, 0) == 0);
	fuzz_put(dir, LOCK, data, size);
	HOLDS(dotlock_keep(&lk, &err) == ST_AGAIN);
	dotlock_drop(&lk);
	HOLDS(fuzz_is(dir, LOCK, data, size) && fuzz_count(dir) == 1);
	return 0;
}
