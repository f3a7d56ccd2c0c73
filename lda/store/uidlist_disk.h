/* SPDX-License-Identifier: ISC */
/*
 * uidlist_disk.h - dovecot-uidlist as bytes; for uidlist*.c alone
 *
 * A header line, then `UID KEYvalue... :NAME` for each message, by ascending UID.
 */
#ifndef LDA_STORE_UIDLIST_DISK_H
#define LDA_STORE_UIDLIST_DISK_H

#include <stdbool.h>

#include "lda/store/uidlist.h"

#define LINE_LONGEST	65536		/* bytes of any line with LF: damage beyond */
#define UID_HIGHEST	4294967294u

/*
 * The next line of a scan as it is, the header first, with its LF.
 *
 * text  `*len` bytes in the scan's buffer, until the next call; they may be
 *       changed.
 * ST_NONE  there is no other; ST_NEVER  no LF within LINE_LONGEST.
 */
enum status	scan_bytes(struct uidlist_scan *scan, char **text, size_t *len,
		    struct err *err) MUST_CHECK;

/*
 * Where the base name begins in a line `UID KEYvalue... :NAME`, with its LF or
 * without: behind the colon that begins a word.  NULL: there is none.
 */
char	       *line_name(char *text);

/*
 * Take a line apart, in place.
 *
 * text  without LF, NUL-terminated; line's strings point into it.
 * false  Dovecot would not take it for a line either; text is then cut anywhere.
 */
bool		line_parse(char *text, struct uidlist_line *line);

/*
 * A line as it is written, with LF: talloc child of ctx.
 * NULL  it would not be read as the line that it is: no name for a file, keys that
 *       do not stand between two blanks, no UID, too long.
 */
char	       *line_format(TALLOC_CTX *ctx, const struct uidlist_line *line);

#endif
