/* SPDX-License-Identifier: ISC */
/*
 * message_copy.c - the bytes and the date of a message file, into another file
 *
 * No copy_file_range(2): between two filers it does the same reads and writes,
 * and a digest needs the bytes here.
 */
#include "lda/store/message_copy.h"

#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "maps/base/file.h"

#define BUFFER	(256 * 1024)		/* bytes; most mail fits one */

static enum status
copy_bytes(int from, int to, XXH3_state_t *hash, off_t *size, struct err *err)
{
	static char buf[BUFFER];	/* not made anew for each message */
	ssize_t n;

	for (*size = 0; (n = pread(from, buf, sizeof(buf), *size)) > 0;
	    *size += n) {
		if (hash != NULL)
			(void)XXH3_128bits_update(hash, buf, (size_t)n);
		if (to != -1 && file_write(to, buf, (size_t)n) == -1)
			return err_sys(err, "write a copy");
	}
	return n == -1 ? err_sys(err, "read a message") : ST_OK;
}

/* All that the file has, and its date. */
static enum status
check_end(int from, int to, off_t size, struct err *err)
{
	struct timespec ts[2];
	struct stat sb;

	if (fstat(from, &sb) == -1)
		return err_sys(err, "stat a message");
	if (sb.st_size != size)
		return err_set(err, ST_AGAIN,
		    "a message of %lld bytes gave %lld",
		    (long long)sb.st_size, (long long)size);
	ts[0] = ts[1] = sb.st_mtim;
	if (to != -1 && futimens(to, ts) == -1)
		return err_sys(err, "set the date of a copy");
	return ST_OK;
}

enum status
message_copy(int from, int to, struct message_copied *copied, struct err *err)
{
	XXH3_state_t hash;
	XXH128_canonical_t digest;
	enum status st;
	off_t size;

	if (copied != NULL)
		(void)XXH3_128bits_reset(&hash);
	st = copy_bytes(from, to, copied != NULL ? &hash : NULL, &size, err);
	if (st == ST_OK)
		st = check_end(from, to, size, err);
	if (st != ST_OK || copied == NULL)
		return st;
	copied->size = size;
	XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(&hash));
	_Static_assert(sizeof(digest) == MESSAGE_COPY_DIGEST, "as it is");
	memcpy(copied->digest, &digest, sizeof(digest));
	return ST_OK;
}
