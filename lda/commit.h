/* SPDX-License-Identifier: ISC */
/*
 * commit.h - the steps of a delivery that change something
 *
 * Private to the transaction: what is written where, in which order, and how it
 * is taken back.
 */
#ifndef LDA_COMMIT_H
#define LDA_COMMIT_H

#include "lda/message.h"
#include "lda/store/pair.h"
#include "lda/transaction.h"

struct target {				/* the message on one side */
	struct mailbox	*box;		/* of the pair */
	int		 fd;		/* its file, open for as long; -1 */
	bool		 in_tmp;	/* tmp/ has it, and nothing is logged
					   yet: it is ours to unlink */
};

struct commit {
	struct pair	 pair;
	struct target	 target[2];	/* in the order of the pair */
	struct intent	 intent;
	char		*tmp;		/* name in tmp/; intent.name goes on */
	int64_t		 keep;		/* seconds, of the delivery log */
	off_t		 size;
	bool		 logged;	/* the intent is in a log */
	bool		 early;		/* the locks may be given back: new/
					   is still to be synced */
	bool		 known;		/* it had been delivered before */
};

/* Where the message can be read again when standard input is used up. */
struct source {
	int		 fd;		/* a file that has it; -1 */
};

void		commit_init(struct commit *c, const struct delivery *dv);

/* The pair is open: its boxes are the targets. */
void		commit_targets(struct commit *c);

/*
 * Step 2: write the message to tmp/ of every side, synced, all at once; choose
 * its base name.
 */
enum status	commit_prepare(struct commit *c, struct message *msg,
		    struct source *src, struct err *err) MUST_CHECK;

/*
 * Steps 8 to 10: UID, intents, lines, renames, outcome.  The locks are held,
 * what others left is decided, the sides agree.  On failure with the locks
 * still ours it has taken back what it did.
 */
enum status	commit(struct commit *c, const struct record *rec,
		    struct err *err) MUST_CHECK;

/* What of it needs no lock, and makes it last.  Until then the message may be
 * lost. */
enum status	commit_finish(struct commit *c, struct err *err) MUST_CHECK;

/* Unlink what lies in tmp/ and was never logged. */
void		commit_clean(struct commit *c);

void		source_keep(struct source *src, struct commit *c);
void		source_close(struct source *src);

#endif
