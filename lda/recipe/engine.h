/* SPDX-License-Identifier: ISC */
/*
 * engine.h - one run of rc files for one message; private to lda/recipe
 *
 * struct engine is made of parts.  Each has an owner, the file that its comment
 * names: that file alone changes it, with the exceptions noted at a member.
 * Settings are set by assign.c for their owner.
 *
 * engine.c itself holds what ends a run: signals, deferrals, the time that is
 * left.
 */
#ifndef LDA_RECIPE_ENGINE_H
#define LDA_RECIPE_ENGINE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/types.h>
#include <talloc.h>

#include "lda/recipe/blocks.h"
#include "lda/recipe/mail.h"
#include "lda/recipe/rclog.h"
#include "lda/recipe/setup.h"
#include "lda/recipe/variables.h"
#include "maps/base/err.h"

#define RC_DEPTH_MAX	64		/* files that include each other */

/* The message is lost if it is not delivered. */
enum lost {
	LOST_NOT,		/* no: the mail system still has it */
	LOST_DELIVERED,		/* DELIVERED=yes: the mail system was let go */
	LOST_SIGQUIT,		/* and the exit status is 0 */
};

/* engine.c: how the run ends.  assign.c sets what DELIVERED, HOST and EXITCODE
 * ask for, and recipe.c the final status. */
struct ending {
	bool		 stop;		/* it is over: deferred, or a signal */
	int		 by_signal;	/* the signal; 0 */
	enum lost	 lost;
	int		 status;	/* exit status, as it stands */
	bool		 exitcode_set;	/* EXITCODE was assigned */
	const char	*trap;		/* setting TRAP */
};

/* engine.c: what this process is. */
struct process {
	bool		 privileged;	/* root, not yet the recipient */
	bool		 clone;		/* of a block: it exits after the run
					   (actions.c) */
	bool		 chdir_done;	/* MAILDIR is the working directory
					   (rcfiles.c, assign.c) */
	pid_t		 child;		/* ended by our signals; 0 (child.c) */
	long long	 began;		/* CLOCK_MONOTONIC ms */
};

/* delivered.c: the last delivery, and the numbers of deliveries.  Each file
 * that delivers sets the first two. */
struct delivered {
	long		 bytes;		/* written by the last delivery */
	off_t		 tell;		/* its offset in an mbox; else -1 */
	unsigned	 ordinal;	/* of this process's next delivery */
	unsigned	 clones;	/* made by this process (actions.c) */
	unsigned	 lineage;	/* of which clones this is the clone */
};

/* lockfile.c */
struct lockfiles {
	char		*local;		/* held for a recipe; talloc, NULL */
	char		*global;	/* held by LOCKFILE; talloc, NULL */
	const char	*spool;		/* of the system mailbox: often a user
					   cannot make it; NULL (recipe.c) */
	const char	*ext;		/* setting LOCKEXT */
	long		 sleep;		/* setting LOCKSLEEP, seconds */
	long		 timeout;	/* setting LOCKTIMEOUT; 0: no force */
	long		 suspend;	/* setting SUSPEND, seconds */
};

struct rcfile;

struct frame {				/* a file that is being run */
	struct rcfile	*rc;
	size_t		 at;		/* its next statement (run.c) */
	size_t		 blocks;	/* entered before it began */
};

/* rcfiles.c: the files that are being run, each included by the one before. */
struct rcfiles {
	struct frame	 frame[RC_DEPTH_MAX];
	int		 n;		/* 0: only the command line is read */
	unsigned	 opened;	/* in this run */
	bool		 left;		/* the files were left by HOST */
};

/* child.c: settings for programs. */
struct programs {
	const char	*shellmetas, *shellflags;
	long		 timeout;	/* TIMEOUT, seconds; 0: none */
	long		 noresretry;	/* NORESRETRY: has no effect */
	bool		 filter_failed;	/* the last filter that was waited for
					   did.  A later one that is not waited
					   for then counts as failed, as in
					   procmail (pipes.c) */
};

/* expand.c: the values of special variables. */
struct specials {
	const char *const *arg;		/* $1 and on (recipe.c, assign.c) */
	size_t		 narg;		/* $# */
	int		 code;		/* $?: of the last program (pipes.c) */
	long		 score;		/* $=: of the last conditions
					   (conditions.c, run.c) */
};

/* folder.c: settings for folders. */
struct folder_settings {
	const char	*def;		/* DEFAULT */
	const char	*msgprefix;	/* MSGPREFIX */
	mode_t		 umask;		/* UMASK */
};

/* actions.c: settings for `!`. */
struct mailer {
	const char	*sendmail;	/* SENDMAIL */
	const char	*flags;		/* SENDMAILFLAGS: words */
};

/* comsat.c */
struct comsat {
	bool		 on;
	struct sockaddr_in to;
};

/*
 * run.c: what the flags A, a, E and e of the next recipe ask about.  The
 * conditions of the last recipe without A and a held; those of the recipe
 * before held, or of one in a chain of E; the last action was successful.
 */
struct tried {
	bool		 last_cond, prev_cond, last_ok;
};

struct engine {
	const struct recipe_setup *su;	/* the caller's */
	struct recipe_result *result;	/* the caller's */
	TALLOC_CTX	*ctx;		/* freed after the present statement or
					   condition (run.c, conditions.c) */
	TALLOC_CTX	*pool;		/* parent of ctx */
	struct mail	*mail;
	struct vars	*vars;
	size_t		 linebuf;	/* setting LINEBUF, bytes */
	struct ending	 end;
	struct process	 process;
	struct rclog	 log;
	struct rcfiles	 rc;
	struct blocks	 blocks;
	struct tried	 tried;
	struct specials	 special;
	struct programs	 programs;
	struct lockfiles locks;
	struct folder_settings folders;
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

/* Stop the run: the mail system is to try again.  err is logged, and becomes
 * the caller's reason. */
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
