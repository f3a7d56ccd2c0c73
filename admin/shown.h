/* SPDX-License-Identifier: ISC */
/*
 * shown.h - what is printed for a person: no byte that a terminal obeys
 *
 * Names of mailboxes, contents of locks and words of rc files are the users',
 * and root reads them at a terminal.
 */
#ifndef ADMIN_SHOWN_H
#define ADMIN_SHOWN_H

#include <stddef.h>
#include <stdio.h>

#define SHOWN_MAX	4	/* bytes that one byte of a text may become */

struct shown {			/* all zero at the beginning of a text */
	unsigned char	 seq[4];	/* of a character that is not whole */
	size_t		 n, want;
};

/*
 * The next bytes of a text as they are printed.  What is not well-formed UTF-8,
 * the control characters but LF and TAB (C0, DEL, C1) and those that change the
 * direction of writing are written \xNN, a byte each.
 *
 * out  room for SHOWN_MAX * (len + 3) bytes.
 * Returns how many were written; an unfinished character is kept in `s`.
 */
size_t		shown_escape(struct shown *s, const char *text, size_t len,
		    char *out);

/* The same for what is kept: at the end of a text. */
size_t		shown_end(struct shown *s, char *out);

/* Have everything that is printed on *stream from now on go through that. */
void		shown_guard(FILE **stream);

#endif
