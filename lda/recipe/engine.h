/* SPDX-License-Identifier: ISC */
/*
 * engine.h - one run of rc files: what its parts share; private to lda/recipe
 */
#ifndef LDA_RECIPE_ENGINE_H
#define LDA_RECIPE_ENGINE_H

#include <stdint.h>
#include <sys/types.h>

#include "lda/recipe/parser.h"
#include "lda/recipe/recipe.h"
#include "lda/recipe/variables.h"

#define LINEBUF_MIN	128
#define LINEBUF_DEFAULT	2048
#define LINEBUF_MOST	(1024 * 1024)
#define POOL_RUN	(1024 * 1024)	/* bytes that malloc() is asked for at once: */
#define POOL_STATEMENT	(64 * 1024)	/* musl's maps a few pages for each piece */
#define RC_SIZE_MAX	(4 * 1024 * 1024)	/* bytes of one rc file */
#define RC_DEPTH_MAX	64			/* INCLUDERC in each other */
#define RC_OPENED_MAX	1000			/* rc files opened in a run */
#define RUN_MOST	900	/* seconds, below Postfix's time limit, past which
				   it bounces */

/* Variables that the engine acts on, as they were last assigned. */
struct settings {
	const char	*shellmetas, *lockext, *msgprefix, *trap, *shellflags,
			*def, *sendmail, *sendmailflags;
	long		 locksleep, locktimeout, suspend, noresretry, timeout,
			 verbose, logabstract;
};

/* A file that is being run. */
struct frame {
	struct rcfile	*rc;
	size_t		 at;		/* its next statement */
	size_t		 blocks;	/* entered before it began */
};

struct block {				/* entered: restored when it closes */
	bool		 last, prev;
};

struct engine {
	TALLOC_CTX	*ctx;
	TALLOC_CTX	*pool;		/* of what a statement needs */
	const struct recipe_setup *su;
	struct recipe_result *result;
	struct mail	*mail;
	struct vars	*vars;
	struct settings	 set;
	size_t		 linebuf;
	/* Files and blocks. */
	struct frame	 frame[RC_DEPTH_MAX];
	int		 nframe;	/* 0: no rc file is being run */
	unsigned	 opened;
	struct block	*block;
	size_t		 nblock, block_room;
	bool		 left;		/* the rc file was left by HOST */
	/* What recipes remember. */
	bool		 last_cond, prev_cond, last_ok;
	long		 score;		/* $= */
	int		 code;		/* $? */
	bool		 filter_failed;	/* the last one that was waited for: what
					   procmail takes the next for that is not */
	const char *const *args;	/* $1 ... */
	size_t		 nargs;
	bool		 exitcode_set;
	bool		 chdir_done;
	bool		 privileged;	/* root still */
	bool		 clone;		/* of a block: ends by itself */
	mode_t		 umask;
	int		 retval;
	int		 fake;		/* 1 DELIVERED, 2 SIGQUIT */
	bool		 stop;		/* the run is over: deferred, or a signal */
	int		 by_signal;	/* which */
	char		*local, *global;	/* lockfiles held */
	char		*spool_lock;	/* of the system mailbox: needs no luck */
	pid_t		 child;		/* that a signal ends with us; 0 */
	long		 dumped;	/* bytes written by the last delivery */
	off_t		 tell;		/* where in an mbox; -1 */
	/* Log. */
	int		 logfd;		/* 2, or LOGFILE */
	bool		 logfile;	/* one is open */
	char		*pending;	/* of a line that has no LF yet */
	bool		 comsat;
	/* Deliveries of this process, for retries. */
	unsigned	 ordinal, clones, lineage;
	long long	 began;		/* CLOCK_MONOTONIC ms */
};

/* log.c */
void		rclog(struct engine *e, const char *text);
void		rclog_flush(struct engine *e);
void		diag(struct engine *e, const char *what);		/* a line */
void		diag_of(struct engine *e, const char *what, const char *of);
void		chat(struct engine *e, const char *what, const char *of);
void		rclog_open(struct engine *e, const char *path);
void		rclog_abstract(struct engine *e, const char *folder);

