/* SPDX-License-Identifier: ISC */
/*
 * uidlist_scan.h - the lines of dovecot-uidlist: all in turn, or the last ones
 */
#ifndef LDA_STORE_UIDLIST_SCAN_H
#define LDA_STORE_UIDLIST_SCAN_H

#include "lda/store/uidlist_file.h"

struct uidlist_scan;

/*
 * All lines in turn, by ascending UID, in constant memory.
 *
 * ul    stays open until the scan is freed; another file may take its name.
 *       What is appended from now on is not seen, nor is a torn line.
 * scan  talloc child of ctx.  Freeing it ends the scan, at any line.
 */
struct uidlist_scan *uidlist_scan_begin(TALLOC_CTX *ctx,
		    const struct uidlist *ul);

/*
 * The next line.
 *
 * line      its strings live until the next call.  A base name may come twice:
 *           the later line counts.
 * ST_NONE   there was no other.
 * ST_NEVER  it is none: damaged, as Dovecot would find, too.
 */
enum status	uidlist_scan_next(struct uidlist_scan *scan,
		    struct uidlist_line *line, struct err *err) MUST_CHECK;

/*
 * Or the same as bytes, whatever they are; the first line is the header then.
 *
 * text  `*len` bytes with the LF, until the next call; they may be changed.
 * ST_NONE  as above.  ST_NEVER  no LF within UIDLIST_LINE_LONGEST.
 */
enum status	uidlist_scan_bytes(struct uidlist_scan *scan, char **text,
		    size_t *len, struct err *err) MUST_CHECK;

/*
 * The lines with a UID >= from, ascending, read from the end: cost is that of
 * the result.  lines is a talloc child of ctx, `*n` of them.
 */
enum status	uidlist_from(TALLOC_CTX *ctx, const struct uidlist *ul,
		    uint32_t from, struct uidlist_line **lines, size_t *n,
		    struct err *err) MUST_CHECK;

#endif
