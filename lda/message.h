/* SPDX-License-Identifier: ISC */
/*
 * message.h - one message, read once from standard input
 *
 * In constant memory, whatever its size: what does not fit one buffer goes on
 * to the files it is delivered to while it is read.  NUL bytes, 8-bit, lines of
 * megabytes, no last LF, CRLF: bytes are bytes.
 */
#ifndef LDA_MESSAGE_H
#define LDA_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <talloc.h>

#include "lda/envelope.h"
#include "maps/base/err.h"

#define MESSAGE_BUFFER	(128 * 1024)	/* bytes; most mail fits one buffer */
#define MESSAGE_DIGEST	16		/* bytes */

struct message {
	int		 in;		/* where it comes from */
	char		*buf;		/* its first MESSAGE_BUFFER bytes */
	size_t		 len;		/* in buf */
	bool		 whole;		/* buf is all of it */
	size_t		 body;		/* buf offset after the From_ line */
	const char	*from_line;	/* one line with LF, unless it is all there
					   is; "": none, and nobody asked for one */
	bool		 queued;	/* topmost Received has a queue id: a retry
					   of it can be told from a new message */
	off_t		 size;		/* bytes without the From_ line; known when
					   all is read */
	off_t		 vsize;		/* the same with CR before each bare LF */
	char		 last;		/* byte that was read; for vsize */
	bool		 used;		/* message_write() was called */
	void		*hash;		/* XXH3 state of what was read so far */
	unsigned char	 digest[MESSAGE_DIGEST];	/* when all is read: of all
					   but the From_ line and what was written
					   before From_ at the head of it */
};

/*
 * Read the first buffer full, take off the From_ line, or make one as procmail
 * does: with -f, and with -d where there is none (by whoever calls), look at the
 * topmost Received.
 *
 * ST_AGAIN  standard input cannot be read, or the MTA has died (POLLERR on fd 1
 *           when that is a pipe): what was read is not a message.
 */
enum status	message_begin(TALLOC_CTX *ctx, const struct envelope *env,
		    int in, struct message **msg, struct err *err) MUST_CHECK;

/*
 * The From_ line that -d, -f and the line that is there ("": none) ask for, with
 * LF; "" where there is to be none.  Talloc child of ctx, or `line`.
 */
const char     *message_from_line(TALLOC_CTX *ctx, const struct envelope *env,
		    const char *line);

/*
 * A message that lies in memory: a part of `input`, or what a filter made of it, and
 * known by its digest and queue id.  input NULL: it is itself what was received.
 * data is borrowed; the message is whole, and may be written several times.
 */
struct message *message_in_memory(TALLOC_CTX *ctx, const char *data, size_t len,
		    const struct message *input);

/*
 * Write the message, without its From_ line, to n files at once: what is in the
 * buffer, then the rest as it comes from `in`.  Once only for a message that is
 * not `whole` (err ST_AGAIN the second time): copy from a file then, which has it.
 *
 * After it size, vsize and digest are known; for a `whole` message they are
 * from message_begin() on.  n may be 0.
 */
enum status	message_write(struct message *msg, const int *fds, int n,
		    struct err *err) MUST_CHECK;

/* The same to whoever wants bytes, in pieces. */
typedef enum status message_sink_fn(void *arg, const char *data, size_t len,
		    struct err *err);
enum status	message_each(struct message *msg, message_sink_fn *sink,
		    void *arg, struct err *err) MUST_CHECK;

/*
 * Copy all of `in` to a file without a name and put that in the place of `in`,
 * so that the message can be read several times.
 *
 * ST_AGAIN  it cannot be copied, or the MTA is gone.
 */
enum status	message_spool(int in, struct err *err) MUST_CHECK;

/* The MTA is gone: fd 1 is a pipe that nobody reads.  Then nothing may be
 * delivered: the input may have ended early. */
bool		message_orphaned(void);

/*
 * The key of this delivery in the delivery log: msg's digest with the envelope
 * recipient, the mailbox and the ordinal of this write in the run.
 */
void		message_key(const struct message *msg, const char *recipient,
		    const char *mailbox, unsigned ordinal,
		    unsigned char key[MESSAGE_DIGEST]);

#endif
