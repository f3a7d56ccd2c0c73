/* SPDX-License-Identifier: ISC */
/*
 * mail.h - the message that an rc file works on, in memory
 *
 * As in procmail: From_ line, header and body are one block, parts of which
 * filters replace.  A Content-Length in the header is always corrected.
 *
 * Source: procmail 3.22 src/mailfold.c, readmail().
 */
#ifndef LDA_RECIPE_MAIL_H
#define LDA_RECIPE_MAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <talloc.h>

#include "lda/envelope.h"
#include "lda/recipe/bytes.h"
#include "maps/base/err.h"

/* Offsets are bytes from b.p. */
struct mail {
	struct bytes	 b;
	size_t		 body;		/* where the body begins */
	size_t		 head;		/* where the header does: after LFs */
	size_t		 escape;	/* from here on an mbox must escape each
					   LF that a "From " follows */
	size_t		*fold;		/* the LFs that continue a field */
	size_t		 nfold;
	bool		 unfolded;	/* these LFs are blanks at the moment */
	bool		 berkeley;	/* -Y: Content-Length is ignored */
};

/* A part of the message as a delivery, a program or a condition gets it. */
struct part {
	const char	*data;		/* borrowed from the mail or a caller */
	size_t		 len;
	bool		 raw;		/* no empty line is added after it */
};

/*
 * Read all of descriptor `in`, and give the message the From_ line that the
 * options -d and -f and the message itself ask for.  *mail: child of ctx.
 *
 * ST_AGAIN  it cannot be read, or its sender has gone before the end.
 */
enum status	mail_read(TALLOC_CTX *ctx, const struct envelope *env, int in,
		    struct mail **mail, struct err *err) MUST_CHECK;

/* Find header, body, continued fields and Content-Length again. */
void		mail_look(struct mail *mail);

/* The same after a change of the body alone. */
void		mail_look_body(struct mail *mail);

/* Show continued fields as one line each (a blank for the LF), or, with false,
 * as they came. */
void		mail_unfold(struct mail *mail, bool unfolded);

/*
 * Replace the bytes [from, to) by `data`, which is empty afterwards.  The
 * caller calls mail_look() or mail_look_body() next.
 */
void		mail_replace(struct mail *mail, size_t from, size_t to,
		    struct bytes *data);

/* The whole message as one part, continued fields as they came. */
struct part	mail_whole(struct mail *mail);

/* A part as a Maildir or a mailer gets it: if it begins where the message does,
 * then without the From_ line and the >From_ lines after it. */
struct part	mail_without_from(const struct mail *mail,
		    const struct part *part);

#endif