/* settings.c */
void		settings_begin(struct engine *e);
void		assign(struct engine *e, const char *name, const char *value);
void		set_folder(struct engine *e, const char *name);
void		overflowed(struct engine *e);
void		drop_privileges(struct engine *e);

/* expand.c */
struct expander	expander_of(struct engine *e);
bool		expand(struct engine *e, struct words *w, const char *text,
		    size_t len, enum words_mode mode);

/* rcfile.c */
enum rc_type { RC_ABSOLUTE, RC_CURRENT, RC_DEFAULT };
bool		rc_open(struct engine *e, const char *path, enum rc_type type,
		    bool warn);
bool		rc_open_etc(struct engine *e, const char *path);
void		rc_include(struct engine *e, const char *path);
void		rc_switch(struct engine *e, const char *path);
bool		rc_pop(struct engine *e);
void		rc_leave(struct engine *e);

/* locks.c */
bool		lock_take(struct engine *e, const char *name, char **lock);
void		lock_local(struct engine *e, const char *named, const char *of);
void		lock_drop(struct engine *e, char **lock);
bool		engine_sleep(struct engine *e, long seconds);

/* program.c */
struct program {
	bool		 shell;
	struct words	 words;		/* arguments, or one text for the shell */
};
struct piece {
	const char	*data;
	size_t		 len;
	bool		 raw;		/* no empty line is put after it */
};
enum program_wait { NO_WAIT, WAIT = 1, WAIT_QUIET = 2 };
struct outcome_of {			/* a program */
	bool		 started, written, waited, timed_out;
	int		 code;		/* where it was waited for */
	size_t		 bytes;		/* written */
};
void		program_parse(struct engine *e, const char *line,
		    struct program *p);
void		program_run(struct engine *e, const struct program *p,
		    const struct piece *in, struct bytes *out, bool out_to_log,
		    bool wait, struct outcome_of *o);
bool		program_deliver(struct engine *e, const struct program *p,
		    const struct piece *in, unsigned wait, bool ignore,
		    bool deliver);
bool		program_filter(struct engine *e, const struct program *p,
		    const struct piece *in, unsigned wait, bool ignore,
		    struct bytes *out);
void		program_output(struct engine *e, const char *command, size_t most,
		    struct words *to);
const char     *program_name(struct engine *e, const struct program *p);

/* folder.c */
enum dest_kind	folder_split(TALLOC_CTX *ctx, const char *name, char **path);
struct piece	folder_piece(struct engine *e, const struct piece *in);
enum write_how {
	WRITE_IGNORE = 1,	/* errors of writing */
	WRITE_LOCK = 2,		/* an mbox by its lockfile, too */
	WRITE_SECOND = 4,	/* behind another folder: a directory, whatever its
				   name says */
};
bool		folder_write_one(struct engine *e, enum dest_kind kind, char *path,
		    const struct words *names, const char *others,
		    const struct piece *in, unsigned how);

/* destination.c: to a folder, wherever it lies */
bool		folder_write(struct engine *e, const struct words *names,
		    const struct piece *in, bool ignore, bool lock);

/* folder.c */
bool		stdout_write(struct engine *e, const char *name,
		    const struct piece *in, bool ignore);
bool		write_failed(struct engine *e, const char *name);

/* condition.c */
bool		conditions_hold(struct engine *e, const struct statement *s,
		    unsigned flags, bool tried);

/* run.c */
enum ended { ENDED_DELIVERED, ENDED_EOF, ENDED_LEFT };	/* _LEFT: by HOST */
enum ended	run_files(struct engine *e);	/* those that are open, to their end */
void		catch_signals(void);
void		check_signals(struct engine *e);
void		engine_defer(struct engine *e, const struct err *err);
void		engine_become(struct engine *e);
const char     *working_dir(struct engine *e);
struct dest	dest_new(struct engine *e, enum dest_kind kind, const char *path);


/* comsat.c */
bool		comsat_set(struct engine *e, const char *value);
void		comsat_send(struct engine *e, const char *folder);

#endif
