/* SPDX-License-Identifier: ISC */
/*
 * pair.h - one mailbox on one side or both, held by whoever may decide about it
 *
 * Check the marker, open, lock, ask again, read, compare `led`, decide: in this
 * order, and nowhere else.  Deliveries, effects, a visit and the mover all hold
 * a mailbox by pair_open() and pair_take().  Between the two calls a delivery
 * writes its tmp/.
 *
 *	st = pair_open(&pair, ctx, &place, err);
 *	if (st == ST_OK)
 *		st = pair_take(&pair, &terms, err);
 *	...
 *	pair_release(&pair);
 */
#ifndef LDA_STORE_PAIR_H
#define LDA_STORE_PAIR_H

#include "lda/store/tails.h"
#include "maps/map.h"
#include "maps/route.h"

#define PAIR_LOCKED	60	/* seconds that locks are held at most: half of
				   what it takes until others break them */

struct pair {
	struct mailbox	 box[2];	/* the leader first */
	int		 n;		/* sides that are open */
	bool		 locked;
	bool		 overtaken;	/* see pair_take() */
	struct tails	 tails;		/* the same */
};

enum pair_make {
	PAIR_MAKE_NONE,		/* a side without the mailbox is left out */
	PAIR_MAKE_FOLLOWER,	/* made there, where the leader has it */
	PAIR_MAKE_ALL,
};

/* Where the mailbox is. */
struct pair_place {
	const struct record	*rec;	/* located */
	const struct conf	*conf;	/* the filers */
	const struct plan	*plan;	/* its sides, the leader first */
	const char		*folder;	/* as maildir_open() has it */
	enum pair_make		 make;
};

/* A plan with every located side, the leader first. */
void		pair_all_sides(const struct record *rec, struct plan *plan);

/*
 * Check the markers of the filers and open the mailbox.
 *
 * pair  written whatever the result; its maildirs are talloc children of ctx.
 *
 * ST_OK     pair->n may be 0: no side has it.
 * ST_AGAIN  a filer is not mounted, or a side cannot be opened.
 */
enum status	pair_open(struct pair *pair, TALLOC_CTX *ctx,
		    const struct pair_place *place, struct err *err) MUST_CHECK;

/*
 * The question that is asked under the locks: is what the caller goes by still
 * so?
 *
 * rec  the record as it is now: *it* decides.  The answer must live as long as
 *      the locks.
 *
 * ST_OK     go on by *rec.
 * ST_NONE   the caller decided by something else; it releases and starts again.
 */
typedef enum status pair_ask_fn(void *arg, const struct record **rec,
		    struct err *err);

struct pair_terms {
	long		 wait;		/* milliseconds for all locks */
	bool		 queue;		/* a delivery: see mailbox_lock() */
	bool		 plain;		/* in procmail's place: see below */
	bool		 logs;		/* make delivery logs that are missing,
					   and note rec->led in them */
	bool		 any_version;	/* of uidlists: see mailbox_read() */
	unsigned	 ahead;		/* versions by which a log may be later
					   than the record: 1 while a step is
					   prepared */
	pair_ask_fn	*ask;
	void		*arg;
	const unsigned char *key;	/* see recover_decide() */
	int64_t		 now;		/* seconds UTC */
	int64_t		 keep;		/* seconds, of the delivery log */
};

/*
 * Take the lock of every open side, old before new; ask; read uidlists and
 * logs; refuse a record that is older than the last change of leader that a log
 * has seen; and, where the leader's side is open, decide every undecided intent
 * by the answer.
 *
 * The second lock is tried for at most a second, and then the first is given
 * back, too, for a moment: nobody waits for one lock while the other grows
 * stale.
 *
 * plain  a Maildir without uidlist is not locked, as nobody would look at the
 *        lock, and one that stays locked counts as one without a uidlist, as
 *        for dovecot-lda.  Logs are neither read nor made, nothing is decided.
 *
 * ST_OK     pair->locked (not always with plain); for PAIR_LOCKED seconds.
 * ST_NONE   the question's answer.
 * ST_AGAIN  pair->overtaken: a log has seen a later change of leader.  All is
 *           locked and read, nothing is decided.  The same with
 *           pair->tails.restored: the leader was restored from a snapshot, and
 *           nothing may be removed from either side.
 * pair->tails.stray is no error: a session that survived the hand-over has
 * added something to the follower, and UIDs go on above it.
 * Whatever the result, pair_release() is due.
 */
enum status	pair_take(struct pair *pair, const struct pair_terms *terms,
		    struct err *err) MUST_CHECK;

/* That error: ST_AGAIN. */
enum status	pair_restored(const struct pair *pair, struct err *err);

/* Close uidlists and logs, give the locks back in reverse. */
void		pair_release(struct pair *pair);

/* NULL where one side alone is open. */
struct mailbox *pair_follower(struct pair *pair);

/* ST_AGAIN: one of the locks is no longer ours; nothing more may be written. */
enum status	pair_check(struct pair *pair, struct err *err) MUST_CHECK;
/* The same, and new time stamps: every 10 s, for who holds them longer. */
enum status	pair_keep(struct pair *pair, struct err *err) MUST_CHECK;

/* recover_decide(), recover_settle() of a pair that was taken. */
enum status	pair_decide(struct pair *pair, const unsigned char *key,
		    int64_t now, int64_t keep, struct err *err) MUST_CHECK;
enum status	pair_settle(struct pair *pair, int64_t now, int64_t keep,
		    struct err *err) MUST_CHECK;

/*
 * May the locks be given back before new/ is synced?  True if a local process
 * waits for them and every log has two free slots: one for the intent of that
 * process, and one more, so that an intent is not always the next to be
 * overwritten by what is written together with its own outcome.
 */
bool		pair_awaited(const struct pair *pair);

/*
 * The usual question (struct pair_question, as a pair_ask_fn): has the map this
 * plan for the user still, at these locations?
 */
struct pair_question {
	struct map		*map;
	TALLOC_CTX		*ctx;	 /* parent of the answer */
	const char		*home;	 /* NULL: not known */
	const struct record	*rec;	 /* by which the pair was opened */
	const struct plan	*plan;	 /* the same */
	bool			 frozen; /* also where nobody may deliver, as
					    in a cutover: all sides, then */
	struct record		*now;	 /* the answer, also with ST_NONE */
	struct plan		 again;	 /* its plan */
};

enum status	pair_ask_map(void *question, const struct record **rec,
		    struct err *err) MUST_CHECK;

#endif
