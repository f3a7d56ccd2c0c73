/* SPDX-License-Identifier: ISC */
/*
 * engine.h - one run of rc files for one message; private to lda/recipe
 *
 * struct engine has a part for each file of this folder.  The header of that
 * file defines the part, and the file alone changes it where no line here or
 * there says otherwise.  engine.c itself holds what ends a run: signals,
 * deferrals, the time that is left.
 */
#ifndef LDA_RECIPE_ENGINE_H
#define LDA_RECIPE_ENGINE_H

#include <stdbool.h>
#include <sys/types.h>
#include <talloc.h>

#include "lda/recipe/actions.h"
#include "lda/recipe/blocks.h"
#include "lda/recipe/child.h"
#include "lda/recipe/comsat.h"
#include "lda/recipe/delivered.h"
#include "lda/recipe/expand.h"
#include "lda/recipe/folder.h"
#include "lda/recipe/lockfile.h"
#include "lda/recipe/mail.h"
#include "lda/recipe/rcfiles.h"
#include "lda/recipe/rclog.h"
#include "lda/recipe/recipe.h"
#include "lda/recipe/run.h"
#include "lda/recipe/variables.h"
#include "maps/base/err.h"

/* The message is lost if it is not delivered. */
enum lost {
	LOST_NOT,		/* no: the mail system still has it */
	LOST_DELIVERED,		/* DELIVERED=yes: the mail system was let go */
	LOST_SIGQUIT,		/* and the exit status is 0 */
};

/* How the run ends.  recipe.c sets the status at the end. */
struct ending {
	bool		 stop;		/* it is over: deferred, or a signal */
	int		 by_signal;	/* the signal; 0 */
	enum lost	 lost;
	int		 status;	/* exit status, as it stands */
	bool		 exitcode_set;	/* EXITCODE was assigned (assign.c) */
	const char	*trap;		/* TRAP (assign.c) */
};

/* What this process is. */
struct process {
	bool		 privileged;	/* root, not yet the recipient */
	bool		 clone;		/* of a block (actions.c): it exits when
					   the run ends */
	bool		 chdir_done;	/* MAILDIR is the working directory
					   (rcfiles.c, assign.c) */
	pid_t		 child;		/* to be ended by our signals; 0
					   (child.c) */
	long long	 began;		/* CLOCK_MONOTONIC ms */
};

struct engine {
	const struct recipe_setup *su;	/* the caller's */
	struct recipe_result *result;	/* the caller's */
	TALLOC_CTX	*ctx;		/* freed after the present statement or
					   condition (run.c, conditions.c) */
	TALLOC_CTX	*pool;		/* parent of ctx */
	struct mail	*mail;
	struct vars	*vars;
	size_t		 linebuf;	/* LINEBUF, bytes (assign.c) */
	struct ending	 end;
	struct process	 process;
	struct rclog	 log;
	struct rcfiles	 rc;
	struct blocks	 blocks;
	struct tried	 tried;
	struct specials	 special;
	struct programs	 programs;
	struct lockfiles locks;
	struct folders	 folders;
	struct delivered last;
	struct mailer	 mailer;
	struct comsat	 comsat;
};

/* Have the signals of procmail(1), SIGNALS, noted for
 * engine_check_signals(). */
void		engine_catch_signals(void);

/*
 * Do what a signal has asked for since the last call: stop the run (requeue,
 * bounce or lose the message; a child gets SIGTERM), or change VERBOSE.  Called
 * after each statement and whenever a wait is interrupted.
 */
void		engine_check_signals(struct engine *e);

/* Stop the run: the mail system is to try again.  err is logged, and is the
 * caller's reason. */
void		engine_defer(struct engine *e, const struct err *err);

/* When the run must have ended: CLOCK_MONOTONIC, ms. */
long long	engine_ends_at(const struct engine *e);

/* Seconds that are left until then, at least 1. */
long long	engine_seconds_left(const struct engine *e);

/*
 * Sleep, the log flushed before.  Returns false if the run is over: by a
 * signal, or deferred because it has waited for too long.
 */
bool		engine_sleep(struct engine *e, long seconds);

/*
 * Become the recipient for good, if this process is still root; VERBOSE is off
 * then, as in procmail.  The run is deferred if that fails (e->end.stop).
 */
void		engine_drop_root(struct engine *e);

/* This process goes on without its parent: with a deadline of its own. */
void		engine_background(struct engine *e);

/* The working directory, absolute; child of e->ctx. */
const char     *engine_dir(struct engine *e);

#endif
