/* SPDX-License-Identifier: ISC */
/*
 * mail.h - the message that an rc file works on, in memory
 *
 * As procmail has it: From_ line, header, body in one block, which filters replace
 * in parts.  A Content-Length in the header always says what is true.
 */
#ifndef LDA_RECIPE_MAIL_H
#define LDA_RECIPE_MAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <talloc.h>

#include "lda/envelope.h"
#include "maps/base/err.h"

/* Bytes that grow: pages of their own, which move without being copied. */
struct bytes {
	char		*p;		/* NULL: nothing yet; else p[len] is writable */
	size_t		 len, room;
};

/* Room for `more` bytes behind len. */
void		bytes_need(struct bytes *b, size_t more);
void		bytes_put(struct bytes *b, const char *data, size_t len);
void		bytes_trim(struct bytes *b);	/* give back what is not used */
void		bytes_free(struct bytes *b);

struct mail {
	struct bytes	 b;
	size_t		 body;		/* where the body begins */
	size_t		 head;		/* where the header does: LFs may be before */
	size_t		 escape;	/* an LF from there on that a "From "
					   follows: an mbox must escape it */
	size_t		*fold;		/* LFs that continue a field */
	size_t		 nfold;
	bool		 unfolded;	/* they are blanks for the moment */
	bool		 berkeley;	/* -Y: Content-Length means nothing */
};

/*
 * Read all of `in`, with the From_ line that -d, -f and what is there ask for.
 * ST_AGAIN  it cannot be read, or is larger than memory.
 */
enum status	mail_read(TALLOC_CTX *ctx, const struct envelope *env, int in,
		    struct mail **mail, struct err *err) MUST_CHECK;

/* Find header, body, continued fields and Content-Length anew. */
void		mail_look(struct mail *mail);

/* The body alone is new. */
void		mail_look_body(struct mail *mail);

/* Continued fields as one line (a blank where the LF is), or as they came. */
void		mail_unfold(struct mail *mail, bool unfolded);

/* Put `data` in the place of [from, to); data is used up.  mail_look() follows. */
void		mail_replace(struct mail *mail, size_t from, size_t to,
		    struct bytes *data);

/* How many bytes of [at, at + len) are From_ and >From_ lines at the beginning. */
size_t		mail_from_lines(const char *data, size_t len);

#endif
