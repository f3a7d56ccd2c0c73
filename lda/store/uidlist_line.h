/* SPDX-License-Identifier: ISC */
/*
 * uidlist_line.h - a line of dovecot-uidlist: `UID KEYvalue... :NAME`
 *
 * Source: Dovecot 2.3.19 lib-storage/index/maildir/maildir-uidlist.c.
 */
#ifndef LDA_STORE_UIDLIST_LINE_H
#define LDA_STORE_UIDLIST_LINE_H

#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>

#define UIDLIST_LINE_LONGEST	65536	/* bytes with LF, of the header as well:
					   damage beyond */
#define UIDLIST_UID_HIGHEST	4294967294u

struct uidlist_line {			/* of one message */
	uint32_t	 uid;
	const char	*name;		/* base name, without `:2,FLAGS` */
	const char	*keys;		/* between UID and colon, with their
					   blanks: " ", " Gguid " */
};

/*
 * Where the base name begins: behind the colon that begins a word.
 *
 * text  a line with LF or without, NUL-terminated.
 * NULL  there is none.
 */
char	       *uidlist_line_name(char *text);

/*
 * Take a line apart, in place.
 *
 * text  without LF, NUL-terminated; the strings of `line` point into it.
 * false  Dovecot would not take it for a line either; text is changed as well.
 */
bool		uidlist_line_parse(char *text, struct uidlist_line *line);

/*
 * A line as it is written, with LF: talloc child of ctx.
 *
 * NULL  it would not be read as the line that it is: no UID, not the name of a
 *       file, keys that are not words between two blanks, too long.
 */
char	       *uidlist_line_format(TALLOC_CTX *ctx,
		    const struct uidlist_line *line);

#endif
