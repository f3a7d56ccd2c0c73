/* SPDX-License-Identifier: ISC */
/*
 * message.h - one message, read once from standard input
 *
 * It takes constant memory: what does not fit into one buffer is written to
 * the files of the delivery while it is read.  NUL bytes, 8-bit characters,
 * lines of megabytes, CRLF and a missing last LF are kept as they are.
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
	int		 in;		/* the descriptor it is read from */
	char		*buf;		/* its first MESSAGE_BUFFER bytes */
	size_t		 len;		/* in buf */
	bool		 whole;		/* buf has all of it */
	size_t		 body;		/* buf offset behind the From_ line */
	const char	*from_line;	/* one line with LF (without where the
					   message ends there); "": none,
					   and none was asked for */
	bool		 queued;	/* the topmost Received has a queue
					   id, by which a retry is known */
	off_t		 size;		/* bytes without the From_ line; known
					   when all is read */
	off_t		 vsize;		/* size with CR before each bare LF */
	char		 last;		/* the last byte read, for vsize */
	bool		 used;		/* message_write() was called */
	void		*hash;		/* XXH3 state of what was read */
	/* Known when all is read: of all but the From_ line, and but what
	 * was written before From_ at its head. */
	unsigned char	 digest[MESSAGE_DIGEST];
};

/*
 * Read the first buffer, take off its From_ line and look at the topmost
 * Received.  A From_ line is made as procmail does it: with -f, and with -d
 * where the message has none (its sender is then env->invoker).
 *
 * ST_AGAIN  standard input cannot be read, or the MTA has died (POLLERR on
 *           fd 1 if that is a pipe): what was read may be a part only.
 */
enum status	message_begin(TALLOC_CTX *ctx, const struct envelope *env,
		    int in, struct message **msg, struct err *err) MUST_CHECK;

/*
 * The From_ line that the message gets, with its LF; "": none.
 *
 * line  the one the message came with; "": none.
 *
 * Talloc child of ctx, or `line`.
 */
const char     *message_from_line(TALLOC_CTX *ctx, const struct envelope *env,
		    const char *line);

/*
 * A message in memory, which is whole and may be written several times.
 *
 * data   borrowed.
 * input  the message that was received, of which data is a part or what a
 *        filter made; its digest and queue id are taken over.  NULL: data
 *        itself was received.
 */
struct message *message_in_memory(TALLOC_CTX *ctx, const char *data, size_t len,
		    const struct message *input);

/*
 * Write the message, without its From_ line, to n files at once: the buffer,
 * then the rest as it comes from `in`.  size, vsize and digest are known
 * afterwards (for a `whole` message from message_begin() on).  n may be 0.
 *
 * ST_AGAIN  also the second time for a message that is not `whole`: copy it
 *           from one of the files instead.
 */
enum status	message_write(struct message *msg, const int *fds, int n,
		    struct err *err) MUST_CHECK;

/* The same, but each piece is given to sink(). */
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

/* Is the MTA gone (fd 1 is a pipe that nobody reads)?  Then the input may
 * have ended early, and nothing may be delivered. */
bool		message_orphaned(void);

/*
 * The key of this delivery in the delivery log: msg's digest with the envelope
 * recipient, the mailbox and the ordinal of this write in the run.
 */
void		message_key(const struct message *msg, const char *recipient,
		    const char *mailbox, unsigned ordinal,
		    unsigned char key[MESSAGE_DIGEST]);

#endif
